package etwsrc

import (
	"github.com/closetrace/closetrace/etwsrc/internal/raw"
	"github.com/closetrace/closetrace/model"
)

// system is what a session needs of Windows: a few calls of ETW and two clocks.
// The tests have one that behaves worse than the real one. Results are the
// calls' own error numbers; 0 is success.
type system interface {
	// start begins a real-time session (StartTrace).
	start(name string, b buffers) (handle uint64, code uint32)
	// query returns the session's losses (ControlTrace, QUERY).
	query(handle uint64) (losses, uint32)
	// update changes the largest number of buffers (ControlTrace, UPDATE).
	update(handle uint64, b buffers) uint32
	// stop ends the session of that name (ControlTrace, STOP).
	stop(name string) uint32
	// enable subscribes to a provider (EnableTraceEx2).
	enable(handle uint64, p raw.Provider, level uint8, any uint64, ids []uint16) uint32
	// sessions returns the names of all sessions (QueryAllTraces).
	sessions() ([]string, uint32)
	// process hands the events of a session to take, in a thread of the
	// system's, until the session ends (OpenTrace, ProcessTrace). Their time is
	// in ticks.
	process(name string, take func(e *raw.Event, ticks int64)) uint32

	// ticks is the clock of a session's events (QueryPerformanceCounter), wall
	// the one of the system, which is corrected and set.
	ticks() int64
	frequency() int64
	wall() model.Time
	cpus() int
	// running reports whether the process that began then is running.
	running(pid uint32, began uint64) bool
	self() (pid uint32, began uint64)
}

// processes knows whose connections they are.
type processes interface {
	// see learns what is known of a process now; it may have ended later.
	see(pid uint32)
	// fill adds what is known of the owner.
	fill(f *model.Facts, s *sessionClock)
	close()
}

// losses are the counters of a session. They only grow.
type losses struct{ events, buffers uint32 }

// buffers is how much room a session has.
type buffers struct{ size, least, most uint32 }

const (
	bufferKB    = 256
	leastBuffer = 64
	mostBuffers = 512
	// raised is how many times more buffers a session that loses events gets.
	raised = 8
)

// roomFor returns the buffers for a number of CPUs: each needs two at least,
// and one that is being read.
func roomFor(cpus int) buffers {
	return buffers{bufferKB, uint32(max(leastBuffer, 3*cpus)), uint32(max(mostBuffers, 12*cpus))}
}

// sessionClock is the clock of a session's events. Windows relates it to the
// system's clock once, when a session begins, and never again: after weeks, or
// when the clock was set, the two differ by seconds.
type sessionClock struct {
	sys       system
	start     model.Time
	zero      int64
	frequency int64
	// ahead is how far the system's clock was ahead at the latest looks, of
	// which there is one a second; most is the largest ever.
	ahead [8]int64
	looks int
	most  int64
}

func newSessionClock(sys system) *sessionClock {
	return &sessionClock{sys: sys, start: sys.wall(), zero: sys.ticks(), frequency: max(sys.frequency(), 1)}
}

func (c *sessionClock) time(ticks int64) model.Time {
	d := ticks - c.zero
	seconds, rest := d/c.frequency, d%c.frequency
	return c.start + model.Time(seconds*1e9+rest*1e9/c.frequency)
}

func (c *sessionClock) now() model.Time { return c.time(c.sys.ticks()) }

func (c *sessionClock) difference() int64 { return int64(c.sys.wall() - c.now()) }

// compare looks at both clocks.
func (c *sessionClock) compare() {
	d := c.difference()
	c.ahead[c.looks%len(c.ahead)] = d
	c.looks++
	c.most = max(c.most, d)
}

// recent converts a time of the system's clock that is a few seconds ago. It
// is not ok if that clock was set meanwhile.
func (c *sessionClock) recent(t model.Time) (_ model.Time, ok bool) {
	const steady = 5e6 // ns: it was corrected, and not set
	now := c.difference()
	for _, d := range c.ahead[:min(c.looks, len(c.ahead))] {
		if d-now > steady || now-d > steady {
			return 0, false
		}
	}
	return t - model.Time(now), true
}

// earliest converts a time of the system's clock of any age: it was not before
// that, however the clock was set since the session began.
func (c *sessionClock) earliest(t model.Time) model.Time {
	return t - model.Time(max(c.most, c.difference()))
}
