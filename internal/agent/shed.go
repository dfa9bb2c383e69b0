package agent

import (
	"fmt"
	"sync/atomic"
	"time"

	"github.com/closetrace/closetrace/internal/human"
)

// What is shed, in this order.
const (
	shedNothing int32 = iota
	shedEvents
	shedFindings
	shedProcesses
)

var shedNames = []string{"nothing is shed", "events are not sent", "events are not sent, and findings not looked for", "events are not sent, findings not looked for, and ends not counted by process"}

const (
	// worseAfter and betterAfter are how long a limit must be passed, or kept with a
	// fifth to spare, before the level changes.
	worseAfter  = 5 * time.Second
	betterAfter = time.Minute
)

// shedder keeps the agent below its limits.
type shedder struct {
	level     atomic.Int32
	memory    int64
	cpu       float64
	usage     func() (memory int64, cpu time.Duration)
	meter     *meter
	since     time.Time // above or well below the limits since then
	above     bool
	at        time.Time // of the last look
	spent     time.Duration
	processor float64 // recent use, smoothed
}

func newShedder(o *Options, m *meter) shedder {
	return shedder{memory: o.MaxMemory, cpu: o.MaxCPU, usage: usage, meter: m}
}

func (s *shedder) now() int32 { return s.level.Load() }

// look compares use with the limits; it returns a sentence if the level changes.
func (s *shedder) look(now time.Time) string {
	if s.memory == 0 && s.cpu == 0 {
		return ""
	}
	memory, spent := s.usage()
	if past := now.Sub(s.at); !s.at.IsZero() && past > 0 {
		s.processor += (float64(spent-s.spent)/float64(past) - s.processor) / 3
	}
	s.at, s.spent = now, spent
	above := s.memory > 0 && memory > s.memory || s.cpu > 0 && s.processor > s.cpu
	below := (s.memory == 0 || memory < s.memory*4/5) && (s.cpu == 0 || s.processor < s.cpu*4/5)
	if s.since.IsZero() || above != s.above || !above && !below {
		s.since, s.above = now, above
		return ""
	}
	level, kept := s.now(), now.Sub(s.since)
	switch {
	case above && kept >= worseAfter && level < shedProcesses:
		level++
	case below && kept >= betterAfter && level > shedNothing:
		level--
	default:
		return ""
	}
	s.since = now
	s.level.Store(level)
	s.meter.shed.Set(float64(level))
	return fmt.Sprintf("%s of memory and %.1f %% of a processor used: %s", human.Bytes(uint64(memory)), 100*s.processor, shedNames[level])
}
