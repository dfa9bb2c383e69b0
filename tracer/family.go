//go:build linux

package tracer

import (
	"errors"
	"fmt"
	"os"

	"github.com/cilium/ebpf"
	"golang.org/x/sys/unix"

	"github.com/closetrace/closetrace/tracer/process"
)

const (
	pidsMax = 4 << 20 // PID_MAX_LIMIT, include/linux/threads.h
	marks   = 64      // MARKS, bpf/maps.h
)

// follow marks a process and its descendants, when the hook is live that marks
// what they start from now on.
func follow(pid uint32, objects *ebpf.Collection) error {
	if pid == 0 {
		return nil
	}
	if process.InNamespace() {
		return fmt.Errorf("follow process %d inside a PID namespace: %w; follow it from the host", pid, errors.ErrUnsupported)
	}
	if err := unix.Kill(int(pid), 0); errors.Is(err, unix.ESRCH) || pid >= pidsMax {
		return fmt.Errorf("follow process %d: %w", pid, os.ErrProcessDone)
	}
	family, err := objects.Maps["family"].Memory()
	if err != nil {
		return fmt.Errorf("map the followed processes: %w", err)
	}
	mark := func(pid int) error {
		_, err := family.WriteAt([]byte{1}, int64(pid)) // marks are bytes, one for each PID
		return err
	}
	if err := mark(int(pid)); err != nil {
		return fmt.Errorf("follow process %d: %w", pid, err)
	}
	marked := map[int]bool{int(pid): true}
	// A child of one that was not marked yet is found in the next round.
	for before := 0; len(marked) > before; {
		before = len(marked)
		for child, parent := range process.Parents() {
			if !marked[parent] || marked[child] {
				continue
			}
			if err := mark(child); err != nil {
				return fmt.Errorf("follow process %d: %w", child, err)
			}
			marked[child] = true
		}
	}
	return nil
}
