package model

import (
	"context"
	"iter"
)

// Source is a back end: a running trace or a file that is read as one.
// Package internal/lab/sourcetest tests these promises.
type Source interface {
	// Start describes the trace. Every hook is live when the source exists.
	Start() Start
	// Events returns the events in the order in which they are known. The
	// sequence is single use. It ends when ctx is done, after what had been
	// seen until then was delivered, or when the source is exhausted; an error
	// comes once and last, with a zero Event.
	Events(ctx context.Context) iter.Seq2[*Event, error]
	// Close releases what the source holds; it may be called twice, and from
	// another goroutine to end Events.
	Close() error
}

// Judged turns the events of a source into records.
func Judged(events iter.Seq2[*Event, error]) iter.Seq2[Record, error] {
	return func(yield func(Record, error) bool) {
		for r, err := range JudgedInPlace(events) {
			if err != nil {
				yield(Record{}, err)
				return
			}
			if !yield(*r, nil) {
				return
			}
		}
	}
}

// JudgedInPlace is Judged without copies: a record is valid until the next one. With an
// error it is nil.
func JudgedInPlace(events iter.Seq2[*Event, error]) iter.Seq2[*Record, error] {
	return func(yield func(*Record, error) bool) {
		for event, err := range events {
			if err != nil {
				yield(nil, err)
				return
			}
			event.judge()
			if !yield(&event.Record, nil) {
				return
			}
		}
	}
}

// judge fills in the judgement of the event's record.
func (e *Event) judge() {
	if e.Kind != KindTeardown && e.Kind != KindOutcome {
		return
	}
	t := &e.Teardown
	peer := t.PeerCause
	t.Judgement = Classify(&t.Facts)
	if t.PeerCause = peer; e.Peer != nil {
		t.PeerCause = causeOf(e.Peer)
	}
	e.Retracts = e.Kind == KindOutcome && Retracts(&t.Facts, &t.Judgement)
}

// Judged returns the record of an event.
func (e *Event) Judged() Record {
	e.judge()
	return e.Record
}
