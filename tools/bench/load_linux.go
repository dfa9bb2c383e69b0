package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"runtime"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// load is what the generator does, and then what it did.
type load struct {
	Mode    string  `json:"mode"`
	Workers int     `json:"workers"`
	Open    int     `json:"open"`    // idle connections beside it
	Seconds float64 `json:"seconds"` // wall-clock time it took
	// Connections were opened and closed on both sides: two ends each. In mode
	// syscalls they are rounds of five system calls that close nothing.
	Connections uint64 `json:"connections"`
	// CPU is the processor time of this process, the kernel's part included.
	CPU float64 `json:"cpu"`
}

// serve is the command "load". It prints a line when it is ready, begins when a
// line comes, prints what it did and ends with its standard input.
func (l *load) serve(rate float64) error {
	if err := loopbackUp(); err != nil {
		return err
	}
	idle, err := openIdle(l.Open)
	if err != nil {
		return err
	}
	fmt.Println("ready")
	commands := bufio.NewScanner(os.Stdin)
	commands.Scan()
	if err := l.run(rate); err != nil {
		return err
	}
	if err := json.NewEncoder(os.Stdout).Encode(l); err != nil {
		return err
	}
	commands.Scan()
	return idle.Close()
}

// run opens and closes connections for a time, as fast as it can, or up to
// rate connections a second in all workers together.
func (l *load) run(rate float64) error {
	counts := make([]uint64, l.Workers)
	errs := make([]error, l.Workers)
	var before, after unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_SELF, &before); err != nil {
		return err
	}
	began := time.Now()
	until := began.Add(time.Duration(l.Seconds * 1e9))
	var wait sync.WaitGroup
	for i := range l.Workers {
		wait.Go(func() {
			runtime.LockOSThread() // blocking system calls, as a simple server has them
			defer runtime.UnlockOSThread()
			counts[i], errs[i] = work(l.Mode, i, until, rate/float64(l.Workers))
		})
	}
	wait.Wait()
	l.Seconds = time.Since(began).Seconds()
	if err := unix.Getrusage(unix.RUSAGE_SELF, &after); err != nil {
		return err
	}
	l.CPU = cpuSeconds(&after) - cpuSeconds(&before)
	for i := range l.Workers {
		if errs[i] != nil {
			return errs[i]
		}
		l.Connections += counts[i]
	}
	return nil
}

func cpuSeconds(u *unix.Rusage) float64 {
	return time.Duration(u.Utime.Nano() + u.Stime.Nano()).Seconds()
}

// work is one worker: both ends of its connections, one after the other.
func work(mode string, worker int, until time.Time, rate float64) (uint64, error) {
	server := &unix.SockaddrInet4{Addr: [4]byte{127, 255, 0, byte(worker + 1)}, Port: 9}
	listener, err := listen(server)
	if err != nil {
		return 0, err
	}
	defer unix.Close(listener)
	if mode == "syscalls" {
		return workSyscalls(listener, server, worker, until)
	}
	end := modes[mode]
	if end == nil {
		return 0, fmt.Errorf("unknown mode %q", mode)
	}
	began := time.Now()
	var n uint64
	for ; time.Now().Before(until); n++ {
		if rate > 0 {
			pace(began, n, rate)
		}
		client, accepted, err := connection(listener, server, worker, n)
		if err != nil {
			return n, err
		}
		if err := exchange(client, accepted); err != nil {
			return n, err
		}
		if err := end(client, accepted, n); err != nil {
			return n, err
		}
	}
	return n, nil
}

// pace waits until connection n is due.
func pace(began time.Time, n uint64, rate float64) {
	due := began.Add(time.Duration(float64(n) / rate * 1e9))
	if d := time.Until(due); d > 0 {
		ts := unix.NsecToTimespec(int64(d))
		_ = unix.Nanosleep(&ts, nil) // interrupted: the next one waits for longer
	}
}

// workSyscalls closes nothing: system calls, and traffic on one connection. A
// tracer of ends should cost it nothing.
func workSyscalls(listener int, server *unix.SockaddrInet4, worker int, until time.Time) (uint64, error) {
	client, accepted, err := connection(listener, server, worker, 0)
	if err != nil {
		return 0, err
	}
	defer unix.Close(client)
	defer unix.Close(accepted)
	var n uint64
	for ; time.Now().Before(until); n++ {
		unix.Getppid()
		if err := exchange(client, accepted); err != nil {
			return n, err
		}
	}
	return n, nil
}
