package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/closetrace/closetrace/internal/safefile"
)

const keysMax = 64 << 10 // bytes of the file

// readKeys reads the user's keys for the screen from keys.json in the directory
// closetrace of [os.UserConfigDir]. Without the file there are none.
func readKeys() (map[string][]string, error) {
	dir, err := os.UserConfigDir()
	if err != nil {
		return nil, nil // no home, no file
	}
	path := filepath.Join(dir, "closetrace", "keys.json")
	data, err := safefile.Read(path, keysMax) // sudo may have kept another user's HOME
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("keys: %w", err)
	}
	var keys map[string][]string
	if err := json.Unmarshal(data, &keys); err != nil {
		return nil, fmt.Errorf("read %s, which must be like {\"pause\": [\"space\"]}: %w", path, err)
	}
	return keys, nil
}
