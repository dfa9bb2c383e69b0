//go:build linux

package tracer

import (
	"cmp"
	"fmt"
	"io"
	"regexp"
	"slices"
	"time"

	"github.com/cilium/ebpf"
	"golang.org/x/sys/unix"
)

// Cost is what the programs of a trace have cost since it was opened.
type Cost struct {
	Programs []ProgramCost // that ran, the most expensive first
	Maps     uint64        // bytes that the kernel holds for the maps
}

// ProgramCost is the cost of a program and its copies.
type ProgramCost struct {
	Program string
	Time    time.Duration
	Runs    uint64
}

// Time is that of all programs.
func (c *Cost) Time() (sum time.Duration) {
	for _, p := range c.Programs {
		sum += p.Time
	}
	return sum
}

// Runs is how often all programs ran.
func (c *Cost) Runs() (sum uint64) {
	for _, p := range c.Programs {
		sum += p.Runs
	}
	return sum
}

// MeasurePrograms makes the kernel measure all programs of this host until it is
// closed, which costs two readings of the clock for each run. Since 5.8; it needs
// CAP_SYS_ADMIN.
func MeasurePrograms() (io.Closer, error) {
	c, err := ebpf.EnableStats(unix.BPF_STATS_RUN_TIME)
	if err != nil {
		return nil, fmt.Errorf("measure BPF programs (needs CAP_SYS_ADMIN and Linux 5.8): %w", err)
	}
	return c, nil
}

// copyNumber is what the name of a program's copy ends with (hooksFor).
var copyNumber = regexp.MustCompile(`_\d+$`)

// ProgramCosts reads what the kernel has measured of each program that ran, the most
// expensive first; without [MeasurePrograms] there is none. Without CAP_BPF it needs
// Linux 5.19.
func (t *Tracer) ProgramCosts() ([]ProgramCost, error) {
	sums := map[string]*ProgramCost{}
	for name, p := range t.loaded.objects.Programs {
		stats, err := p.Stats()
		if err != nil {
			return nil, fmt.Errorf("read the cost of %s: %w", name, err)
		}
		if stats.RunCount == 0 {
			continue
		}
		name = copyNumber.ReplaceAllString(name, "")
		if sums[name] == nil {
			sums[name] = &ProgramCost{Program: name}
		}
		sums[name].Time += stats.Runtime
		sums[name].Runs += stats.RunCount
	}
	programs := make([]ProgramCost, 0, len(sums))
	for _, p := range sums {
		programs = append(programs, *p)
	}
	slices.SortFunc(programs, func(a, b ProgramCost) int {
		return cmp.Or(cmp.Compare(b.Time, a.Time), cmp.Compare(a.Program, b.Program))
	})
	return programs, nil
}

// Cost is [Tracer.ProgramCosts] and the memory of the maps. In the sandbox the latter can't
// be read.
func (t *Tracer) Cost() (Cost, error) {
	var c Cost
	var err error
	if c.Programs, err = t.ProgramCosts(); err != nil {
		return c, err
	}
	for name, m := range t.loaded.objects.Maps {
		info, err := m.Info()
		if err != nil {
			return c, fmt.Errorf("read the memory of map %s: %w", name, err)
		}
		if size, ok := info.Memlock(); ok {
			c.Maps += size
		}
	}
	return c, nil
}
