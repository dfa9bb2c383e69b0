package model

import (
	"errors"
	"reflect"
	"testing"
	"time"
)

func TestEventIsJudged(t *testing.T) {
	reset := Facts{ID: "a", Time: 5, Evidence: Evidence{RSTReceivedBefore: true}, TCP: TCP{Path: PathOf(Established, Closed)}}
	linger := Facts{
		Linger:   Linger{On: Some(true), Seconds: Some(1)},
		Evidence: Evidence{Later: true, Wait: LingerWait{Began: true, TimerExpired: true, Left: Some(1500 * time.Millisecond)}},
	}
	of := func(kind Kind, f Facts) Record { return NewEvent(kind, f).Record }
	for name, c := range map[string]struct {
		event Event
		check func(Record) bool
	}{
		"a teardown is judged": {
			Event{Record: of(KindTeardown, reset)},
			func(r Record) bool { return r.Teardown.Cause == CausePeerReset && r.Time() == 5 && !r.Retracts },
		},
		"a failed close is not": {
			Event{Record: Record{Kind: KindCloseFailed, Teardown: Teardown{Facts: reset}, Error: "WSAEWOULDBLOCK"}},
			func(r Record) bool {
				return r.Teardown.Rule == "" && r.Error == "WSAEWOULDBLOCK" && r.Teardown.ID == "a"
			},
		},
		"a loss is passed on": {
			Event{Record: Record{Kind: KindLoss, Loss: Loss{Count: 3, Time: 7}}},
			func(r Record) bool { return r.Loss.Count == 3 && r.Time() == 7 },
		},
		"resets without a connection are not judged": {
			Event{Record: Record{Kind: KindStray, Teardown: Teardown{Facts: reset}, Stray: Stray{Count: 2, Why: StrayEnded}}},
			func(r Record) bool { return r.Teardown.Rule == "" && r.Stray.Count == 2 && r.Teardown.ID == "a" },
		},
		"counters are passed on": {
			Event{Record: Record{Kind: KindCounters, Counters: Counters{Time: 7, Counts: map[string]uint64{"x": 1}}}},
			func(r Record) bool { return r.Time() == 7 && r.Counters.Counts["x"] == 1 },
		},
		"a clock that was set is passed on": {
			Event{Record: Record{Kind: KindClock, Clock: Clock{Time: 7, Step: -3}}},
			func(r Record) bool { return r.Time() == 7 && r.Clock.Step == -3 && r.Teardown.ID == "" },
		},
		"a table that fills is passed on": {
			Event{Record: Record{Kind: KindTable, Table: Table{Time: 7, Held: 3}}},
			func(r Record) bool { return r.Time() == 7 && r.Table.Held == 3 && r.Teardown.ID == "" },
		},
		"ends that were only counted are not judged": {
			Event{Record: Record{Kind: KindCounts, Teardown: Teardown{Facts: reset}, Counted: Counted{Ends: 4, TakenBack: 1}}},
			func(r Record) bool { return r.Teardown.Rule == "" && r.Counted.Net() == 3 },
		},
		"the cause of the other end is judged by its own facts": {
			Event{Record: of(KindTeardown, linger), Peer: &reset},
			func(r Record) bool {
				return r.Teardown.PeerCause == CausePeerReset && r.Teardown.Cause != CausePeerReset
			},
		},
		"of an unknown other end nothing is said": {
			Event{Record: of(KindTeardown, reset)},
			func(r Record) bool { return r.Teardown.PeerCause == CauseUnknown },
		},
		"an outcome may retract": {
			Event{Record: of(KindOutcome, linger)},
			func(r Record) bool { return r.Retracts && r.Teardown.LingerOutcome == LingerDrained },
		},
		"an outcome that agrees does not": {
			Event{Record: of(KindOutcome, reset)},
			func(r Record) bool { return !r.Retracts && r.Teardown.Cause == CausePeerReset },
		},
		"a teardown may not": {
			Event{Record: of(KindTeardown, linger)},
			func(r Record) bool { return !r.Retracts },
		},
	} {
		got := c.event.Judged()
		if !c.check(got) || got.Kind != c.event.Kind {
			t.Errorf("%s: got %+v", name, got)
		}
	}
}

func TestJudgedPassesEventsAndTheError(t *testing.T) {
	broken := errors.New("read ring buffer")
	events := func(yield func(*Event, error) bool) {
		_ = yield(&Event{Record: Record{Kind: KindLoss, Loss: Loss{Count: 1}}}, nil) &&
			yield(&Event{Record: Record{Kind: KindLoss, Loss: Loss{Count: 2}}}, nil) &&
			yield(nil, broken)
	}
	var counts []uint64
	var last error
	for r, err := range Judged(events) {
		counts, last = append(counts, r.Loss.Count), err
	}
	if !reflect.DeepEqual(counts, []uint64{1, 2, 0}) || !errors.Is(last, broken) {
		t.Errorf("got counts %v and error %v, want 1 2 and the error last", counts, last)
	}
	for r := range Judged(events) {
		if r.Loss.Count != 1 {
			t.Errorf("got %d after the consumer left", r.Loss.Count)
		}
		break
	}
}

func TestBytesLost(t *testing.T) {
	if got := (Bytes{Unacked: Some[uint64](5), Unsent: Some[uint64](3), Unread: Some[uint64](2)}).Lost(); got != 7 {
		t.Errorf("got %d lost, want 5 unacknowledged (the unsent among them) and 2 unread", got)
	}
	if got := (Bytes{}).Lost(); got != 0 {
		t.Errorf("nothing known: got %d lost", got)
	}
}
