package main

import (
	"fmt"
	"os"
	"slices"
	"time"

	"github.com/cilium/ebpf"
	"golang.org/x/sys/unix"
)

// results is everything that a run measured.
type results struct {
	settings
	machine    machine
	contenders []contender
	rounds     [][]round // by contender
	timed      *round    // with the kernel's statistics
	quiet      [2]round  // the load that closes nothing: without, with closetrace
	scale      []round
	named      []named
	lists      []listing
	stalled    *round
	overrun    *round // the same for longer than the ring lasts
}

// measure runs all contenders in turns.
func (r *results) measure(all []contender) error {
	r.contenders, r.rounds = all, make([][]round, len(all))
	for n := range max(r.settings.rounds, r.peerRounds) {
		for i := range all {
			wanted := r.settings.rounds
			if all[i].command != nil && !all[i].ours {
				wanted = r.peerRounds
			}
			if n >= wanted || r.rounds[i] == nil && n > 0 {
				continue // had its rounds, or does not run here
			}
			s := r.settings
			if all[i].command != nil && !all[i].ours {
				s.length = min(s.length, s.peerLength)
			}
			one, err := s.round(&all[i], nil)
			if err != nil && all[i].command != nil && !all[i].ours {
				fmt.Fprintf(os.Stderr, "%s is left out: %v\n", all[i].name, err)
				continue
			}
			if err != nil {
				return fmt.Errorf("%s: %w", all[i].name, err)
			}
			r.rounds[i] = append(r.rounds[i], one)
			fmt.Fprintf(os.Stderr, "%d %-26s %8.0f/s  tracer %5.2f us/end  %3.0f MB  seen %.6f  lost %d %v, others %d, unexplained %d, programs skipped %d times\n", n+1, all[i].name,
				one.rate, one.perEnd(), float64(one.anon)/1e6, one.seen(&all[i]), one.kernel, one.output.losses, one.output.others,
				one.unexplained(&all[i]), one.skipped())
			time.Sleep(time.Second) // the kernel takes the namespace apart
		}
	}
	return nil
}

// perEnd is the tracer's processor time for each connection end, in microseconds.
func (r *round) perEnd() float64 { return r.tracerCPU / float64(2*r.load.Connections) * 1e6 }

// perConnection is the generator's processor time for each connection.
func (r *round) perConnection() float64 { return r.load.CPU / float64(r.load.Connections) * 1e6 }

// measureExtras measures what needs a round of its own.
func (r *results) measureExtras() error {
	own := &closetraces(&r.settings)[1]
	if err := r.measurePrograms(own); err != nil {
		return err
	}
	if err := r.measureScale(); err != nil {
		return err
	}
	quiet := r.settings
	quiet.mode, quiet.length = "syscalls", min(r.length, 5*time.Second)
	for i, c := range []*contender{{name: "none"}, own} {
		var err error
		if r.quiet[i], err = quiet.round(c, nil); err != nil {
			return fmt.Errorf("a load that closes nothing: %w", err)
		}
	}
	err := r.measureLists()
	if err != nil || r.stall == 0 {
		return err
	}
	if r.stalled, err = r.measureStall(r.stall, 5000, 32); err != nil {
		return err
	}
	r.overrun, err = r.measureStall(r.stall, 5000, 4)
	return err
}

// measurePrograms runs a round with the kernel's clock on the programs.
func (r *results) measurePrograms(own *contender) error {
	stats, err := ebpf.EnableStats(unix.BPF_STATS_RUN_TIME)
	if err != nil {
		return fmt.Errorf("enable BPF statistics: %w", err)
	}
	defer stats.Close()
	short := r.settings
	short.length = min(r.length, 5*time.Second)
	one, err := short.round(own, nil)
	r.timed = &one
	return err
}

// scales are what the cost of a connection should not depend on.
var scales = []struct {
	open   int
	length time.Duration
}{{10, 30 * time.Millisecond}, {10, time.Second}, {10, 20 * time.Second}, {200_000, 5 * time.Second}}

// measureScale runs rounds of few and many connections, with few and many open.
func (r *results) measureScale() error {
	stats, err := ebpf.EnableStats(unix.BPF_STATS_RUN_TIME)
	if err != nil {
		return fmt.Errorf("enable BPF statistics: %w", err)
	}
	defer stats.Close()
	for _, scale := range scales {
		s := r.settings
		s.open, s.length = scale.open, scale.length
		one, err := s.round(&closetraces(&s)[1], nil)
		if err != nil {
			return fmt.Errorf("with %d open connections: %w", scale.open, err)
		}
		r.scale = append(r.scale, one)
	}
	return nil
}

// measureStall stops the reader for a time, at a rate of connections a second.
func (r *results) measureStall(stall time.Duration, rate float64, ring int) (*round, error) {
	s := r.settings
	s.rate, s.length, s.ring = rate, stall+2*time.Second, ring
	one, err := s.round(&closetraces(&s)[1], func(t *tracer) {
		time.Sleep(time.Second)
		_ = t.process.Process.Signal(unix.SIGSTOP)
		time.Sleep(stall)
		_ = t.process.Process.Signal(unix.SIGCONT)
	})
	return &one, err
}

// median of what pick takes of each round.
func median(rounds []round, pick func(*round) float64) float64 {
	if len(rounds) == 0 {
		return 0
	}
	values := make([]float64, len(rounds))
	for i := range rounds {
		values[i] = pick(&rounds[i])
	}
	slices.Sort(values)
	n := len(values)
	return (values[(n-1)/2] + values[n/2]) / 2
}

// spread is the lowest and the highest.
func spread(rounds []round, pick func(*round) float64) (low, high float64) {
	values := make([]float64, len(rounds))
	for i := range rounds {
		values[i] = pick(&rounds[i])
	}
	return slices.Min(values), slices.Max(values)
}
