//go:build linux

package tracer

import (
	"bytes"
	"encoding/binary"
	"time"

	"golang.org/x/sys/unix"

	"github.com/closetrace/closetrace/bpf"
	"github.com/closetrace/closetrace/model"
)

// described is what [process.Owners] returned for a process outside containers, whose
// names may become known later. The rest never changes, so that one look-up for each end
// is enough instead of five.
type described struct {
	executable, script, commandLine, user, unit string
	cgroup                                      model.Cgroup
}

// describedMax bounds what is remembered; a host has fewer processes that end
// connections at one time.
const describedMax = 8192

// latest are those of the known owners that were asked for last, by PID: most ends are of
// a few processes that take turns.
type latest [64]struct {
	owner bpf.TraceOwner
	known *described
}

// knownOf returns what is known of the owner of e, or nil.
func (t *translator) knownOf(e *bpf.TraceEnd) *described {
	kept := &t.latest[e.Owner.Tgid%uint32(len(t.latest))]
	if kept.known == nil || kept.owner != e.Owner {
		kept.owner, kept.known = e.Owner, t.known[e.Owner]
	}
	return kept.known
}

// lookFor is how long ends may come without a look for kills, which asks for the time.
const lookFor = 10 * time.Millisecond

// meet looks the owner up when its message arrives. An end is delivered later,
// and a process that exits after its last connection is gone by then.
func (t *translator) meet(e *bpf.TraceEnd) {
	if t.owners == nil || e.Source == 0 || e.Owner.Start == 0 {
		return
	}
	if since := int64(e.Ended - t.lookedAt); since < 0 || since > int64(lookFor) {
		t.lookedAt = e.Ended
		t.owners.LookForKills()
	}
	if t.knownOf(e) != nil {
		return
	}
	t.owners.Meet(int(e.Owner.Tgid), t.names.of(e.Owner.Comm), e.Owner.Start, e.Owner.Cgroup, e.Owner.Execs)
}

// describe fills in what only /proc and the cgroup file system know.
func (t *translator) describe(f *model.Facts, e *bpf.TraceEnd) {
	if t.owners == nil || f.Process.PID == 0 {
		return
	}
	if f.Closer.Signal == int(unix.SIGKILL) && e.Owner.Start != 0 {
		f.Closer.OOM = oomOf(f, t.owners.KilledByOOM(f.Process.PID, f.Process.Name, e.Owner.Start, e.Owner.Cgroup, e.Owner.Execs))
	}
	if d := t.knownOf(e); d != nil && e.Owner.Start != 0 {
		f.Process.Executable.Path, f.Process.Script, f.Process.CommandLine = d.executable, d.script, d.commandLine
		f.Process.User.Name, f.Cgroup, f.Systemd.Unit = d.user, d.cgroup, d.unit
		return
	}
	t.owners.Describe(f, e.Owner.Start, e.Owner.Cgroup, e.Owner.Execs)
	t.remember(f, &e.Owner)
}

// oomOf: hit is of the owner's control group. That it was not says nothing of another process
// that was killed, which may have been in another group.
func oomOf(f *model.Facts, hit model.Opt[bool]) model.Opt[bool] {
	if f.Closer.PID != f.Process.PID && hit.Is(false) {
		return model.Opt[bool]{}
	}
	return hit
}

// remember keeps what was found out about a process, if nothing of it can change.
func (t *translator) remember(f *model.Facts, o *bpf.TraceOwner) {
	inContainer := f.Container != (model.Container{}) || f.K8s != (model.K8s{})
	if o.Start == 0 || f.Cgroup.Path == "" || inContainer {
		return
	}
	if t.known == nil || len(t.known) >= describedMax {
		t.known = make(map[bpf.TraceOwner]*described)
	}
	t.known[*o] = &described{
		executable: f.Process.Executable.Path, script: f.Process.Script, commandLine: f.Process.CommandLine, user: f.Process.User.Name,
		unit: f.Systemd.Unit, cgroup: f.Cgroup,
	}
}

// names interns process names, as the kernel keeps them: the last one of each slot.
type names [256]struct {
	comm [16]byte
	text string
}

func (n *names) of(comm [16]byte) string {
	const multiplier = 0x9e3779b97f4a7c15 // Fibonacci hashing
	bits := binary.NativeEndian.Uint64(comm[:8]) ^ binary.NativeEndian.Uint64(comm[8:])*multiplier
	slot := &n[bits*multiplier>>56]
	if slot.comm != comm {
		text, _, _ := bytes.Cut(comm[:], []byte{0})
		slot.comm, slot.text = comm, string(text)
	}
	return slot.text
}
