//go:build linux

package process

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// TestGroupClose: a group is removed as soon as it is empty; processes that still run are
// moved to the group above.
func TestGroupClose(t *testing.T) {
	for name, process := range map[string]struct {
		runs   bool
		signal unix.Signal // sent to it
		within time.Duration
	}{
		"nobody":   {false, 0, removePatience / 2},
		"runs":     {true, 0, removePatience / 2},
		"is ended": {true, unix.SIGKILL, removePatience / 2},
	} {
		t.Run(name, func(t *testing.T) {
			g, err := NewGroup(fmt.Sprintf("closetrace-test-%d", os.Getpid()))
			if errors.Is(err, errors.ErrUnsupported) || errors.Is(err, fs.ErrPermission) {
				t.Skip(err)
			} else if err != nil {
				t.Fatal(err)
			}
			defer g.Close()
			pid := 0
			if process.runs {
				directory, err := os.Open(g.Directory())
				if err != nil {
					t.Fatal(err)
				}
				defer directory.Close()
				pid, _ = sleeperIn(t, directory)
				if err := unix.Kill(pid, process.signal); err != nil {
					t.Fatal(err)
				}
			}
			began := time.Now()
			if err := g.Close(); err != nil {
				t.Fatal(err)
			}
			if took := time.Since(began); took > process.within {
				t.Errorf("took %v, want less than %v", took, process.within)
			}
			if _, err := os.Stat(g.Directory()); !errors.Is(err, fs.ErrNotExist) {
				t.Errorf("the group is still there: %v", err)
			}
			if name == "runs" {
				if got, want := cgroupsOf(pid).unified, cgroupsOf(os.Getpid()).unified; got != want {
					t.Errorf("the process is in %q, want %q", got, want)
				}
			}
			if err := g.Close(); err != nil {
				t.Errorf("closed again: %v", err)
			}
		})
	}
}
