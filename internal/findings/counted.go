package findings

import (
	"fmt"

	"github.com/closetrace/closetrace/model"
)

// overflow is what a namespace counted that no socket shows.
type overflow map[string]*counter

type counter struct {
	n           uint64
	netns       uint32 // where it moved; anywhere if in several
	first, last model.Time
	told        model.Time // the first line that has it; first is when the line before it was written
}

// maxCounters bounds the names.
const maxCounters = 128

func (e *Engine) count(c *model.Counters) {
	begin := c.Time.Add(-max(c.Interval, 0)) // it moved at some time since then
	for name, n := range c.Counts {
		had := e.counters[name]
		if had == nil {
			if len(e.counters) >= maxCounters {
				continue
			}
			had = &counter{first: begin, told: c.Time}
			e.counters[short(name)] = had
		}
		had.netns = had.where(c.Network.NetNS)
		had.n += n
		had.last = max(had.last, c.Time)
		had.first, had.told = min(had.first, begin), min(had.told, c.Time)
	}
}

// where is the namespace of a counter that moves in netns, too.
func (c *counter) where(netns uint32) uint32 {
	if c.n == 0 || c.netns == netns {
		return netns
	}
	return anywhere
}

// inNamespace names the namespace of a counter of which no connection is known.
func (c *counter) inNamespace() string {
	switch c.netns {
	case 0:
		return ""
	case anywhere:
		return " in several network namespaces"
	}
	return fmt.Sprintf(" in network namespace %d", c.netns)
}

// counted returns the sum of counters.
func (e *Engine) counted(names ...string) (sum counter) {
	for _, name := range names {
		if c := e.counters[name]; c != nil {
			sum.netns = sum.where(c.netns)
			sum.n += c.n
			sum.last = max(sum.last, c.last)
			if sum.first == 0 || c.first < sum.first {
				sum.first = c.first
			}
			if sum.told == 0 || c.told < sum.told {
				sum.told = c.told
			}
		}
	}
	return sum
}
