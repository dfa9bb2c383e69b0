//go:build linux

package tracer

import (
	"encoding/binary"
	"fmt"
	"io"

	"github.com/cilium/ebpf"
)

const (
	execSize  = 4       // bytes of a count
	execSlots = 1 << 17 // EXECS, bpf/maps.h
)

// execCounts reads how often processes have executed a program: bpf/maps.h, execs. If
// more PIDs are allowed than there are slots, two processes may share one; an exec of one
// then hides the executable of the other, unless that was looked up before.
type execCounts struct {
	memory io.ReaderAt // of all variables
	offset uint32
}

func newExecCounts(objects *ebpf.Collection, offset uint32) (*execCounts, error) {
	memory, err := objects.Maps[".bss"].Memory()
	if err != nil {
		return nil, fmt.Errorf("map the counts of exec: %w", err)
	}
	return &execCounts{memory, offset}, nil
}

// of returns the count of a process's slot.
func (c *execCounts) of(pid int) uint64 {
	var b [execSize]byte
	if _, err := c.memory.ReadAt(b[:], int64(c.offset)+int64(pid%execSlots)*execSize); err != nil {
		return 0
	}
	return uint64(binary.NativeEndian.Uint32(b[:]))
}
