package model

import (
	"strings"
	"testing"
	"time"
)

// TestHowItIsKnown: what was seen is believed before what was announced, and that before
// what was concluded, whose reason is given.
func TestHowItIsKnown(t *testing.T) {
	const refused, why = ObservedRefused, "a packet is missing"
	var set Observations
	set.Add(refused)
	words := "concluded from what was seen: " + refused.Words()
	for name, c := range map[string]struct {
		e     Evidence
		how   Provenance
		doubt string
	}{
		"not at all":                       {Evidence{}, NotObserved, ""},
		"seen":                             {Evidence{Seen: set}, Seen, ""},
		"announced":                        {Evidence{Announced: set}, Announced, ""},
		"both":                             {Evidence{Seen: set, Announced: set}, Seen, ""},
		"concluded":                        {Evidence{Inferred: set}, Concluded, words},
		"concluded, and why":               {Evidence{Inferred: set, InferredWhy: why}, Concluded, why},
		"concluded and announced":          {Evidence{Inferred: set, Announced: set, InferredWhy: why}, Announced, ""},
		"concluded and seen":               {Evidence{Inferred: set, Seen: set, InferredWhy: why}, Seen, ""},
		"another was concluded":            {Evidence{Seen: set, Inferred: 1 << ObservedAbort, InferredWhy: why}, Seen, ""},
		"announced, another was concluded": {Evidence{Announced: set, Inferred: 1 << ObservedAbort, InferredWhy: why}, Announced, ""},
	} {
		o := Observe(&Facts{Evidence: c.e})
		if how, doubt := o.How(refused), ""; how != c.how {
			t.Errorf("%s: got %v, want %v", name, how, c.how)
		} else if how != NotObserved {
			if doubt = o.Doubt(refused); doubt != c.doubt {
				t.Errorf("%s: got doubt %q, want %q", name, doubt, c.doubt)
			}
		}
	}
	f := Facts{TCP: TCP{Path: PathOf(SynSent)}, Evidence: Evidence{RSTReceivedBefore: true, Inferred: set}}
	if o := Observe(&f); o.How(refused) != Seen {
		t.Errorf("concluded, and raw facts show it: %v, %q", o.How(refused), o.Doubt(refused))
	}
}

// TestObservations has what is observed, though another rule decides before it matters.
func TestObservations(t *testing.T) {
	reset := Evidence{RSTReceivedBefore: true}
	answered := Evidence{RSTReceivedBefore: true, RSTReplyAfter: true}
	for _, c := range []struct {
		what  string
		facts Facts
		o     Observation
		want  bool
	}{
		{"a reset", Facts{Evidence: reset}, ObservedRSTReceived, true},
		{"data that was answered like one", Facts{Evidence: answered}, ObservedRSTReceived, false},
		{"SYN without an answer", Facts{TCP: TCP{Path: PathOf(SynSent), Error: "ETIMEDOUT"}}, ObservedConnectTimeout, true},
		{"SYN that ICMP answered", Facts{TCP: TCP{Path: PathOf(SynSent), Error: "EHOSTUNREACH"}}, ObservedConnectTimeout, false},
		{"SYN, and an error that ends nothing", Facts{TCP: TCP{Path: PathOf(SynSent), Error: "EINTR"}}, ObservedConnectTimeout, false},
		{"SYN, and no error", Facts{TCP: TCP{Path: PathOf(SynSent)}}, ObservedConnectTimeout, false},
		{"SYN that the platform announces like data", Facts{TCP: TCP{Path: PathOf(SynSent)}, Evidence: Evidence{Announced: 1 << ObservedRetransmitTimeout}}, ObservedConnectTimeout, true},
		{"data that the platform announces", Facts{TCP: TCP{Path: PathOf(Established)}, Evidence: Evidence{Announced: 1 << ObservedRetransmitTimeout}}, ObservedConnectTimeout, false},
		{"SYN, the rest as if open", Facts{TCP: TCP{Path: PathOf(Established), Error: "ETIMEDOUT"}}, ObservedConnectTimeout, false},
		{"the second FIN", Facts{TCP: TCP{Path: PathOf(CloseWait, LastAck)}}, ObservedFINSecond, true},
		{"the first FIN", Facts{TCP: TCP{Path: PathOf(FinWait1, Closing)}}, ObservedFINSecond, false},
		{"the first FIN, and TIME_WAIT", Facts{TCP: TCP{Path: PathOf(FinWait2), FIN: FIN{Received: Some(true)}}}, ObservedFINSecond, false},
	} {
		if o := Observe(&c.facts); o.Has(c.o) != c.want {
			t.Errorf("%s: %q is %v", c.what, c.o.Words(), !c.want)
		}
	}
}

// TestUserTimeout: a window that was probed for less than TCP_USER_TIMEOUT was not given up
// for that.
func TestUserTimeout(t *testing.T) {
	const sent = Time(1e18)
	for _, c := range []struct {
		after    time.Duration
		sent, at Time
		want     Cause
	}{
		{time.Minute - 1, sent, sent, CauseZeroWindowTimeout},
		{time.Minute, sent, sent, CauseUserTimeout},
		{0, 0, sent, CauseUserTimeout}, // not known
		{0, sent, 0, CauseUserTimeout},
	} {
		f := Facts{TCP: TCP{Path: PathOf(Established), Error: "ETIMEDOUT", LastSent: c.sent}}
		if f.Time = c.at; c.at != 0 {
			f.Time = c.at.Add(c.after)
		}
		f.Evidence = Evidence{UserTimeout: Some(time.Minute), TimerRetransmits: Some[uint32](0), TimerProbes: Some[uint32](3)}
		if got := Classify(&f).Cause; got != c.want {
			t.Errorf("%v after %d, at %d: got %v, want %v", c.after, c.sent, c.at, got, c.want)
		}
	}
}

// TestFirstFIN: a peer that closed first began the end, also if this host's FIN never left.
func TestFirstFIN(t *testing.T) {
	for _, c := range []struct {
		path Path
		want Initiator
	}{
		{PathOf(Established, CloseWait), InitiatorPeer},
		{PathOf(Established, CloseWait, LastAck), InitiatorPeer},
		{PathOf(Established, FinWait1), InitiatorLocal}, // whose RST it was
		{PathOf(Established, FinWait1, Closing), InitiatorPeer},
	} {
		f := Facts{TCP: TCP{Path: c.path, FIN: FIN{Sent: Some(false)}}}
		f.Evidence = Evidence{Seen: 1<<ObservedInClose | 1<<ObservedUnread}
		if got := Classify(&f); got.Cause != CauseUnreadData || got.Initiator != c.want {
			t.Errorf("%v: got %v by %v, want unread-data by %v", c.path.States(), got.Cause, got.Initiator, c.want)
		}
	}
}

// TestGaps: events that were lost make each verdict inferred, and the reason says which loss.
func TestGaps(t *testing.T) {
	for _, c := range []struct {
		e        Evidence
		rule     string
		has, not string
	}{
		{Evidence{Seen: 1 << ObservedRSTReceived, Gap: true}, "peer-reset", "events around this end were lost or came too late", "no rule"},
		{Evidence{Seen: 1 << ObservedRSTReceived, Gap: true, Uncounted: true}, "peer-reset", "the trace was not closed", "came too late"},
		{Evidence{Gap: true}, noRule, "came too late, and no rule holds for what is left", "these facts"},
		{Evidence{}, noRule, "no rule holds for these facts", "came too late"},
	} {
		j := Classify(&Facts{Evidence: c.e})
		if j.Rule != c.rule || j.Confidence != Inferred || !strings.Contains(j.ConfidenceReason, c.has) || strings.Contains(j.ConfidenceReason, c.not) {
			t.Errorf("%+v: got %+v", c.e, j)
		}
	}
}

// TestDoubtOfAStacksReset: in FIN_WAIT2 only the peer's time can have run out.
func TestDoubtOfAStacksReset(t *testing.T) {
	for _, c := range []struct {
		state State
		dead  Opt[bool]
		want  Confidence
	}{
		{FinWait2, Some(false), Certain}, {Established, Some(false), Inferred}, {Established, Some(true), Certain}, {Established, Opt[bool]{}, Certain},
	} {
		f := Facts{TCP: TCP{Path: PathOf(c.state)}, Evidence: Evidence{RSTSentBefore: true, Dead: c.dead}}
		if got := Classify(&f); got.Confidence != c.want {
			t.Errorf("%v, dead %v: got %v by %s: %q", c.state, c.dead, got.Confidence, got.Rule, got.ConfidenceReason)
		}
	}
}
