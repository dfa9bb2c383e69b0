//go:build linux

package tracer

import (
	"github.com/closetrace/closetrace/bpf"
	"github.com/closetrace/closetrace/model"
)

// meet looks the owner up when its message arrives. An end is delivered later,
// and a process that exits after its last connection is gone by then.
func (t *translator) meet(e *bpf.TraceEnd) {
	if t.owners == nil || e.Source == 0 || e.Owner.Start == 0 {
		return
	}
	t.owners.details(program{int(e.Owner.Tgid), e.Owner.Start / startTick, t.name(e.Owner.Comm)})
	t.owners.tree.path(e.Owner.Cgroup, int(e.Owner.Tgid))
}

// describe fills in what only /proc and the cgroup file system tell.
func (t *translator) describe(f *model.Facts, e *bpf.TraceEnd) {
	if t.owners != nil {
		t.owners.Describe(f, e.Owner.Start, e.Owner.Cgroup)
	}
}
