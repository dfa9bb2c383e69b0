package model

import (
	"fmt"
	"strconv"
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
		return spaced("killed: "+SignalName(c.Signal), other)
	case c.Call == CallExit && other != "":
		return "exit of " + other
	case c.Call == CallExit:
		return "exit"
	case c.Call != CallUnknown && c.Call != CallDestroy && other != "":
		return "closed by " + other
	}
	return ""
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
