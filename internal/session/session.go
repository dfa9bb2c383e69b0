package session

import (
	"context"
	"errors"
	"iter"
	"sync/atomic"
	"time"

	"github.com/closetrace/closetrace/internal/findings"
	"github.com/closetrace/closetrace/internal/ledger"
	"github.com/closetrace/closetrace/model"
)

// Options say what of a source is wanted. The zero value is all of it.
type Options struct {
	// Start is the first record.
	Start model.Start
	// Rest is what of the filter the source has not applied.
	Rest *model.Filter
	// Duration and Count, if greater than 0, end the session.
	Duration time.Duration
	Count    uint64
	// Follow, if set, is called when the source is live. It may cancel with a
	// [Reason]; what it returns is called at the end.
	Follow func(context.Context, context.CancelCauseFunc, *ledger.Ends) (done func())
	// Cost, if set, is asked for what the trace costs.
	Cost func() model.Cost
	// Found, if set, sees every record.
	Found *findings.Engine
}

// Reason is why a session stopped, as the stop line says it.
type Reason string

// Error implements error.
func (r Reason) Error() string { return string(r) }

// Session is a running trace. Use its records once.
type Session struct {
	// Hangup, if set, is asked at SIGHUP; it returns whether the session goes on.
	Hangup func() bool

	source model.Source
	rest   atomic.Pointer[ledger.Passing]
	o      Options
	stop   model.Stop // the counts so far
	seen   atomic.Uint64
	ended  ledger.Ends
}

// New returns a session of a source that is open. It closes the source.
func New(source model.Source, o Options) *Session {
	s := &Session{source: source, o: o}
	s.Refilter(o.Rest)
	return s
}

// Refilter replaces Options.Rest from the next record on; at any time.
func (s *Session) Refilter(rest *model.Filter) { s.rest.Store(ledger.NewPassing(rest)) }

// Start is the first record.
func (s *Session) Start() model.Start { return s.o.Start }

// Found is what was given as Options.Found.
func (s *Session) Found() *findings.Engine { return s.o.Found }

// Ends counts what was yielded. It changes while records are yielded, in that goroutine.
func (s *Session) Ends() *ledger.Ends { return &s.ended }

// Seen counts the connection ends that came from the source, before Options.Rest; any
// goroutine may ask.
func (s *Session) Seen() uint64 { return s.seen.Load() }

// Cost is what the trace has cost until now, zero if nobody knows.
func (s *Session) Cost() model.Cost {
	if s.o.Cost == nil {
		return model.Cost{}
	}
	return s.o.Cost()
}

// Failed returns an error if the filter failed on records, which were left out.
func (s *Session) Failed() error { return s.rest.Load().Failed() }

// Close closes the source.
func (s *Session) Close() error { return s.source.Close() }

// Records yields the start, what passes the filter, and the stop. It ends with
// the signals that end a program, after its duration and after its count.
func (s *Session) Records(ctx context.Context) iter.Seq2[model.Record, error] {
	return func(yield func(model.Record, error) bool) {
		for r, err := range s.InPlace(ctx) {
			if err != nil {
				yield(model.Record{}, err)
				return
			}
			if !yield(*r, nil) {
				return
			}
		}
	}
}

// InPlace is Records without copies: a record is valid until the next one. With an
// error it is nil.
func (s *Session) InPlace(ctx context.Context) iter.Seq2[*model.Record, error] {
	return func(yield func(*model.Record, error) bool) {
		ctx, cancel := context.WithCancelCause(ctx)
		defer cancel(nil)
		stopSignals := s.stopBySignal(cancel)
		defer stopSignals()
		if s.o.Duration > 0 {
			timer := time.AfterFunc(s.o.Duration, func() { cancel(Reason("duration")) })
			defer timer.Stop()
		}
		if !yield(&model.Record{Kind: model.KindStart, Start: s.o.Start}, nil) {
			return
		}
		if s.o.Follow != nil {
			defer s.o.Follow(ctx, cancel, &s.ended)()
		}
		last, failed, stopped := s.pass(ctx, cancel, yield)
		if stopped {
			return
		}
		stop := s.stop
		stop.Teardowns, stop.Cost = s.ended.ByVerdict(), s.Cost()
		stop.Time, stop.Reason = max(last, model.TimeOf(time.Now())), "source-ended"
		var why Reason
		if errors.As(context.Cause(ctx), &why) {
			stop.Reason = string(why)
		}
		if failed != nil {
			stop.Reason = "error"
		}
		if failed == nil {
			failed = s.rest.Load().Failed()
		}
		if yield(&model.Record{Kind: model.KindStop, Stop: stop}, nil) && failed != nil {
			yield(nil, failed)
		}
	}
}

// pass yields what passes the filter until the source ends.
func (s *Session) pass(ctx context.Context, cancel context.CancelCauseFunc, yield func(*model.Record, error) bool) (last model.Time, failed error, stopped bool) {
	var ends uint64
	for r, err := range model.JudgedInPlace(s.source.Events(ctx)) {
		if err != nil {
			return last, err, false
		}
		switch r.Kind {
		case model.KindLoss:
			s.stop.Lose(&r.Loss)
		case model.KindTeardown:
			s.seen.Add(1)
		case model.KindCounts:
			s.seen.Add(uint64(r.Counted.Net()))
		case model.KindTable:
			if r.Table.Held > s.stop.Table.Held {
				s.stop.Table = r.Table
			}
		default:
		}
		if !s.rest.Load().Match(r) {
			continue
		}
		isEnd := r.Kind == model.KindTeardown || r.Kind == model.KindOutcome
		if s.o.Count > 0 && ends == s.o.Count && isEnd && !s.ended.Knows(r) {
			continue // what the drain still delivers
		}
		if s.ended.Add(r) {
			if ends++; ends == s.o.Count {
				cancel(Reason("count"))
			}
		}
		last = r.Time()
		if s.o.Found != nil {
			s.o.Found.Add(r)
		}
		if !yield(r, nil) {
			return last, nil, true
		}
	}
	return last, nil, false
}
