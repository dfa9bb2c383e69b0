package summary

import (
	"net/netip"
	"testing"
	"time"

	"github.com/closetrace/closetrace/model"
)

// told returns a teardown of nginx, and then changes it.
func told(kind model.Kind, id string, v model.Verdict, c model.Cause, change ...func(*model.Record)) *model.Record {
	r := &model.Record{Kind: kind}
	t := &r.Teardown
	t.ID, t.Time, t.Verdict, t.Cause, t.Confidence = id, start, v, c, model.Certain
	t.Process.Name, t.TCP.Role = "nginx", model.Passive
	t.Network.Local.Port = 443
	t.Network.Peer.Address = netip.MustParseAddr("10.0.0.9")
	for _, f := range change {
		f(r)
	}
	return r
}

func unacked(n uint64) func(*model.Record) {
	return func(r *model.Record) { r.Teardown.TCP.Bytes.Unacked = model.Some(n) }
}

func blocked(d time.Duration) func(*model.Record) {
	return func(r *model.Record) { r.Teardown.CloseBlocked = model.Some(d) }
}

func inferred(r *model.Record) { r.Teardown.Confidence = model.Inferred }

func retracts(r *model.Record) { r.Retracts = true }

func owner(name string) func(*model.Record) {
	return func(r *model.Record) { r.Teardown.Process.Name = name }
}

func graceful(id string, change ...func(*model.Record)) *model.Record {
	return told(model.KindTeardown, id, model.Graceful, model.CauseFIN, change...)
}

func lingered(id string, change ...func(*model.Record)) *model.Record {
	return told(model.KindTeardown, id, model.LingerTimeout, model.CauseLingerExpired, change...)
}

func reset(id string, change ...func(*model.Record)) *model.Record {
	return told(model.KindOutcome, id, model.Abortive, model.CauseDataAfterClose, change...)
}

func arrived(id string, change ...func(*model.Record)) *model.Record {
	return told(model.KindOutcome, id, model.Graceful, model.CauseFIN, change...)
}

// TestOutcomesAmend says for sequences of records what they count as.
func TestOutcomesAmend(t *testing.T) {
	type want struct {
		verdicts           map[string]uint64
		causes             map[string]uint64
		aborted            int // connections in the table of who aborts
		lost, ends         uint64
		inferred           uint64
		retracted, blocked uint64
		later              map[string]uint64
	}
	counts := func(name string, n uint64) map[string]uint64 { return map[string]uint64{name: n} }
	tests := map[string]struct {
		records []*model.Record
		want    want
	}{
		"a reset from TIME_WAIT makes a graceful end abortive": {
			[]*model.Record{graceful("a"), reset("a")},
			want{verdicts: counts("abortive", 1), causes: counts("data-after-close", 1), aborted: 1, later: counts("data-after-close", 1)},
		},
		"another end's reset does not": {
			[]*model.Record{graceful("a"), graceful("b"), reset("b")},
			want{
				verdicts: map[string]uint64{"graceful": 1, "abortive": 1}, causes: map[string]uint64{"fin": 1, "data-after-close": 1},
				aborted: 1, later: counts("data-after-close", 1),
			},
		},
		"an outcome without its teardown is an end": {
			[]*model.Record{reset("a", unacked(7))},
			want{verdicts: counts("abortive", 1), causes: counts("data-after-close", 1), aborted: 1, lost: 7, ends: 1, later: counts("data-after-close", 1)},
		},
		"an outcome that comes again changes nothing": {
			[]*model.Record{graceful("a"), reset("a"), reset("a")},
			want{verdicts: counts("abortive", 1), causes: counts("data-after-close", 1), aborted: 1, later: counts("data-after-close", 2)},
		},
		"an owner that only the teardown knows stays": {
			[]*model.Record{graceful("a"), reset("a", owner(""))},
			want{verdicts: counts("abortive", 1), causes: counts("data-after-close", 1), aborted: 1, later: counts("data-after-close", 1)},
		},
		"a retracted linger timeout counts as what it was, and its wait not at all": {
			[]*model.Record{lingered("a", inferred, blocked(time.Second)), arrived("a", retracts)},
			want{verdicts: counts("graceful", 1), causes: counts("fin", 1), retracted: 1},
		},
		"a retracted one that waited after all waited as long as the outcome says": {
			[]*model.Record{lingered("a", inferred, blocked(time.Second)), arrived("a", retracts, blocked(time.Millisecond))},
			want{verdicts: counts("graceful", 1), causes: counts("fin", 1), retracted: 1, blocked: 1},
		},
		"close() gave up although everything arrived, but nothing is lost": {
			[]*model.Record{lingered("a", unacked(3_890_000), blocked(time.Second)), arrived("a", unacked(0))},
			want{verdicts: counts("linger-timeout", 1), causes: counts("linger-expired", 1), aborted: 1, blocked: 1, later: counts("fin", 1)},
		},
		"what an outcome does not know stays": {
			[]*model.Record{lingered("a", unacked(5), blocked(time.Second)), arrived("a")},
			want{verdicts: counts("linger-timeout", 1), causes: counts("linger-expired", 1), aborted: 1, lost: 5, ends: 1, blocked: 1, later: counts("fin", 1)},
		},
		"an orphan that is reset later lost what it says": {
			[]*model.Record{lingered("a", unacked(9), inferred, blocked(time.Second)), reset("a", unacked(4))},
			want{verdicts: counts("abortive", 1), causes: counts("data-after-close", 1), aborted: 1, lost: 4, ends: 1, blocked: 1, later: counts("data-after-close", 1)},
		},
		"an outcome that nobody can judge says nothing": {
			[]*model.Record{lingered("a"), told(model.KindOutcome, "a", model.VerdictUnknown, model.CauseUnknown, inferred)},
			want{verdicts: counts("linger-timeout", 1), causes: counts("linger-expired", 1), aborted: 1, later: counts("unknown", 1)},
		},
		"records without IDs are not taken for each other": {
			[]*model.Record{graceful(""), reset("")},
			want{
				verdicts: map[string]uint64{"graceful": 1, "abortive": 1}, causes: map[string]uint64{"fin": 1, "data-after-close": 1},
				aborted: 1, later: counts("data-after-close", 1),
			},
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			s := New()
			for _, r := range test.records {
				s.Add(r)
			}
			e, w := s.Export(10), test.want
			same := func(what string, got, want map[string]uint64) {
				if !equal(got, want) {
					t.Errorf("%s: got %v, want %v", what, got, want)
				}
			}
			causes, timed := map[string]uint64{}, map[string]uint64{}
			for _, c := range e.Causes {
				causes[c.Cause.String()] = c.Teardowns
			}
			var timedLoss uint64
			for _, b := range s.Timeline.Buckets() {
				timedLoss += b.Lost
				for v, n := range b.Verdicts {
					if n > 0 {
						timed[model.Verdict(v).String()] += uint64(n)
					}
				}
			}
			same("verdicts", e.Verdicts, w.verdicts)
			same("causes", causes, w.causes)
			same("timeline", timed, w.verdicts)
			same("later", e.Later, w.later)
			if len(e.Processes) != 1 || len(e.Peers) != 1 {
				t.Fatalf("got processes %+v and peers %+v, want one of each", e.Processes, e.Peers)
			}
			same("process", e.Processes[0].Verdicts, w.verdicts)
			same("peer", e.Peers[0].Verdicts, w.verdicts)
			if len(e.Aborted) != w.aborted {
				t.Errorf("aborted: got %+v, want %d", e.Aborted, w.aborted)
			}
			for what, got := range map[string]uint64{"all": e.BytesLost, "process": e.Processes[0].BytesLost, "peer": e.Peers[0].BytesLost, "timeline": timedLoss} {
				if got != w.lost {
					t.Errorf("%s: lost %d bytes, want %d", what, got, w.lost)
				}
			}
			if e.EndsThatLost != w.ends || e.Inferred != w.inferred || e.Retracted != w.retracted || s.Blocked.Count() != w.blocked {
				t.Errorf("got %d that lost, %d inferred, %d retracted, %d that waited; want %+v", e.EndsThatLost, e.Inferred, e.Retracted, s.Blocked.Count(), w)
			}
			if c := Compare(New(), s); len(c.Causes) != len(w.causes) || len(c.Whys) != len(w.causes)-int(min(w.causes["fin"], 1)) {
				t.Errorf("diff has the causes %+v and %+v, want %v", c.Causes, c.Whys, w.causes)
			}
		})
	}
}
