package main

import (
	"bufio"
	"cmp"
	"fmt"
	"slices"
)

func (r *results) programTable(out *bufio.Writer) {
	if r.timed == nil {
		return
	}
	connections := float64(r.timed.load.Connections)
	out.WriteString("\n| BPF program | runs per connection | ns per run | µs per connection |\n|---|--:|--:|--:|\n")
	programs := slices.Clone(r.timed.programs)
	slices.SortFunc(programs, func(a, b program) int { return cmp.Compare(b.ns, a.ns) })
	var total float64
	seen := map[string]bool{}
	for _, p := range programs {
		if p.runs == 0 {
			continue
		}
		if seen[p.name] {
			p.name += " (copy)"
		}
		seen[p.name] = true
		us := float64(p.ns) / connections / 1000
		total += us
		fmt.Fprintf(out, "| %s | %.2f | %.0f | %.2f |\n", p.name, float64(p.runs)/connections, float64(p.ns)/float64(p.runs), us)
	}
	fmt.Fprintf(out, "| together | | | %.2f |\n", total)
}

func (r *results) scaleTable(out *bufio.Writer) {
	if len(r.scale) == 0 {
		return
	}
	out.WriteString("\n| connections open | traced | BPF programs, µs/connection | tracer, µs/end | memory, MB | unexplained |\n|--:|--:|--:|--:|--:|--:|\n")
	for i := range r.scale {
		one := &r.scale[i]
		var ns uint64
		for _, p := range one.programs {
			ns += p.ns
		}
		for _, p := range one.before {
			ns -= p.ns
		}
		n := one.load.Connections
		fmt.Fprintf(out, "| %d | %d | %.2f | %.2f | %.0f | %d |\n", one.load.Open, n, float64(ns)/float64(n)/1000,
			one.perEnd(), float64(one.anon)/1e6, int64(2*n)-int64(one.output.ends)-int64(one.output.lost()))
	}
	out.WriteString("\nThe tracer's time includes its end, some ms, which is most of it where few are traced.\n")
}

func (r *results) quietText(out *bufio.Writer) {
	without, with := &r.quiet[0], &r.quiet[1]
	if with.load.Connections == 0 {
		return
	}
	var runs uint64
	for _, p := range with.programs {
		runs += p.runs
	}
	for _, p := range with.before {
		runs -= p.runs
	}
	const calls = 5 // getppid, and write and read in both directions
	fmt.Fprintf(out, "\nA load that closes nothing (getppid, send and receive on open connections): %d system calls and %d runs of BPF programs,\n"+
		"those of the generator's %d connections included; %.2f of the untraced rate.\n",
		calls*with.load.Connections, runs, with.load.Workers, with.rate/without.rate)
}

func (r *results) stallText(out *bufio.Writer) {
	for _, c := range []struct {
		round *round
		ring  int
	}{{r.stalled, 32}, {r.overrun, 4}} {
		if c.round == nil {
			continue
		}
		ends := 2 * c.round.load.Connections
		fmt.Fprintf(out, "\nA reader stopped for %v at %.0f ends/s, ring buffer of %d MiB: %d ends, %d written, %d reported as lost (%d by the kernel's counter); %d unaccounted for.\n",
			r.stall, float64(ends)/c.round.load.Seconds, c.ring, ends, c.round.output.ends, c.round.output.lost(), c.round.kernel,
			int64(ends)-int64(c.round.output.ends)-int64(c.round.output.lost()))
	}
}
