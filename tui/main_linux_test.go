package tui

import (
	"os"
	"testing"

	"github.com/closetrace/closetrace/internal/lab"
)

// TestMain plays a scenario of the lab if the lab has started this program for one.
func TestMain(m *testing.M) {
	lab.Main()
	os.Exit(m.Run())
}
