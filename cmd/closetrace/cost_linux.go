package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"golang.org/x/sys/unix"

	"github.com/closetrace/closetrace/internal/human"
	"github.com/closetrace/closetrace/internal/safetext"
	"github.com/closetrace/closetrace/model"
	"github.com/closetrace/closetrace/tracer"
)

const costHelp = `

--cost traces this host's own traffic for 10 seconds (--duration) and reports the
run time of the BPF programs, the CPU time of closetrace and the memory of both, per
second and per connection end. While it measures, every run of every BPF program on
the host takes 20 to 150 ns longer.`

// cost is what --cost measured.
type cost struct {
	Backend  string        `json:"backend"`
	Seconds  float64       `json:"seconds"`
	Ends     uint64        `json:"ends"`
	Lost     uint64        `json:"lost"`
	Programs []programCost `json:"programs"`
	// Nanoseconds in all programs, and of CPU time of this process.
	Kernel int64 `json:"bpf_ns"`
	Own    int64 `json:"own_cpu_ns"`
	// Bytes.
	Maps    uint64 `json:"maps_bytes"`
	Process uint64 `json:"process_bytes"`
}

type programCost struct {
	Program string `json:"program"`
	Time    int64  `json:"ns"`
	Runs    uint64 `json:"runs"`
}

// cost traces and judges what happens on this host, as live does, and shows nothing.
func (a *app) cost(ctx context.Context, by sourceFlags, duration time.Duration, asJSON bool) error {
	opts, err := by.options()
	if err != nil {
		return err
	}
	measuring, err := tracer.MeasurePrograms()
	if err != nil {
		return fmt.Errorf("%w: %w", errSource, err)
	}
	defer measuring.Close()
	source, err := tracer.Open(opts)
	if err != nil {
		return by.wrongTypes(fmt.Errorf("%w: %w", errSource, err))
	}
	defer source.Close()
	c, err := measure(ctx, source, duration)
	if err != nil {
		return err
	}
	if asJSON {
		return safetext.WriteJSON(a.stdout, c, "  ")
	}
	return a.printCost(c)
}

// measure leaves out the cost of opening source.
func measure(ctx context.Context, source *tracer.Tracer, duration time.Duration) (*cost, error) {
	ctx, stop := context.WithTimeout(ctx, duration)
	defer stop()
	c := &cost{Backend: string(source.Mode())}
	before, err := source.Cost()
	if err != nil {
		return nil, err
	}
	began, cpu := time.Now(), cpuTime()
	for r, err := range model.Judged(source.Events(ctx)) {
		if err != nil {
			return nil, err
		}
		switch r.Kind {
		case model.KindTeardown:
			c.Ends++
		case model.KindLoss:
			c.Lost += r.Loss.Count
		default:
		}
	}
	c.Seconds, c.Own = time.Since(began).Seconds(), int64(cpuTime()-cpu)
	after, err := source.Cost()
	if err != nil {
		return nil, err
	}
	c.add(&before, &after)
	c.Process, err = ownMemory()
	return c, err
}

func (c *cost) add(before, after *tracer.Cost) {
	earlier := map[string]tracer.ProgramCost{}
	for _, p := range before.Programs {
		earlier[p.Program] = p
	}
	for _, p := range after.Programs {
		if p.Runs == earlier[p.Program].Runs {
			continue // at the start only
		}
		c.Programs = append(c.Programs, programCost{
			p.Program, int64(p.Time - earlier[p.Program].Time), p.Runs - earlier[p.Program].Runs,
		})
	}
	c.Kernel, c.Maps = int64(after.Time()-before.Time()), after.Maps
}

// cpuTime is that of this process, in user space and in the kernel.
func cpuTime() time.Duration {
	var u unix.Rusage
	if unix.Getrusage(unix.RUSAGE_SELF, &u) != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// ownMemory is what this process holds for itself (RssAnon, since 4.5): not the ring
// buffer, which is mapped, nor the program's file.
func ownMemory() (uint64, error) {
	text, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(text)) {
		if value, found := strings.CutPrefix(line, "RssAnon:"); found {
			n, err := strconv.ParseUint(strings.TrimSuffix(strings.TrimSpace(value), " kB"), 10, 64)
			return n << 10, err
		}
	}
	return 0, errors.New("/proc/self/status has no RssAnon")
}

func (a *app) printCost(c *cost) error {
	fmt.Fprintf(a.stdout, "%s traced for %.1f s: %s, %s lost\n\n", c.Backend, c.Seconds, human.Many(c.Ends, "end"), human.Count(c.Lost))
	t := tabwriter.NewWriter(a.stdout, 0, 0, 2, ' ', 0)
	row := func(name string, ns int64, times, of string) {
		fmt.Fprintf(t, "%s\t%.3f %% of a CPU\t%s\t%s\n", name, float64(ns)/c.Seconds/1e7, times, of)
	}
	row("closetrace", c.Own, perOne(c.Own, c.Ends), "for each end")
	row("BPF programs", c.Kernel, perOne(c.Kernel, c.Ends), "for each end")
	for _, p := range c.Programs {
		row("  "+p.Program, p.Time, perOne(p.Time, p.Runs), "for each of "+human.Count(p.Runs)+" runs")
	}
	if err := t.Flush(); err != nil {
		return err
	}
	fmt.Fprintf(a.stdout, "\nmemory: %s of this process, %s of its maps in the kernel\n", human.Bytes(c.Process), human.Bytes(c.Maps))
	if c.Ends == 0 {
		fmt.Fprintln(a.stdout, "No connection ended meanwhile: measure again under load, or longer (--duration 1m).")
	}
	return nil
}

func perOne(ns int64, n uint64) string {
	if n == 0 {
		return "-"
	}
	return human.Duration(time.Duration(ns) / time.Duration(n))
}
