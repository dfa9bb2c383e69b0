// Package sourcetest checks a source against the promises of [model.Source].
// Every back end passes it: a test opens the source, makes connections end (or
// reads a file in which they did), and calls [Run].
package sourcetest

import (
	"context"
	"iter"
	"testing"

	"github.com/closetrace/closetrace/model"
)

// Config describes a source to Run.
type Config struct {
	// Open returns a fresh source.
	Open func(t *testing.T) model.Source
	// Provoke makes connections end while the source is read; nil for a file.
	Provoke func(t *testing.T)
	// Live: the source ends only with its context.
	Live bool
}

// Run tests all promises.
func Run(t *testing.T, c Config) {
	t.Run("start describes the trace", c.start)
	t.Run("events keep the rules of kinds and ids", c.events)
	t.Run("a consumer may stop at any event", c.stop)
	t.Run("an ended context ends the sequence", c.cancelled)
	t.Run("close may be called twice and ends the sequence", c.closed)
}

func (c Config) start(t *testing.T) {
	source := c.open(t)
	s := source.Start()
	if s.Backend == "" || s.OS.Type == "" {
		t.Errorf("start: got back end %q on %q, want both", s.Backend, s.OS.Type)
	}
	if c.Live && s.Time == 0 {
		t.Error("start of a live source has no time")
	}
}

func (c Config) events(t *testing.T) {
	events := c.read(t)
	if len(events) == 0 {
		t.Fatal("no events")
	}
	seen := map[string]bool{}
	for _, e := range events {
		switch e.Kind {
		case model.KindTeardown:
			if e.Teardown.ID == "" || seen[e.Teardown.ID] {
				t.Errorf("teardown with id %q: want one that is new", e.Teardown.ID)
			}
			seen[e.Teardown.ID] = true
		case model.KindOutcome:
			if !seen[e.Teardown.ID] || !e.Teardown.Evidence.Later {
				t.Errorf("outcome of %q: want a later fact about an earlier teardown", e.Teardown.ID)
			}
		case model.KindLoss:
			if e.Loss.Count == 0 || e.Loss.Where == "" {
				t.Errorf("loss %+v: want a count and a place", e.Loss)
			}
			continue
		case model.KindCounters:
			if e.Counters.Time == 0 || len(e.Counters.Counts) == 0 {
				t.Errorf("counters %+v: want a time and what moved", e.Counters)
			}
			continue
		case model.KindClock:
			if e.Clock.Time == 0 || e.Clock.Step == 0 && e.Clock.Suspended == 0 {
				t.Errorf("clock %+v: want a time and what changed", e.Clock)
			}
			continue
		case model.KindTable:
			if e.Table.Time == 0 || e.Table.Max == 0 {
				t.Errorf("table %+v: want a time and a size", e.Table)
			}
			continue
		case model.KindStray:
			if e.Stray.Count == 0 || e.Stray.First == 0 || e.Stray.First > e.Teardown.Time {
				t.Errorf("stray-reset %+v until %v: want a count and an order", e.Stray, e.Teardown.Time)
			}
		case model.KindCloseFailed:
			if e.Error == "" {
				t.Error("close-failed without an error")
			}
		default:
			t.Errorf("kind %v is not for a source", e.Kind)
		}
		if e.Teardown.Time == 0 {
			t.Errorf("%v %s has no time", e.Kind, e.Teardown.ID)
		}
	}
}

// read returns all events: until the source ends, or what Provoke caused.
func (c Config) read(t *testing.T) []model.Event {
	t.Helper()
	source := c.open(t)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	if c.Live {
		done := make(chan struct{})
		go func() {
			defer close(done)
			c.Provoke(t)
			cancel()
		}()
		defer func() { <-done }()
	}
	return collect(t, source.Events(ctx))
}

func collect(t *testing.T, events iter.Seq2[*model.Event, error]) []model.Event {
	t.Helper()
	var all []model.Event
	for e, err := range events {
		if err != nil {
			t.Errorf("events: %v", err)
			break
		}
		all = append(all, *e)
	}
	return all
}

func (c Config) stop(t *testing.T) {
	source := c.open(t)
	if c.Live {
		go c.Provoke(t)
	}
	for range source.Events(t.Context()) {
		break // a yield after this would panic
	}
}

func (c Config) cancelled(t *testing.T) {
	source := c.open(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for _, err := range source.Events(ctx) {
		if err != nil {
			t.Errorf("an ended context is no error: %v", err)
		}
	}
}

func (c Config) closed(t *testing.T) {
	source := c.Open(t)
	if c.Live {
		next, stop := iter.Pull2(source.Events(t.Context()))
		defer stop()
		closed := make(chan error, 1)
		go func() { closed <- source.Close() }()
		for _, _, more := next(); more; _, _, more = next() {
		}
		if err := <-closed; err != nil {
			t.Errorf("close: %v", err)
		}
	}
	if err := source.Close(); err != nil {
		t.Errorf("close: %v", err)
	}
	if err := source.Close(); err != nil {
		t.Errorf("close again: %v", err)
	}
}

func (c Config) open(t *testing.T) model.Source {
	t.Helper()
	source := c.Open(t)
	t.Cleanup(func() {
		if err := source.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	return source
}
