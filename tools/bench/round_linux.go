package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"time"

	"golang.org/x/sys/unix"
)

// round is what was measured of one contender in one go.
type round struct {
	load load
	// rate is connections a second until the generator was done and the last
	// line was written.
	rate      float64
	tracerCPU float64       // seconds, from when it was live to its end
	anon      uint64        // bytes
	startUp   time.Duration // 0: not measured
	startCPU  time.Duration
	output    output
	kernel    uint64 // losses that the kernel counted, closetrace only
	programs  []program
	before    []program // the same, before the load
}

// generator is a process that makes load in a namespace of its own.
type generator struct {
	process *exec.Cmd
	in      io.WriteCloser
	out     *bufio.Scanner
}

func (s *settings) startGenerator() (*generator, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	return startHelper(exec.Command(self, "load", "-mode", s.mode,
		"-workers", strconv.Itoa(s.workers), "-open", strconv.Itoa(s.open),
		"-seconds", fmt.Sprint(s.length.Seconds()), "-rate", fmt.Sprint(s.rate)), unix.CLONE_NEWNET)
}

// startHelper starts a process of this program and waits for its first line.
func startHelper(process *exec.Cmd, namespaces uintptr) (g *generator, err error) {
	g = &generator{process: process}
	process.SysProcAttr = &unix.SysProcAttr{Cloneflags: namespaces, Pdeathsig: unix.SIGKILL}
	process.Stderr = os.Stderr
	if g.in, err = process.StdinPipe(); err != nil {
		return nil, err
	}
	out, err := process.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := process.Start(); err != nil {
		return nil, fmt.Errorf("start generator: %w", err)
	}
	g.out = bufio.NewScanner(out)
	if !g.out.Scan() {
		return nil, errors.Join(errors.New("the generator is not ready"), process.Wait())
	}
	return g, nil
}

// run makes the load and returns when it is made.
func (g *generator) run() (l load, err error) {
	if _, err := io.WriteString(g.in, "go\n"); err != nil {
		return l, fmt.Errorf("begin the load: %w", err)
	}
	if !g.out.Scan() {
		return l, errors.New("the generator failed")
	}
	return l, json.Unmarshal(g.out.Bytes(), &l)
}

func (g *generator) Close() error {
	return errors.Join(g.in.Close(), g.process.Wait())
}

// round measures c once. during, if set, runs beside the load.
func (s *settings) round(c *contender, during func(*tracer)) (r round, err error) {
	g, err := s.startGenerator()
	if err != nil {
		return r, err
	}
	defer func() { err = errors.Join(err, g.Close()) }()
	if c.command == nil {
		r.load, err = g.run()
		r.rate = float64(r.load.Connections) / r.load.Seconds
		return r, err
	}
	t, err := c.begin(s, g.process.Process.Pid)
	if err != nil {
		return r, err
	}
	defer func() {
		_ = os.Remove(t.path) // the screen has none
		err = errors.Join(err, s.reserve.fill())
	}()
	if err := r.under(t, g, during); err != nil {
		return r, errors.Join(err, t.end())
	}
	made := time.Now()
	wrote, err := t.finish()
	if err != nil {
		return r, err
	}
	r.rate = float64(r.load.Connections) / (r.load.Seconds + wrote.Sub(made).Seconds())
	state := t.process.ProcessState
	r.tracerCPU = (state.UserTime() + state.SystemTime() - t.startCPU).Seconds()
	r.anon, r.startUp, r.startCPU = t.anon, t.startUp, t.startCPU
	if !c.terminal && !c.discards {
		r.output, err = c.readOutput(t.path)
	}
	return r, err
}

// under makes the load under t and reads what the kernel knows of it.
func (r *round) under(t *tracer, g *generator, during func(*tracer)) (err error) {
	if t.ours {
		if r.before, err = programsOf(t.process.Process.Pid); err != nil {
			return err
		}
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		if during != nil {
			during(t)
		}
	}()
	r.load, err = g.run()
	<-done
	if err != nil || !t.ours {
		return err
	}
	if r.programs, err = programsOf(t.process.Process.Pid); err != nil {
		return err
	}
	r.kernel, err = lossesOf(t.process.Process.Pid)
	return err
}

// unexplained is how many ends c reported neither as seen nor as lost. Only a
// recording can be held to that.
func (r *round) unexplained(c *contender) int64 {
	if !c.accounts() {
		return 0
	}
	return int64(2*r.load.Connections) - int64(r.output.ends) - int64(r.output.lost())
}

// skipped is how often the kernel did not run a program because it interrupted
// itself; a copy of it has run then, see copy_did in bpf/maps.h.
func (r *round) skipped() (times uint64) {
	for _, p := range r.programs {
		times += p.misses
	}
	return times
}

// seen is the share of the ends that c reported.
func (r *round) seen(c *contender) float64 {
	if c.ours && !c.accounts() { // what the kernel handed over
		return 1 - float64(r.kernel)/c.expected(&r.load)
	}
	return float64(r.output.ends) / c.expected(&r.load)
}
