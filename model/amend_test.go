package model

import (
	"testing"
	"time"
)

// TestOverrules: an outcome counts instead of its teardown unless it is graceful and takes
// nothing back, or nobody knows what it is.
func TestOverrules(t *testing.T) {
	for _, c := range []struct {
		kind     Kind
		verdict  Verdict
		retracts bool
		want     bool
	}{
		{KindOutcome, Abortive, false, true},
		{KindOutcome, LingerTimeout, false, true},
		{KindOutcome, Graceful, false, false},
		{KindOutcome, VerdictUnknown, false, false},
		{KindOutcome, Graceful, true, true},
		{KindOutcome, VerdictUnknown, true, true},
		{KindTeardown, Abortive, true, false},
	} {
		r := Record{Kind: c.kind, Retracts: c.retracts}
		r.Teardown.Verdict = c.verdict
		if got := r.Overrules(); got != c.want {
			t.Errorf("%v, %v, retracts %v: got %v", c.kind, c.verdict, c.retracts, got)
		}
	}
}

// TestAmendJudgement: what overrules brings its judgement; how long close() waited, and what
// the other end did, stay where the outcome does not know better.
func TestAmendJudgement(t *testing.T) {
	waited, longer := Some(time.Second), Some(2*time.Second)
	first := Judgement{Verdict: LingerTimeout, Cause: CauseLingerExpired, PeerCause: CauseFIN, LingerOutcome: LingerExpired, CloseBlocked: waited}
	for name, c := range map[string]struct {
		outcome  Judgement
		retracts bool
		want     Judgement
	}{
		"worse": {
			Judgement{Verdict: Abortive, Cause: CausePeerReset, PeerCause: CauseUnreadData},
			false,
			Judgement{Verdict: Abortive, Cause: CausePeerReset, PeerCause: CauseFIN, LingerOutcome: LingerExpired, CloseBlocked: waited},
		},
		"worse, and it knows more": {
			Judgement{Verdict: Abortive, LingerOutcome: LingerInterrupted, CloseBlocked: longer},
			false,
			Judgement{Verdict: Abortive, PeerCause: CauseFIN, LingerOutcome: LingerInterrupted, CloseBlocked: longer},
		},
		"taken back": {
			Judgement{Verdict: Graceful, Cause: CauseFIN, LingerOutcome: LingerDrained},
			true,
			Judgement{Verdict: Graceful, Cause: CauseFIN, PeerCause: CauseFIN, LingerOutcome: LingerDrained},
		},
		"well in the end": {Judgement{Verdict: Graceful, Cause: CauseFIN}, false, first},
	} {
		end, r := Teardown{Judgement: first}, Record{Kind: KindOutcome, Retracts: c.retracts}
		r.Teardown.Judgement = c.outcome
		if end.Amend(&r); end.Judgement != c.want {
			t.Errorf("%s: got %+v, want %+v", name, end.Judgement, c.want)
		}
	}
}

// TestAmendTCP: what the outcome knows takes the place of what was known, and the rest stays.
func TestAmendTCP(t *testing.T) {
	before := TCP{
		RST: RST{Sent: Some(false), Received: Some(false), Reason: "old"}, Error: "EPIPE",
		Bytes: counted(1, 2, 3, 4, 5),
	}
	for name, c := range map[string]struct {
		outcome, want TCP
	}{
		"nothing":         {TCP{}, before},
		"a reset sent":    {TCP{RST: RST{Sent: Some(true), Reason: "new"}}, TCP{RST: RST{Some(true), Some(false), "new"}, Error: "EPIPE", Bytes: before.Bytes}},
		"one received":    {TCP{RST: RST{Received: Some(true)}, Error: "ECONNRESET"}, TCP{RST: RST{Some(false), Some(true), "old"}, Error: "ECONNRESET", Bytes: before.Bytes}},
		"later counts":    {TCP{Bytes: counted(11, 12, 13, 14, 15)}, TCP{RST: before.RST, Error: "EPIPE", Bytes: counted(11, 12, 13, 14, 15)}},
		"what was unsent": {TCP{Bytes: Bytes{Unsent: Some[uint64](0)}}, TCP{RST: before.RST, Error: "EPIPE", Bytes: counted(1, 2, 0, 4, 5)}},
		// What had not left by the end may be among what was acknowledged since.
		"what was unacknowledged": {
			TCP{Bytes: Bytes{Unacked: Some[uint64](0)}},
			TCP{RST: before.RST, Error: "EPIPE", Bytes: Bytes{Sent: Some[uint64](1), Received: Some[uint64](2), Unacked: Some[uint64](0), Unread: Some[uint64](5)}},
		},
	} {
		end, r := Teardown{Facts: Facts{TCP: before}}, Record{Kind: KindOutcome}
		r.Teardown.TCP = c.outcome
		if end.Amend(&r); end.TCP != c.want {
			t.Errorf("%s: got %+v, want %+v", name, end.TCP, c.want)
		}
	}
}

func counted(sent, received, unsent, unacked, unread uint64) Bytes {
	return Bytes{Sent: Some(sent), Received: Some(received), Unsent: Some(unsent), Unacked: Some(unacked), Unread: Some(unread)}
}
