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
	Events(ctx context.Context) iter.Seq2[Event, error]
	// Close releases what the source holds; it may be called twice, and from
	// another goroutine to end Events.
	Close() error
}

// Judged turns the events of a source into records.
func Judged(events iter.Seq2[Event, error]) iter.Seq2[Record, error] {
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

// JudgedInPlace is Judged without copies: there is one record for all, valid until the
// next one. With an error it is nil.
func JudgedInPlace(events iter.Seq2[Event, error]) iter.Seq2[*Record, error] {
	return func(yield func(*Record, error) bool) {
		var r Record
		for event, err := range events {
			if err != nil {
				yield(nil, err)
				return
			}
			r.judge(&event)
			if !yield(&r, nil) {
				return
			}
		}
	}
}

// JudgeEvent returns the record for one event.
func JudgeEvent(e *Event) Record {
	var r Record
	r.judge(e)
	return r
}

// judge makes r the record for e. Start and stop are not judged, and stay as they are.
func (r *Record) judge(e *Event) {
	r.Kind, r.Retracts, r.Error, r.Loss, r.Counters, r.Stray, r.Clock, r.Table = e.Kind, false, "", Loss{}, e.Counters, e.Stray, e.Clock, e.Table
	t := &r.Teardown
	switch e.Kind {
	case KindLoss:
		*t, r.Loss = Teardown{}, e.Loss
	case KindCounters, KindClock, KindTable:
		*t = Teardown{}
	case KindCloseFailed, KindStray:
		t.Facts, t.Judgement, r.Error = e.Facts, Judgement{}, e.Error
	case KindUnknown, KindStart, KindTeardown, KindOutcome, KindStop:
		t.Facts = e.Facts
		t.Judgement = Classify(&t.Facts)
		if e.Peer != nil {
			t.PeerCause = Classify(e.Peer).Cause
		}
		r.Retracts = e.Kind == KindOutcome && Retracts(&t.Facts, &t.Judgement)
	}
}
