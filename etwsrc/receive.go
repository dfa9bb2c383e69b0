package etwsrc

import (
	"sync/atomic"

	"github.com/closetrace/closetrace/etwsrc/internal/raw"
)

// slot is a copy of one event.
type slot struct {
	event raw.Event
	room  [512]byte
}

// receiver copies events out of the system's callback. It never blocks there:
// events for which no slot is free are counted.
type receiver struct {
	free, full chan *slot
	clock      *sessionClock
	missed     atomic.Uint64
}

func newReceiver(n int, clock *sessionClock) *receiver {
	r := &receiver{free: make(chan *slot, n), full: make(chan *slot, n), clock: clock}
	for range n {
		r.free <- &slot{}
	}
	return r
}

// take is called by Windows in a thread of its own.
func (r *receiver) take(e *raw.Event, ticks int64) {
	if raw.ProviderOf(&e.Provider) == raw.Other {
		return
	}
	var s *slot
	select {
	case s = <-r.free:
	default:
		r.missed.Add(1)
		return
	}
	s.event = *e
	s.event.Time = r.clock.time(ticks)
	s.event.Data = append(s.room[:0], e.Data...)
	r.full <- s // has room for all slots
}
