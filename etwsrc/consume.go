package etwsrc

import (
	"time"

	"github.com/closetrace/closetrace/model"
)

// latency is how long after its time an event may be delivered: the system
// hands buffers over once a second.
const latency = 3 * time.Second

// consume delivers events until the session has ended. It waits for that in
// any case; more is whether the consumer wants what follows.
func (s *Session) consume(done <-chan uint32, yield func(*model.Event, error) bool) (code uint32, more bool) {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for more = true; more; {
		select {
		case slot := <-s.receiver.full:
			s.add(slot)
		case <-tick.C:
			// What there is first: a consumer that was late has not lost it.
			s.drain()
			s.clock.compare()
			s.joiner.Advance(s.clock.now().Add(-latency))
			s.hold()
			s.losses()
			more = s.deliver(yield)
		case code = <-done:
			s.drain()
			return code, s.finish(yield)
		}
	}
	_ = s.stop() // its error is Close's
	return <-done, false
}

// drain takes what has been received.
func (s *Session) drain() {
	for range len(s.receiver.full) {
		s.add(<-s.receiver.full)
	}
}

// finish delivers what has ended, in portions.
func (s *Session) finish(yield func(*model.Event, error) bool) bool {
	for more := true; more; {
		more = s.joiner.End()
		s.hold()
		s.losses()
		if !s.deliver(yield) {
			return false
		}
	}
	return true
}

func (s *Session) add(slot *slot) {
	s.events++
	s.owners.see(slot.event.PID)
	s.joiner.Add(&slot.event)
	s.hold()
	s.receiver.free <- slot
}

// hold keeps what the joiner reports until the losses of its time are known.
func (s *Session) hold() {
	before := len(s.held)
	s.held = append(s.held, s.joiner.Take()...)
	for i := range s.held[before:] {
		s.owners.fill(&s.held[before+i].Teardown.Facts, s.clock)
	}
}

func (s *Session) deliver(yield func(*model.Event, error) bool) bool {
	defer func() { s.held = s.held[:0] }()
	for i := range s.held {
		if !yield(&s.held[i], nil) {
			return false
		}
	}
	return true
}

// losses reports what was lost since the last time: by the system, and by the
// queue. The session's own events about losses say when, its counters how many.
func (s *Session) losses() {
	now := s.clock.now()
	report := func(count uint64, where string) {
		if count == 0 {
			return
		}
		s.joiner.Lost(count, where, now)
		for i := range s.held {
			s.held[i].Teardown.Evidence.Gap = true
		}
		s.hold()
	}
	seen := s.ask()
	events, buffers := seen.events-s.seen.events, seen.buffers-s.seen.buffers
	s.seen = seen
	report(uint64(events), "session")
	report(uint64(buffers), "session-buffers")
	missed := s.receiver.missed.Load()
	report(missed-s.missed, "channel")
	s.missed = missed
	if (events > 0 || buffers > 0) && !s.closed.Load() {
		s.raise()
	}
}

// raise gives the session more buffers. That it can't be done is no failure:
// the losses are reported.
func (s *Session) raise() {
	if s.room.most >= mostBuffers*raised {
		return
	}
	s.room.most *= 2
	s.sys.update(s.handle, s.room)
}
