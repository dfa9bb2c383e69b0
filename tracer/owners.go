//go:build linux

package tracer

import (
	"github.com/closetrace/closetrace/bpf"
	"github.com/closetrace/closetrace/model"
)

// owner is what the kernel says of a process, as a key.
type owner struct {
	start, cgroup uint64
	tgid, uid     uint32
	comm          [16]byte
}

func ownerOf(e *bpf.TraceEnd) owner {
	return owner{e.Owner.Start, e.Owner.Cgroup, e.Owner.Tgid, e.Owner.Uid, e.Owner.Comm}
}

// described is what [process.Owners] told of a process outside containers, whose names
// may become known later. Nothing else that it tells changes: one look-up instead
// of five for each end.
type described struct {
	executable, commandLine, user, cgroup, unit string
}

// describedMax bounds what is remembered; a host has fewer processes that end
// connections at one time.
const describedMax = 8192

// meet looks the owner up when its message arrives. An end is delivered later,
// and a process that exits after its last connection is gone by then.
func (t *translator) meet(e *bpf.TraceEnd) {
	if t.owners == nil || e.Source == 0 || e.Owner.Start == 0 || t.known[ownerOf(e)] != nil {
		return
	}
	t.owners.Meet(int(e.Owner.Tgid), t.name(e.Owner.Comm), e.Owner.Start, e.Owner.Cgroup)
}

// describe fills in what only /proc and the cgroup file system tell.
func (t *translator) describe(f *model.Facts, e *bpf.TraceEnd) {
	if t.owners == nil || f.Process.PID == 0 {
		return
	}
	if d := t.known[ownerOf(e)]; d != nil && e.Owner.Start != 0 {
		f.Process.Executable.Path, f.Process.CommandLine = d.executable, d.commandLine
		f.Process.User.Name, f.Cgroup.Path, f.Systemd.Unit = d.user, d.cgroup, d.unit
		return
	}
	t.owners.Describe(f, e.Owner.Start, e.Owner.Cgroup)
	inContainer := f.Container != (model.Container{}) || f.K8s != (model.K8s{})
	if e.Owner.Start == 0 || f.Cgroup.Path == "" || inContainer {
		return
	}
	if t.known == nil || len(t.known) >= describedMax {
		t.known = make(map[owner]*described)
	}
	t.known[ownerOf(e)] = &described{
		f.Process.Executable.Path, f.Process.CommandLine, f.Process.User.Name, f.Cgroup.Path, f.Systemd.Unit,
	}
}
