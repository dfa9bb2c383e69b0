package session

import (
	"context"
	"os"
	"os/signal"
	"syscall"
	"time"
)

// twice is how long a second signal is the first one again: timeout(1) sends it to the
// program and to the program's group.
const twice = 200 * time.Millisecond

// stopBySignal cancels when a signal asks for the end. A second SIGINT or SIGTERM
// ends the program at once. A second SIGHUP does nothing until the program has
// ended: a terminal that is lost sends one, and the shell another.
func (s *Session) stopBySignal(cancel context.CancelCauseFunc) (stop func()) {
	signals, hangups := make(chan os.Signal, 1), make(chan os.Signal, 1)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	if !signal.Ignored(syscall.SIGHUP) { // nohup wants the trace to outlive the terminal
		signal.Notify(hangups, syscall.SIGHUP)
	}
	done := make(chan struct{})
	go func() {
		defer time.AfterFunc(twice, func() { signal.Stop(signals) })
		for {
			select {
			case <-hangups:
				if s.Hangup != nil && s.Hangup() {
					continue
				}
				cancel(Reason("signal"))
			case <-signals:
				cancel(Reason("signal"))
			case <-done:
			}
			return
		}
	}()
	return func() { close(done) }
}
