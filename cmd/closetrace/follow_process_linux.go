package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// runningProcess is a process that was there before the trace. The kernel marks
// what it starts (tracer.Options.PID).
type runningProcess struct {
	descriptor    int // pidfd: readable when the process has ended
	wake, stopped *os.File
}

// followProcess narrows the trace to the process of --pid and what it starts.
func followProcess(flags *traceFlags) (*followed, error) {
	pid := int(flags.pid)
	descriptor, err := unix.PidfdOpen(pid, 0)
	switch {
	case errors.Is(err, unix.ESRCH), errors.Is(err, unix.EINVAL):
		return nil, usage("--pid: no process has the number %d", pid)
	case err != nil:
		return nil, fmt.Errorf("follow process %d: %w", pid, err)
	}
	p := &runningProcess{descriptor: descriptor}
	if p.wake, p.stopped, err = os.Pipe(); err != nil {
		return nil, errors.Join(fmt.Errorf("follow process %d: %w", pid, err), unix.Close(descriptor))
	}
	name, _ := os.ReadFile(fmt.Sprintf("/proc/%d/comm", pid))
	flags.family, flags.pid = flags.pid, 0
	flags.follow = &followed{name: fmt.Sprintf("%s[%d]", strings.TrimSuffix(string(name), "\n"), pid), process: p}
	return flags.follow, nil
}

// wait returns how the process ended, or nothing if it is no longer followed.
func (p *runningProcess) wait() (string, error) {
	events := []unix.PollFd{{Fd: int32(p.descriptor), Events: unix.POLLIN}, {Fd: int32(p.wake.Fd()), Events: unix.POLLIN}}
	for {
		_, err := unix.Poll(events, -1)
		switch {
		case errors.Is(err, unix.EINTR):
		case err != nil:
			return "", fmt.Errorf("wait for it to end: %w", err)
		case events[0].Revents != 0:
			return "ended", nil
		default:
			return "", nil
		}
	}
}

// processPatience is how long to wait for connections that a process leaves behind. They
// can't be counted, unlike those of a control group.
const processPatience = time.Second

func (p *runningProcess) settle(ctx context.Context) {
	select {
	case <-ctx.Done():
	case <-time.After(processPatience):
	}
}

// close ends wait. The process is left alone.
func (p *runningProcess) close() error {
	return p.stopped.Close()
}
