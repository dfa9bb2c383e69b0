//go:build unix

package main

import (
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// onLostTerminal calls lost when the terminal is gone: a program that ignores SIGHUP, or
// is not in a job of its shell, gets no signal then. The returned function ends the
// watch.
func onLostTerminal(terminal any, lost func()) (stop func()) {
	file, ok := terminal.(*os.File)
	if !ok {
		return func() {}
	}
	done, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		ticker := time.NewTicker(250 * time.Millisecond)
		defer ticker.Stop()
		for {
			select {
			case <-done:
				return
			case <-ticker.C:
			}
			state := []unix.PollFd{{Fd: int32(file.Fd())}} // no events are asked for: errors and hang-up are always reported
			if n, err := unix.Poll(state, 0); err == nil && n > 0 {
				lost()
				return
			}
		}
	}()
	return func() { close(done); <-ended }
}
