//go:build cgo

package etwsrc

import (
	"path/filepath"
	"time"

	"golang.org/x/sys/windows"

	"github.com/closetrace/closetrace/model"
)

// owners remembers the names of processes, because one that ends its
// connections by ending itself can't be asked any more.
type owners struct {
	known map[uint32]owner
}

type owner struct {
	path  string
	start model.Time
	asked time.Time
}

// The limits of the memory for names, and how long one is believed: process
// numbers are reused.
const (
	maxOwners   = 8192
	ownerExpiry = 10 * time.Second
)

func newOwners() *owners { return &owners{known: make(map[uint32]owner)} }

// see learns the name of a process that is running now.
func (o *owners) see(pid uint32) {
	if pid == 0 || pid == 4 {
		return
	}
	now := time.Now()
	if old, ok := o.known[pid]; ok && now.Sub(old.asked) < ownerExpiry {
		return
	}
	if len(o.known) >= maxOwners {
		clear(o.known)
	}
	fresh := owner{asked: now}
	if found, ok := ask(pid); ok {
		fresh = found
		fresh.asked = now
	} else if old, ok := o.known[pid]; ok {
		fresh.path, fresh.start = old.path, old.start // it has just ended
	}
	o.known[pid] = fresh
}

// ask asks Windows for a process's program and begin.
func ask(pid uint32) (owner, bool) {
	h, err := windows.OpenProcess(windows.PROCESS_QUERY_LIMITED_INFORMATION, false, pid)
	if err != nil {
		return owner{}, false
	}
	defer windows.CloseHandle(h)
	var found owner
	var created, exited, kernel, user windows.Filetime
	if windows.GetProcessTimes(h, &created, &exited, &kernel, &user) == nil {
		found.start = model.Time(created.Nanoseconds())
	}
	path := make([]uint16, windows.MAX_LONG_PATH)
	size := uint32(len(path))
	if windows.QueryFullProcessImageName(h, 0, &path[0], &size) == nil {
		found.path = windows.UTF16ToString(path[:size])
	}
	return found, true
}

// fill adds the owner's name to facts. A process that began after the
// connection is another one with the same number.
func (o *owners) fill(f *model.Facts) {
	p := &f.Process
	if p.PID == 4 {
		p.Name = "System"
		return
	}
	if p.PID == 0 {
		return
	}
	o.see(uint32(p.PID))
	found := o.known[uint32(p.PID)]
	if found.path == "" || f.StartTime != 0 && found.start > f.StartTime {
		return
	}
	p.Name, p.Executable.Path, p.StartTime = filepath.Base(found.path), found.path, found.start
}
