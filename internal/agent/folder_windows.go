package agent

import (
	"fmt"
	"os"
)

// MakeSpool makes the directory, unless it is there.
func MakeSpool(path string, _ int) error {
	if err := os.MkdirAll(path, 0o700); err != nil {
		return fmt.Errorf("make the spool: %w", err)
	}
	return nil
}
