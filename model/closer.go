package model

import (
	"cmp"
	"fmt"
	"strconv"
	"time"
)

// CloseNote says how this side was closed where that is worth a word: by an exit, by
// a signal, or by another process than the owner. It is empty for the owner's own
// close() or shutdown(), and where no call was seen. Names in it are as the
// system gave them: escape them.
func (f *Facts) CloseNote() string {
	c := &f.Closer
	other := ""
	if c.PID != 0 && f.Process.PID != 0 && c.PID != f.Process.PID {
		other = fmt.Sprintf("%s[%d]", c.Name, c.PID)
	}
	switch {
	case c.Signal != 0:
		note := spaced(fmt.Sprintf("exit signal %d (%s)", c.Signal, SignalName(c.Signal)), other)
		switch {
		case c.OOM.Is(true):
			note += ", OOM killer"
		case f.Signalled.Number == c.Signal:
			note += " from " + f.Signalled.Sender()
		}
		return note
	case c.Call == CallExit && other != "":
		return "exit of " + other
	case c.Call == CallExit:
		return "exit"
	case c.Call != CallUnknown && c.Call != CallDestroy && other != "":
		return "closed by " + other
	case c.Call == CallUnknown && other != "" && neverAccepted(raw{f, f.TCP.Path.Last()}):
		return "listener closed by " + other // by ss -K, for one
	case f.Signalled.Number != 0 && (c.Call == CallClose || c.Call == CallShutdown):
		return "told " + SignalName(f.Signalled.Number) + " by " + f.Signalled.Sender()
	}
	return ""
}

// Sender names who sent the signal, for people.
func (s *Signalled) Sender() string {
	if s.PID == 0 {
		return "the kernel" // a timer of the process, its terminal, the OOM killer
	}
	return fmt.Sprintf("%s[%d]", s.Name, s.PID)
}

// PeerNote names the process at the other end where that is on this host, and says what
// it did if it reset the connection; of a reset that it did not send it says so. It is
// empty where the other end is not known. Names in it are as the system gave them.
func (t *Teardown) PeerNote() string {
	peer := ""
	if p := t.PeerProcess; p.PID != 0 || p.Name != "" {
		peer = fmt.Sprintf("%s[%d]", p.Name, p.PID)
		if where := PlaceName(&p.K8s, &p.Container); where != "" {
			peer += " in " + where
		}
	}
	switch {
	case t.Cause == CausePeerReset && t.Terminator == NetworkPath && t.otherEndClosed():
		return spaced("reset by neither end after it was closed by", peer)
	case t.Cause == CausePeerReset && t.Terminator == NetworkPath:
		return spaced("reset while the other end was open", peer)
	case peer == "":
		return ""
	case t.Cause == CausePeerReset && t.Terminator == Peer && t.PeerCause == CauseFIN:
		return "reset by the host of " + peer + ", which had closed"
	case t.Cause == CausePeerReset && t.Terminator == Peer && t.PeerCause != CauseUnknown:
		return fmt.Sprintf("reset by %s: %s", peer, t.PeerCause)
	default:
		return "peer " + peer
	}
}

// otherEndClosed: it ended before, by FIN.
func (t *Teardown) otherEndClosed() bool { return t.PeerCause == CauseFIN && !t.Evidence.PeerOpen }

// PlaceName is NAMESPACE/POD, or the container's name or short ID.
func PlaceName(k *K8s, c *Container) string {
	if k.Pod.Name != "" {
		return k.Namespace.Name + "/" + k.Pod.Name
	}
	return cmp.Or(c.Name, ShortContainerID(c.ID))
}

// ShortContainerID returns the first 12 digits, which container tools show.
func ShortContainerID(id string) string { return id[:min(len(id), 12)] }

// halfClosedLeast is how long a half-close lasts that is worth a word, idleLeast the same
// of idleness.
const (
	halfClosedLeast = 100 * time.Millisecond
	idleLeast       = 500 * time.Millisecond
)

// HalfClosed returns for how long only one side had sent its FIN when this side was
// closed, if that was long; 0 otherwise.
func (f *Facts) HalfClosed() time.Duration {
	e := &f.Evidence
	if e.FirstFIN == 0 || e.CloseTime == 0 {
		return 0
	}
	if d := e.CloseTime.Sub(e.FirstFIN); d >= halfClosedLeast {
		return d
	}
	return 0
}

// WasIdle returns for how long nothing had been said when this end began to close, if
// that was long; 0 otherwise.
func (f *Facts) WasIdle() time.Duration {
	if d := f.TCP.Idle.Or(0); d >= idleLeast {
		return d
	}
	return 0
}

// CloseCall says in words which call or event closed this side, and of which process
// if it was not the owner; it is empty where none was seen. Names in it are as the
// system gave them.
func (f *Facts) CloseCall() string {
	c := &f.Closer
	who, by := "the process", ""
	if c.PID != 0 && f.Process.PID != 0 && c.PID != f.Process.PID {
		who = fmt.Sprintf("%s[%d]", c.Name, c.PID)
		by = " by " + who
	}
	switch c.Call {
	case CallClose:
		return "close() called" + by
	case CallShutdown:
		return "shutdown() called" + by
	case CallExit:
		if c.Signal != 0 {
			return who + " was killed by " + SignalName(c.Signal)
		}
		return who + " exited"
	case CallDisconnect:
		return "connect(AF_UNSPEC) called" + by
	case CallDestroy:
		return "an administrator destroyed the socket"
	case CallUnknown:
	}
	return ""
}

func spaced(a, b string) string {
	if b == "" {
		return a
	}
	return a + " " + b
}

// signalNames are those of Linux on x86 and ARM (signal(7)); recordings are read on any system.
var signalNames = [...]string{
	1: "SIGHUP", "SIGINT", "SIGQUIT", "SIGILL", "SIGTRAP", "SIGABRT", "SIGBUS", "SIGFPE", "SIGKILL", "SIGUSR1", "SIGSEGV",
	"SIGUSR2", "SIGPIPE", "SIGALRM", "SIGTERM", "SIGSTKFLT", "SIGCHLD", "SIGCONT", "SIGSTOP", "SIGTSTP", "SIGTTIN", "SIGTTOU",
	"SIGURG", "SIGXCPU", "SIGXFSZ", "SIGVTALRM", "SIGPROF", "SIGWINCH", "SIGIO", "SIGPWR", "SIGSYS",
}

// SignalName returns the name of a signal of Linux, or "signal 34" where it has none.
func SignalName(n int) string {
	if n > 0 && n < len(signalNames) {
		return signalNames[n]
	}
	return "signal " + strconv.Itoa(n)
}
