//go:build linux

package tracer

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"reflect"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/closetrace/closetrace/bpf"
	"github.com/closetrace/closetrace/model"
	"github.com/closetrace/closetrace/tracer/process"
)

// lingerEnd is the message that close() waits, with SO_LINGER {1,2}.
func lingerEnd(began uint64) bpf.TraceEnd {
	return bpf.TraceEnd{
		Sock: 7, Family: unix.AF_INET, Started: 1e9, CloseBegan: began, Linger: 1, Lingertime: 200, Lingering: 1,
		Path: states(model.Established, model.FinWait1), Owner: bpf.TraceOwner{Tgid: 4}, Source: uint8(model.OwnerAccept),
	}
}

// lingerPlay is an assembler and what it has reported.
type lingerPlay struct {
	*assembler
	events []model.Event
}

func newLingerPlay() *lingerPlay {
	return &lingerPlay{assembler: newAssembler(translator{hertz: 100}, "s")}
}

func (p *lingerPlay) out(e *model.Event) bool {
	p.events = append(p.events, *e)
	return true
}

func (p *lingerPlay) end(kind bpf.TraceMessage, e bpf.TraceEnd) {
	p.message(&message{kind: kind, end: e}, p.out)
}

// TestTimerOfAWait: a wait without further messages is over after its time and the grace
// period, not before; the verdict is inferred, and its outcome says the same.
func TestTimerOfAWait(t *testing.T) {
	const began = uint64(5e9)
	deadline := ktime(began).add(2 * time.Second)
	for _, c := range []struct {
		allReturns bool
		grace      time.Duration
	}{{false, lingerGrace}, {true, returnGrace}} {
		p := newLingerPlay()
		p.attached(c.allReturns)
		e := lingerEnd(began)
		p.end(bpf.TraceMessageMESSAGE_LINGER, e)
		p.advance(deadline.add(c.grace-1), 0, p.out)
		if len(p.events) != 0 {
			t.Fatalf("told before its time: %+v", p.events)
		}
		p.advance(deadline.add(c.grace), 0, p.out)
		if len(p.events) != 1 {
			t.Fatalf("%d events after its time", len(p.events))
		}
		f := &p.events[0].Teardown.Facts
		if !f.Evidence.Wait.TimerExpired || f.Time != model.Time(deadline) || !f.Duration.Is(time.Duration(deadline)-time.Second) ||
			model.Classify(f).Verdict != model.LingerTimeout || model.Classify(f).Confidence != model.Inferred {
			t.Errorf("the expired wait: %+v", f)
		}
		e.Ended, e.Flags = uint64(deadline.add(time.Second)), bpf.TraceFlagFLAG_ENDED|bpf.TraceFlagFLAG_LEFT|bpf.TraceFlagFLAG_LEFT_DEAD
		e.LeftUs, e.Path = 2_500_000, states(model.Established, model.FinWait1, model.FinWait2, model.Closed)
		p.end(bpf.TraceMessageMESSAGE_END, e)
		p.flush(0, p.out)
		if len(p.events) != 2 || p.events[1].Kind != model.KindOutcome || p.events[1].Teardown.ID != f.ID {
			t.Fatalf("its outcome: %+v", p.events[1:])
		}
		if o := &p.events[1].Teardown.Evidence; !o.Later || !o.Wait.TimerExpired {
			t.Errorf("the outcome's evidence: %+v", o)
		}
	}
}

// TestReturnOfAWait: the return of close() ends the wait for certain, at its time, by
// the time that it took; that of another close() on the same socket does not.
func TestReturnOfAWait(t *testing.T) {
	const began = uint64(5e9)
	p := newLingerPlay()
	p.end(bpf.TraceMessageMESSAGE_LINGER, lingerEnd(began))
	returned := func(at uint64, took uint32) {
		p.message(&message{kind: bpf.TraceMessageMESSAGE_RETURNED, later: bpf.TraceLater{Sock: 7, Time: at, ReturnedUs: took}}, p.out)
	}
	returned(began+1e9, 1_500_000) // it began before this one
	if len(p.events) != 0 || p.waits.bySock[7].end.Returned != 0 {
		t.Fatalf("the return of another close() counts: %+v", p.events)
	}
	returned(began+2_001_000_000, 2_000_500)
	if len(p.events) != 1 {
		t.Fatalf("%d events", len(p.events))
	}
	f := &p.events[0].Teardown.Facts
	if j := model.Classify(f); j.Verdict != model.LingerTimeout || j.Confidence != model.Certain || !j.CloseBlocked.Is(2_000_500*time.Microsecond) {
		t.Errorf("judged %+v", j)
	}
	if f.Time != model.Time(began+2_001_000_000) || f.Evidence.Wait.TimerExpired {
		t.Errorf("at %v, %+v", f.Time, f.Evidence.Wait)
	}
	e := lingerEnd(began)
	e.Ended, e.Flags = began+3e9, bpf.TraceFlagFLAG_ENDED
	e.Path = states(model.Established, model.FinWait1, model.FinWait2, model.Closed)
	p.end(bpf.TraceMessageMESSAGE_END, e)
	p.flush(0, p.out)
	if len(p.events) != 2 || p.events[1].Teardown.Evidence.Wait.TimerExpired {
		t.Errorf("no timer ran out: %+v", p.events[1:])
	}
}

// TestReturnAfterTheEnd: the return comes when the connection has ended already, and
// shows how long close() blocked.
func TestReturnAfterTheEnd(t *testing.T) {
	const began = uint64(5e9)
	p := newLingerPlay()
	p.end(bpf.TraceMessageMESSAGE_LINGER, lingerEnd(began))
	e := lingerEnd(began)
	e.Ended, e.Flags, e.LeftUs = began+1e9, bpf.TraceFlagFLAG_ENDED|bpf.TraceFlagFLAG_LEFT|bpf.TraceFlagFLAG_LEFT_OWNED, 900_000
	e.Path = states(model.Established, model.FinWait1, model.FinWait2, model.Closed)
	p.end(bpf.TraceMessageMESSAGE_END, e)
	p.message(&message{kind: bpf.TraceMessageMESSAGE_RETURNED, later: bpf.TraceLater{Sock: 7, Time: began + 1e9 + 1000, ReturnedUs: 999_000}}, p.out)
	p.flush(0, p.out)
	if len(p.events) != 1 || !p.events[0].Teardown.Evidence.Wait.Returned.Is(999*time.Millisecond) {
		t.Errorf("told %+v", p.events)
	}
}

// TestWaitOfAnotherConnection: a message of another connection that now has the socket is
// not about the wait, nor is the return of a close() that did not wait.
func TestWaitOfAnotherConnection(t *testing.T) {
	p := newLingerPlay()
	first, second := lingerEnd(5e9), lingerEnd(6e9)
	p.end(bpf.TraceMessageMESSAGE_LINGER, first)
	if p.waits.of(&second) != nil || p.waits.of(&first) == nil {
		t.Error("a wait is told apart by when its close() began")
	}
	plain := newLingerPlay()
	end := lingerEnd(5e9)
	end.Lingering, end.Ended, end.Flags = 0, 5e9, bpf.TraceFlagFLAG_ENDED
	plain.end(bpf.TraceMessageMESSAGE_END, end)
	plain.message(&message{kind: bpf.TraceMessageMESSAGE_RETURNED, later: bpf.TraceLater{Sock: 7, Time: 9e9}}, plain.out)
	if h := plain.recent.heldBy(7); h == nil || h.end.Returned != 0 {
		t.Error("a close() that did not wait did not return from waiting")
	}
	// The message of a wait was lost: its end reports it all the same.
	lost := newLingerPlay()
	e := lingerEnd(5e9)
	e.Ended, e.LeftUs = 8e9, 2_400_000
	e.Flags = bpf.TraceFlagFLAG_ENDED | bpf.TraceFlagFLAG_LEFT | bpf.TraceFlagFLAG_LEFT_DEAD
	lost.end(bpf.TraceMessageMESSAGE_END, e)
	lost.flush(0, lost.out)
	if len(lost.events) != 2 || lost.events[1].Kind != model.KindOutcome {
		t.Errorf("a wait whose begin was lost: %+v", lost.events)
	}
}

// TestHoldOfResets: a reset from TIME_WAIT waits for an end that comes after it, twice
// as long as an end is held.
func TestHoldOfResets(t *testing.T) {
	const at = uint64(10e9)
	p := newLingerPlay()
	reset := bpf.TraceLater{Family: unix.AF_INET, LocalPort: 1, Time: at}
	p.message(&message{kind: bpf.TraceMessageMESSAGE_RESET_TW, later: reset}, p.out)
	p.advance(ktime(at).add(hold), 0, p.out) // a reader that is quick
	p.end(bpf.TraceMessageMESSAGE_END, bpf.TraceEnd{
		Family: unix.AF_INET, LocalPort: 1, Ended: at + 1000, Flags: bpf.TraceFlagFLAG_ENDED,
		Path: states(model.Established, model.FinWait1, model.FinWait2, model.Closed),
	})
	p.advance(ktime(at).add(2*hold+time.Millisecond), 0, p.out)
	if len(p.events) != 2 || p.events[1].Kind != model.KindOutcome {
		t.Errorf("told %+v, want a teardown and its outcome", p.events)
	}
}

// TestFullTimeWaits: when there are as many TIME_WAITs as allowed, a reset of one shows
// that it was made.
func TestFullTimeWaits(t *testing.T) {
	p := newLingerPlay()
	p.end(bpf.TraceMessageMESSAGE_END, bpf.TraceEnd{
		Family: unix.AF_INET, LocalPort: 1, Ended: 10e9, Flags: bpf.TraceFlagFLAG_ENDED | bpf.TraceFlagFLAG_TW_FULL,
		Path: states(model.Established, model.FinWait1, model.FinWait2, model.Closed),
	})
	p.message(&message{kind: bpf.TraceMessageMESSAGE_RESET_TW, later: bpf.TraceLater{Family: unix.AF_INET, LocalPort: 1, Time: 11e9}}, p.out)
	p.flush(0, p.out)
	if len(p.events) != 2 {
		t.Errorf("told %+v", p.events)
	}
}

// TestResetReceivedByMinisock: the end of a server is amended: the client closed without
// reading all.
func TestResetReceivedByMinisock(t *testing.T) {
	p := newLingerPlay()
	p.end(bpf.TraceMessageMESSAGE_END, bpf.TraceEnd{
		Family: unix.AF_INET, LocalPort: 1, Ended: 10e9, Flags: bpf.TraceFlagFLAG_ENDED | bpf.TraceFlagFLAG_FIN_ACKED,
		Path: states(model.Established, model.FinWait1, model.FinWait2, model.Closed), Owner: bpf.TraceOwner{Tgid: 3}, Source: uint8(model.OwnerUse),
	})
	p.message(&message{kind: bpf.TraceMessageMESSAGE_RESET_GOT_TW, later: bpf.TraceLater{Family: unix.AF_INET, LocalPort: 1, Time: 11e9}}, p.out)
	p.flush(0, p.out)
	if len(p.events) != 2 {
		t.Fatalf("told %+v", p.events)
	}
	f := &p.events[1].Teardown.Facts
	if j := model.Classify(f); j.Cause != model.CausePeerReset || j.Initiator != model.InitiatorLocal || j.Terminator != model.Peer || j.Confidence != model.Certain {
		t.Errorf("judged %+v", j)
	}
	if f.Process.PID != 3 || !f.TCP.RST.Received.Is(true) || !f.TCP.FIN.Received.Is(false) || !f.TCP.TimeWait.Is(false) {
		t.Errorf("the outcome: %+v", f)
	}
}

// TestOwnersThatTakeTurns: most ends are of a few processes; the end of one does not get
// what is known of another with the same PID, or one that ends alike.
func TestOwnersThatTakeTurns(t *testing.T) {
	one, two := bpf.TraceOwner{Tgid: 1, Start: 1}, bpf.TraceOwner{Tgid: 2, Start: 1}
	later, executed, alike := one, one, one
	later.Start, executed.Execs, alike.Tgid = 2, 1, 1+uint32(len(latest{}))
	tr := translator{known: map[bpf.TraceOwner]*described{
		one: {executable: "/a"}, two: {executable: "/b"}, later: {executable: "/c"}, executed: {executable: "/d"}, alike: {executable: "/e"},
	}}
	for _, owner := range []bpf.TraceOwner{one, one, two, one, later, one, executed, one, alike, one} {
		if d, want := tr.knownOf(&bpf.TraceEnd{Owner: owner}), tr.known[owner]; d != want {
			t.Errorf("of %+v: %+v, want %+v", owner, d, want)
		}
	}
	unknown := bpf.TraceOwner{Tgid: 1, Start: 3}
	if d := tr.knownOf(&bpf.TraceEnd{Owner: unknown}); d != nil {
		t.Errorf("of a process that is not known: %+v", d)
	}
	tr.known[unknown] = &described{executable: "/f"}
	if d := tr.knownOf(&bpf.TraceEnd{Owner: unknown}); d == nil || d.executable != "/f" {
		t.Errorf("of a process that has become known: %+v", d)
	}
}

// TestOwnersAreRememberedWhole: what is remembered of a process is as much as was read at
// first; a process in a container, whose name may come later, is not remembered.
func TestOwnersAreRememberedWhole(t *testing.T) {
	owner := bpf.TraceOwner{Tgid: 9, Start: 5}
	var first model.Facts
	first.Process.PID = 9
	bare := first
	first.Process.Executable.Path, first.Process.CommandLine, first.Process.User.Name = "/a", "a -b", "web"
	first.Cgroup.Path, first.Systemd.Unit = "/c.slice/a.service", "a.service"
	tr := translator{owners: process.NewOwners(process.Options{Lazy: true})}
	tr.remember(&first, &owner)
	again := bare
	if tr.describe(&again, &bpf.TraceEnd{Owner: owner}); !reflect.DeepEqual(again, first) {
		t.Errorf("the second time:\n got %+v\nwant %+v", again, first)
	}
	for what, change := range map[string]func(*model.Facts, *bpf.TraceOwner){
		"in a container":        func(f *model.Facts, _ *bpf.TraceOwner) { f.Container.ID = "c" },
		"in a pod":              func(f *model.Facts, _ *bpf.TraceOwner) { f.K8s.Pod.UID = "p" },
		"in an unknown group":   func(f *model.Facts, _ *bpf.TraceOwner) { f.Cgroup.Path = "" },
		"with an unknown start": func(_ *model.Facts, o *bpf.TraceOwner) { o.Start = 0 },
	} {
		f, o, tr := first, owner, translator{}
		change(&f, &o)
		if tr.remember(&f, &o); len(tr.known) != 0 {
			t.Errorf("a process %s is remembered", what)
		}
	}
}

// TestOwnerIsMetWhenItsMessageComes: a process that exits after its last connection is
// gone when the end is delivered; its executable is reported all the same.
func TestOwnerIsMetWhenItsMessageComes(t *testing.T) {
	cmd := exec.Command("sleep", "60")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = cmd.Wait() }()
	defer func() { _ = cmd.Process.Kill() }()
	want, err := os.Readlink(fmt.Sprintf("/proc/%d/exe", cmd.Process.Pid))
	if err != nil {
		t.Fatal(err)
	}
	var stat []byte
	for !bytes.Contains(stat, []byte("(sleep)")) { // it has executed its program
		if stat, err = os.ReadFile(fmt.Sprintf("/proc/%d/stat", cmd.Process.Pid)); err != nil {
			t.Fatal(err)
		}
	}
	const startTime = 22 // proc_pid_stat(5), in hundredths of a second
	ticks, err := strconv.ParseUint(strings.Fields(string(stat))[startTime-1], 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	p := &lingerPlay{assembler: newAssembler(translator{owners: process.NewOwners(process.Options{Lazy: true})}, "s")}
	p.end(bpf.TraceMessageMESSAGE_END, bpf.TraceEnd{
		Family: unix.AF_INET, Ended: 10e9, Flags: bpf.TraceFlagFLAG_ENDED, Path: states(model.Established, model.Closed),
		Owner: bpf.TraceOwner{Tgid: uint32(cmd.Process.Pid), Start: ticks * 1e7, Comm: comm("sleep")}, Source: uint8(model.OwnerAccept),
	})
	_ = cmd.Process.Kill()
	_ = cmd.Wait()
	p.flush(0, p.out)
	if len(p.events) != 1 || p.events[0].Teardown.Process.Executable.Path != want {
		t.Errorf("told %+v, want the executable %s", p.events, want)
	}
}
