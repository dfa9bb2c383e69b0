package etwsrc

import (
	"path/filepath"
	"time"

	"golang.org/x/sys/windows"

	"github.com/closetrace/closetrace/internal/services"
	"github.com/closetrace/closetrace/model"
)

var _ processes = (*owners)(nil)

// owners remembers the processes that were seen with connections, because one
// that ends its connections by ending itself can't be asked any more. As long
// as its handle is open, a process's number is not used again, and it tells
// when it exited.
type owners struct {
	known map[uint32]*owner
	// running are the services by process, as they were at runningAt.
	running   map[int]string
	runningAt time.Time
}

type owner struct {
	handle  windows.Handle // 0 if it could not be opened
	path    string
	service string
	start   model.Time
	asked   time.Time
}

// The limit of the memory for processes, and how long it is believed that one
// can't be opened.
const (
	maxOwners   = 8192
	ownerExpiry = 10 * time.Second
	// serviceExpiry is how old the list of services may be.
	serviceExpiry = time.Second
)

func newOwners() *owners { return &owners{known: make(map[uint32]*owner)} }

// close gives the processes back.
func (o *owners) close() {
	for _, p := range o.known {
		if p.handle != 0 {
			windows.CloseHandle(p.handle)
		}
	}
	clear(o.known)
}

// see implements [processes].
func (o *owners) see(pid uint32) { o.find(pid) }

// find returns what is known of a process that is running now.
func (o *owners) find(pid uint32) *owner {
	if pid == 0 || pid == 4 {
		return nil
	}
	now := time.Now()
	old := o.known[pid]
	if old != nil && now.Sub(old.asked) < ownerExpiry {
		return old
	}
	if old != nil && old.handle != 0 && old.exited() == 0 {
		old.asked, old.service = now, o.serviceOf(pid, now)
		return old
	}
	fresh := ask(pid)
	if fresh.handle == 0 && old != nil {
		old.asked = now // it has ended
		return old
	}
	if old != nil && old.handle != 0 {
		windows.CloseHandle(old.handle)
	}
	if len(o.known) >= maxOwners {
		o.close()
	}
	fresh.asked, fresh.service = now, o.serviceOf(pid, now)
	o.known[pid] = fresh
	return fresh
}

// serviceOf names the services that a process runs now.
func (o *owners) serviceOf(pid uint32, now time.Time) string {
	if now.Sub(o.runningAt) >= serviceExpiry {
		o.running, o.runningAt = services.ByProcess(), now
	}
	return o.running[int(pid)]
}

// ask asks Windows for a process's program and begin.
func ask(pid uint32) *owner {
	h, err := windows.OpenProcess(windows.PROCESS_QUERY_LIMITED_INFORMATION, false, pid)
	if err != nil {
		return &owner{}
	}
	found := &owner{handle: h}
	var created, exited, kernel, user windows.Filetime
	if windows.GetProcessTimes(h, &created, &exited, &kernel, &user) == nil {
		found.start = model.Time(created.Nanoseconds())
	}
	path := make([]uint16, windows.MAX_LONG_PATH)
	size := uint32(len(path))
	if windows.QueryFullProcessImageName(h, 0, &path[0], &size) == nil {
		found.path = windows.UTF16ToString(path[:size])
	}
	return found
}

// exited returns when the process exited, 0 if it is running or not known.
func (p *owner) exited() model.Time {
	const running = 259 // STILL_ACTIVE: until it exits, the time is not defined
	var code uint32
	var created, exited, kernel, user windows.Filetime
	if p.handle == 0 || windows.GetExitCodeProcess(p.handle, &code) != nil || code == running ||
		windows.GetProcessTimes(p.handle, &created, &exited, &kernel, &user) != nil {
		return 0
	}
	return model.Time(exited.Nanoseconds())
}

// fill implements [processes]. A process that began after the connection is
// another one with the same number.
func (o *owners) fill(f *model.Facts, clock *sessionClock) {
	p := &f.Process
	if p.PID == 4 {
		p.Name = "System"
		return
	}
	found := o.find(uint32(p.PID))
	if found == nil || found.path == "" || f.StartTime != 0 && clock.earliest(found.start) > f.StartTime {
		return
	}
	p.Name, p.Executable.Path, p.StartTime = filepath.Base(found.path), found.path, found.start
	p.Service = found.service
	if exited := found.exited(); exited != 0 {
		if at, ok := clock.recent(exited); ok {
			closedByExit(f, at)
		}
	}
}
