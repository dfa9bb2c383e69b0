package session

import (
	"context"
	"errors"
	"iter"
	"os"
	"os/signal"
	"testing"
	"testing/synctest"
	"time"

	"github.com/closetrace/closetrace/model"
)

// script is a source that delivers what it has and then waits for the end.
type script struct {
	records []model.Record
	err     error
}

func (s *script) Start() model.Start { return model.Start{} }
func (s *script) Close() error       { return nil }
func (s *script) Events(ctx context.Context) iter.Seq2[*model.Event, error] {
	return func(yield func(*model.Event, error) bool) {
		for i := range s.records {
			r := &s.records[i]
			if !yield(&model.Event{Record: *r}, nil) {
				return
			}
		}
		if s.err != nil {
			yield(nil, s.err)
			return
		}
		<-ctx.Done()
	}
}

func end(pid int) model.Record {
	r := model.Record{Kind: model.KindTeardown}
	r.Teardown.Process.PID = pid
	return r
}

// TestStop: whatever ends a session, its last record says why, and counts what
// passed the filter.
func TestStop(t *testing.T) {
	// Package signal starts its goroutine once, which must not be in a bubble.
	outside := make(chan os.Signal, 1)
	signal.Notify(outside, os.Interrupt)
	defer signal.Stop(outside)
	broken := errors.New("broken")
	for _, c := range []struct {
		name, filter, reason string
		source               script
		options              Options
		ends                 int
		err                  error
	}{
		{name: "count", source: script{records: []model.Record{end(1), end(2), end(3)}}, options: Options{Count: 2}, reason: "count", ends: 2},
		{name: "duration", source: script{records: []model.Record{end(1)}}, options: Options{Duration: time.Hour}, reason: "duration", ends: 1},
		{name: "error", source: script{records: []model.Record{end(1)}, err: broken}, reason: "error", ends: 1, err: broken},
		{
			name: "filter", source: script{records: []model.Record{end(1), end(2)}}, options: Options{Duration: time.Hour},
			filter: "process.pid == 2", reason: "duration", ends: 1,
		},
		{
			name: "filter fails", source: script{records: []model.Record{end(1)}}, options: Options{Duration: time.Hour},
			filter: "process.pid % 0 == 2", reason: "duration", err: model.ErrFilterFailed,
		},
		{
			name: "loss", source: script{records: []model.Record{{Kind: model.KindLoss, Loss: model.Loss{Count: 7}}}},
			options: Options{Duration: time.Hour}, reason: "duration",
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				filter, err := model.CompileFilter(c.filter)
				if err != nil {
					t.Fatal(err)
				}
				c.options.Rest = filter
				var kinds []model.Kind
				var stop model.Stop
				var failed error
				ends := 0
				for r, err := range New(&c.source, c.options).Records(t.Context()) {
					if failed = err; err != nil {
						break
					}
					kinds = append(kinds, r.Kind)
					stop = r.Stop
					if r.Kind == model.KindTeardown {
						ends++
					}
				}
				if kinds[0] != model.KindStart || kinds[len(kinds)-1] != model.KindStop || stop.Reason != c.reason {
					t.Errorf("got %v, stopped by %q, want start to stop by %q", kinds, stop.Reason, c.reason)
				}
				var counted uint64
				for _, n := range stop.Teardowns {
					counted += n
				}
				if ends != c.ends || counted != uint64(c.ends) || !errors.Is(failed, c.err) {
					t.Errorf("%d ends, %d counted, %v; want %d, %v", ends, counted, failed, c.ends, c.err)
				}
				if c.name == "loss" && stop.Lost != 7 {
					t.Errorf("lost %d, want 7", stop.Lost)
				}
			})
		})
	}
}
