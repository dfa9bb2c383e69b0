package model

import (
	"testing"
	"time"
)

// TestHowAnEndWasClosed: the owner's own close() is not worth a note, and what somebody else
// did, a signal or an exit is.
func TestHowAnEndWasClosed(t *testing.T) {
	own, other, unknown := Process{PID: 7}, Closer{PID: 8, Name: "sh"}, Process{}
	told := Signalled{Number: 15, PID: 1, Name: "init"}
	with := func(c Closer, call Call, signal int) Closer {
		c.Call, c.Signal = call, signal
		return c
	}
	self := Closer{PID: 7, Name: "nginx"}
	killed := with(self, CallExit, 9)
	killed.OOM = Some(true)
	spared := with(self, CallExit, 9)
	spared.OOM = Some(false)
	for _, c := range []struct {
		what       string
		facts      Facts
		note, call string
	}{
		{"nothing seen", Facts{Process: own}, "", ""},
		{"its own close", Facts{Process: own, Closer: with(self, CallClose, 0)}, "", "close() called"},
		{"its own shutdown", Facts{Process: own, Closer: with(self, CallShutdown, 0)}, "", "shutdown() called"},
		{"another's close", Facts{Process: own, Closer: with(other, CallClose, 0)}, "closed by sh[8]", "close() called by sh[8]"},
		{"another's shutdown", Facts{Process: own, Closer: with(other, CallShutdown, 0)}, "closed by sh[8]", "shutdown() called by sh[8]"},
		{"another's disconnect", Facts{Process: own, Closer: with(other, CallDisconnect, 0)}, "closed by sh[8]", "connect(AF_UNSPEC) called by sh[8]"},
		{"another, and no call", Facts{Process: own, Closer: other}, "", ""},
		{"another ended the listener", waitingIn(Facts{Process: own, Closer: other}), "listener closed by sh[8]", ""},
		{"an administrator", Facts{Process: own, Closer: with(other, CallDestroy, 0)}, "", "an administrator destroyed the socket"},
		{"close, and the owner is unknown", Facts{Process: unknown, Closer: with(other, CallClose, 0)}, "", "close() called"},
		{"close, and the closer is unknown", Facts{Process: own, Closer: with(Closer{}, CallClose, 0)}, "", "close() called"},
		{"exit", Facts{Process: own, Closer: with(self, CallExit, 0)}, "exit", "the process exited"},
		{"another's exit", Facts{Process: own, Closer: with(other, CallExit, 0)}, "exit of sh[8]", "sh[8] exited"},
		{"a signal", Facts{Process: own, Closer: with(self, CallExit, 11)}, "exit signal 11 (SIGSEGV)", "the process was killed by SIGSEGV"},
		{"another's signal", Facts{Process: own, Closer: with(other, CallExit, 15)}, "exit signal 15 (SIGTERM) sh[8]", "sh[8] was killed by SIGTERM"},
		{"a signal of somebody", Facts{Process: own, Closer: with(self, CallExit, 15), Signalled: told}, "exit signal 15 (SIGTERM) from init[1]", "the process was killed by SIGTERM"},
		{"another signal than he sent", Facts{Process: own, Closer: with(self, CallExit, 9), Signalled: told}, "exit signal 9 (SIGKILL)", "the process was killed by SIGKILL"},
		{"the OOM killer", Facts{Process: own, Closer: killed}, "exit signal 9 (SIGKILL), OOM killer", "the process was killed by SIGKILL"},
		{"not the OOM killer", Facts{Process: own, Closer: spared}, "exit signal 9 (SIGKILL)", "the process was killed by SIGKILL"},
		{"told, and closed", Facts{Process: own, Closer: with(self, CallClose, 0), Signalled: told}, "told SIGTERM by init[1]", "close() called"},
		{"told, and shut down", Facts{Process: own, Closer: with(self, CallShutdown, 0), Signalled: told}, "told SIGTERM by init[1]", "shutdown() called"},
		{"told, and destroyed", Facts{Process: own, Closer: with(self, CallDestroy, 0), Signalled: told}, "", "an administrator destroyed the socket"},
		{"told by a timer", Facts{Process: own, Closer: with(self, CallClose, 0), Signalled: Signalled{Number: 14}}, "told SIGALRM by the kernel", "close() called"},
	} {
		if got := c.facts.CloseNote(); got != c.note {
			t.Errorf("%s: got note %q, want %q", c.what, got, c.note)
		}
		if got := c.facts.CloseCall(); got != c.call {
			t.Errorf("%s: got %q, want %q", c.what, got, c.call)
		}
	}
}

// waitingIn makes f that of a connection that nobody had accepted.
func waitingIn(f Facts) Facts {
	f.Evidence.Owned, f.Evidence.Dead, f.Evidence.Descriptor = Some(false), Some(false), HolderNone
	f.TCP.Path.Append(Established)
	f.TCP.Path.Append(Closed)
	return f
}

func TestPeerNote(t *testing.T) {
	client := PeerProcess{PID: 9, Name: "curl"}
	pod := client
	pod.K8s.Namespace.Name, pod.K8s.Pod.Name = "shop", "cart-0"
	reset := func(by Terminator, cause Cause) Judgement {
		return Judgement{Cause: CausePeerReset, Terminator: by, PeerCause: cause}
	}
	for _, c := range []struct {
		what string
		peer PeerProcess
		as   Judgement
		want string
	}{
		{"nobody is known", PeerProcess{}, reset(Peer, CauseUnreadData), ""},
		{"it closed", client, Judgement{Cause: CauseFIN, Terminator: Peer, PeerCause: CauseFIN}, "peer curl[9]"},
		{"in a pod", pod, Judgement{Cause: CauseFIN}, "peer curl[9] in shop/cart-0"},
		{"only a name", PeerProcess{Name: "curl"}, Judgement{Cause: CauseFIN}, "peer curl[0]"},
		{"only a number", PeerProcess{PID: 9}, Judgement{Cause: CauseFIN}, "peer [9]"},
		{"it reset", client, reset(Peer, CauseUnreadData), "reset by curl[9]: unread-data"},
		{"it had closed", client, reset(Peer, CauseFIN), "reset by the host of curl[9], which had closed"},
		{"it reset, why is unknown", client, reset(Peer, CauseUnknown), "peer curl[9]"},
		{"somebody else's reset", client, reset(LocalKernel, CauseUnreadData), "peer curl[9]"},
		{"another cause", client, Judgement{Cause: CauseUnreadData, Terminator: Peer, PeerCause: CausePeerReset}, "peer curl[9]"},
		{"reset between them", client, reset(NetworkPath, CauseUnknown), "reset while the other end was open curl[9]"},
		{"reset between them, and it had closed", client, reset(NetworkPath, CauseFIN), "reset by neither end after it was closed by curl[9]"},
		{"reset between them, nobody is known", PeerProcess{}, reset(NetworkPath, CauseUnknown), "reset while the other end was open"},
		{"no reset, by the network", client, Judgement{Cause: CauseUnreachable, Terminator: NetworkPath}, "peer curl[9]"},
	} {
		end := Teardown{Judgement: c.as}
		end.PeerProcess = c.peer
		if got := end.PeerNote(); got != c.want {
			t.Errorf("%s: got %q, want %q", c.what, got, c.want)
		}
	}
}

func TestPlaceName(t *testing.T) {
	var k K8s
	if got := PlaceName(&k, &Container{ID: "0123456789abcdef"}); got != "0123456789ab" {
		t.Errorf("of an ID: got %q, want its first 12 digits", got)
	}
	if got := PlaceName(&k, &Container{ID: "0123"}); got != "0123" {
		t.Errorf("of a short ID: got %q", got)
	}
	if got := PlaceName(&k, &Container{ID: "0123456789abcdef", Name: "db"}); got != "db" {
		t.Errorf("got %q, want the name", got)
	}
	k.Pod.Name, k.Namespace.Name = "cart-0", "shop"
	if got := PlaceName(&k, &Container{Name: "db"}); got != "shop/cart-0" {
		t.Errorf("got %q, want the pod", got)
	}
}

// TestTimesWorthAWord: a half-close of 100 ms, or half a second of silence, is.
func TestTimesWorthAWord(t *testing.T) {
	const begin = Time(1e18)
	for _, c := range []struct {
		first, closed Time
		want          time.Duration
	}{
		{0, begin, 0},
		{begin, 0, 0},
		{begin, begin.Add(100*time.Millisecond - 1), 0},
		{begin, begin.Add(100 * time.Millisecond), 100 * time.Millisecond},
		{begin, begin.Add(-time.Second), 0},
	} {
		f := Facts{Evidence: Evidence{FirstFIN: c.first, CloseTime: c.closed}}
		if got := f.HalfClosed(); got != c.want {
			t.Errorf("first FIN %d, closed %d: half-closed for %v, want %v", c.first, c.closed, got, c.want)
		}
	}
	for idle, want := range map[time.Duration]time.Duration{0: 0, 500*time.Millisecond - 1: 0, 500 * time.Millisecond: 500 * time.Millisecond} {
		f := Facts{TCP: TCP{Idle: Some(idle)}}
		if got := f.WasIdle(); got != want {
			t.Errorf("idle for %v: got %v, want %v", idle, got, want)
		}
	}
}

func TestSignalName(t *testing.T) {
	for n, want := range map[int]string{-1: "signal -1", 0: "signal 0", 1: "SIGHUP", 9: "SIGKILL", 15: "SIGTERM", 17: "SIGCHLD", 31: "SIGSYS", 32: "signal 32"} {
		if got := SignalName(n); got != want {
			t.Errorf("%d: got %s, want %s", n, got, want)
		}
	}
}
