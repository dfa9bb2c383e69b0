package tui

import (
	"errors"
	"io"
	"os"
	"os/signal"
	"time"
	"unsafe"

	tea "charm.land/bubbletea/v2"
	"golang.org/x/sys/unix"
)

// aside is what happens while the terminal is not ours: the process stops; or another
// process stopped it (SIGSTOP) and then used the terminal, so that it only takes the
// terminal back.
type aside struct {
	signals chan os.Signal // those that [asides] has read
	stop    bool
}

const (
	stopPatience     = 500 * time.Millisecond // for the kernel to stop us
	rendererPatience = 100 * time.Millisecond
)

// errNobody says that ctrl-z would stop for ever, or is ignored by the kernel: a terminal
// does not stop an orphaned process group, one without a parent in its session
// (is_current_pgrp_orphaned in kernel/exit.c).
var errNobody = errors.New("not suspended: no shell is here that could continue closetrace")

// SetStdin, SetStdout and SetStderr implement [tea.ExecCommand].
func (aside) SetStdin(io.Reader)  {}
func (aside) SetStdout(io.Writer) {}
func (aside) SetStderr(io.Writer) {}

// Run implements [tea.ExecCommand].
func (a aside) Run() error {
	if !a.stop {
		// Unless it has time to end, the last frame's goroutine stops the ticker that the
		// next one starts (startRenderer in bubbletea 2.0.9).
		<-time.After(rendererPatience)
		return nil
	}
	handler, err := setSigaction(unix.SIGTSTP, sigaction{})
	if err != nil {
		return err
	}
	defer func() { _, _ = setSigaction(unix.SIGTSTP, handler) }()
	signal.Reset(unix.SIGCONT)
	defer signal.Notify(a.signals, unix.SIGCONT)
	continued := make(chan os.Signal, 1)
	signal.Notify(continued, unix.SIGCONT)
	defer signal.Stop(continued)
	if err := unix.Kill(0, unix.SIGTSTP); err != nil {
		return err
	}
	for range 2 { // when it goes on, the time is up, too
		select {
		case <-continued:
			return nil
		case <-time.After(stopPatience):
		}
	}
	return errNobody
}

// sigaction is what a signal does, as the kernel takes it (struct sigaction and more); the
// zero value is SIG_DFL.
type sigaction [8]uint64

// setSigaction does what [signal.Reset] does not for SIGTSTP: the runtime's handler stays and
// swallows the signal (runtime.sigdisable, Go 1.26).
func setSigaction(sig unix.Signal, to sigaction) (was sigaction, err error) {
	_, _, e := unix.RawSyscall6(unix.SYS_RT_SIGACTION, uintptr(sig),
		uintptr(unsafe.Pointer(&to)), uintptr(unsafe.Pointer(&was)), unsafe.Sizeof(to[0]), 0, 0)
	if e != 0 {
		return was, e
	}
	return was, nil
}

// suspend stops this process and those of its group, as the terminal's ctrl-z does.
func (s *screen) suspend() tea.Cmd {
	if session, err := unix.Getsid(0); err != nil || session == os.Getpid() {
		return func() tea.Msg { return doneMsg{err: errNobody} }
	}
	return s.goAside(true)
}

func (s *screen) goAside(stop bool) tea.Cmd {
	return tea.Exec(aside{s.signals, stop}, func(err error) tea.Msg { return backMsg{err: err} })
}

// asides passes signals to the screen, until the returned function is called.
func (s *screen) asides(p *tea.Program) (done func()) {
	s.signals = make(chan os.Signal, 1)
	signal.Notify(s.signals, unix.SIGTSTP, unix.SIGCONT)
	passed := make(chan struct{})
	go func() {
		defer close(passed)
		for sig := range s.signals {
			p.Send(asideMsg{stop: sig == unix.SIGTSTP})
		}
	}()
	return func() {
		signal.Stop(s.signals)
		close(s.signals)
		<-passed
	}
}
