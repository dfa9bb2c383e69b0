//go:build cgo

package etwsrc

import (
	"time"

	"github.com/closetrace/closetrace/model"
)

// consume delivers events until the session has ended. It waits for that in
// any case; more is whether the consumer wants what follows.
func (s *Session) consume(done <-chan error, yield func(model.Event, error) bool) (err error, more bool) {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	filtered := false
	for more = true; more; {
		select {
		case slot := <-s.receiver.full:
			s.add(slot)
		case <-tick.C:
			if !filtered {
				// Process enables the provider again, without the filter.
				filtered = true
				_ = s.seen.enable(subscriptions()[0]) // it is enabled all the same
			}
			s.joiner.Advance(model.TimeOf(time.Now().Add(-latency)))
			s.hold()
			s.losses(true)
			more = s.deliver(yield)
		case err = <-done:
			for len(s.receiver.full) > 0 {
				s.add(<-s.receiver.full)
			}
			s.joiner.End()
			s.hold()
			s.losses(false)
			return err, s.deliver(yield)
		}
	}
	err = also(s.stop(), <-done)
	return err, false
}

func (s *Session) add(slot *slot) {
	s.events++
	s.owners.see(slot.event.PID)
	s.joiner.Add(&slot.event)
	s.hold()
	s.receiver.free <- slot
}

// hold keeps what the joiner tells until the losses of its time are known.
func (s *Session) hold() {
	for _, event := range s.joiner.Take() {
		s.owners.fill(&event.Facts)
		s.held = append(s.held, event)
	}
}

func (s *Session) deliver(yield func(model.Event, error) bool) bool {
	defer func() { s.held = s.held[:0] }()
	for _, event := range s.held {
		if !yield(event, nil) {
			return false
		}
	}
	return true
}

// losses reports what was lost since the last time: by the system, by the
// queue, and events without a payload.
func (s *Session) losses(ask bool) {
	now := model.TimeOf(time.Now())
	report := func(count uint64, where string) {
		if count == 0 {
			return
		}
		s.joiner.Lost(count, where, now)
		for i := range s.held {
			s.held[i].Facts.Evidence.Gap = true
		}
		s.hold()
	}
	seen := s.last.Load()
	if ask && seen == nil {
		if now, err := query(); err == nil {
			seen = &now
		}
	}
	if seen != nil {
		report(uint64(seen.lost-s.seen.lost), "session")
		report(uint64(seen.buffers-s.seen.buffers), "session-buffers")
		s.seen.lost, s.seen.buffers = seen.lost, seen.buffers
	}
	missed, hidden := s.receiver.missed.Load(), s.receiver.noPayload.Load()
	report(missed-s.missed, "channel")
	report(hidden-s.hidden, "payload")
	s.missed, s.hidden = missed, hidden
}
