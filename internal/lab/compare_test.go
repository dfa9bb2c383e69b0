package lab

import (
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/closetrace/closetrace/model"
)

const testNetNS = 4026532000

var (
	testStart = time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)
	testLocal = netip.MustParseAddrPort("127.0.0.1:1000")
	testPeer  = netip.MustParseAddrPort("127.0.0.1:2000")
)

// testResult is a scenario with both ends of a connection that end a reset.
func testResult() Result {
	return Result{
		Name: "case", NetNS: testNetNS, Start: testStart, Stop: testStart.Add(time.Second),
		Ends: []End{
			{Label: "a", Local: testLocal, Peer: testPeer, Truth: Truth{
				Verdict: model.Abortive, Cause: model.CauseLingerZero,
				Initiator: model.InitiatorLocal, Terminator: model.LocalApp, From: model.Established,
				Role: model.Active, Owner: Party{10, "lab-a"}, Closer: Party{10, "lab-a"}, Call: model.CallClose,
				FIN: model.FIN{Sent: model.Some(false), Received: model.Some(false)},
				RST: model.RST{Sent: model.Some(true), Received: model.Some(false)}, Unread: model.Some(uint64(0)),
			}},
			{Label: "b", Local: testPeer, Peer: testLocal, Truth: Truth{
				Verdict: model.Abortive, Cause: model.CausePeerReset,
				Initiator: model.InitiatorPeer, Terminator: model.Peer, Owner: Party{11, "lab-b"},
			}},
		},
	}
}

// testRecords is what a perfect tracer says of testResult.
func testRecords() []model.Record {
	a := testRecord("1", testLocal, testPeer)
	t := &a.Teardown
	t.Verdict, t.Cause, t.Initiator, t.Terminator = model.Abortive, model.CauseLingerZero, model.InitiatorLocal, model.LocalApp
	t.TCP.Path = model.PathOf(model.Established, model.Closed)
	t.TCP.Role = model.Active
	t.Process = model.Process{PID: 10, Name: "lab-a"}
	t.Closer = model.Closer{PID: 10, TID: 12, Name: "lab-a", Call: model.CallClose}
	t.TCP.FIN = model.FIN{Sent: model.Some(false), Received: model.Some(false)}
	t.TCP.RST = model.RST{Sent: model.Some(true), Received: model.Some(false)}
	t.TCP.Bytes.Unread = model.Some(uint64(0))
	b := testRecord("2", testPeer, testLocal)
	t = &b.Teardown
	t.Verdict, t.Cause, t.Initiator, t.Terminator = model.Abortive, model.CausePeerReset, model.InitiatorPeer, model.Peer
	t.Process = model.Process{PID: 11, Name: "lab-b"}
	return []model.Record{a, b}
}

func testRecord(id string, local, peer netip.AddrPort) model.Record {
	r := model.Record{Kind: model.KindTeardown}
	r.Teardown.ID = id
	r.Teardown.Time = model.TimeOf(testStart.Add(500 * time.Millisecond))
	r.Teardown.Confidence = model.Certain
	r.Teardown.Network = model.Network{
		Local: model.Endpoint{Address: local.Addr(), Port: local.Port()},
		Peer:  model.Endpoint{Address: peer.Addr(), Port: peer.Port()},
		NetNS: testNetNS,
	}
	return r
}

func TestCompare(t *testing.T) {
	tests := []struct {
		name   string
		change func(*Result, *[]model.Record)
		want   []Finding
	}{
		{"a perfect record", func(*Result, *[]model.Record) {}, nil},
		{"another order", func(_ *Result, r *[]model.Record) { slices.Reverse(*r) }, nil},
		{
			"a missing end", func(_ *Result, r *[]model.Record) { *r = (*r)[:1] },
			[]Finding{{End: "b", Kind: Missing}},
		},
		{
			"an invisible end", func(res *Result, r *[]model.Record) {
				res.Ends[1].Invisible = "because"
				*r = (*r)[:1]
			}, nil,
		},
		{
			"a record twice", func(_ *Result, r *[]model.Record) { *r = append(*r, (*r)[1]) },
			[]Finding{{End: "127.0.0.1:2000 -> 127.0.0.1:1000", Kind: Extra, Got: "abortive peer-reset", Certain: true}},
		},
		{
			"a record of another connection", func(_ *Result, r *[]model.Record) {
				*r = append(*r, testRecord("3", testLocal, testLocal))
			}, []Finding{{End: "127.0.0.1:1000 -> 127.0.0.1:1000", Kind: Extra, Got: "unknown unknown", Certain: true}},
		},
		{
			"a record of another namespace", func(_ *Result, r *[]model.Record) {
				other := testRecord("3", testLocal, testPeer)
				other.Teardown.Network.NetNS++
				*r = append(*r, other)
			}, nil,
		},
		{
			"a record of another time", func(_ *Result, r *[]model.Record) {
				old := testRecord("3", testLocal, testPeer)
				old.Teardown.Time = model.TimeOf(testStart.Add(-time.Minute))
				*r = append([]model.Record{old}, *r...)
			}, nil,
		},
		{
			"a wrong judgement", func(_ *Result, r *[]model.Record) {
				(*r)[0].Teardown.Verdict, (*r)[0].Teardown.Cause = model.Graceful, model.CauseUnknown
				(*r)[0].Teardown.Initiator, (*r)[0].Teardown.Terminator = model.InitiatorPeer, model.Admin
				(*r)[0].Teardown.TCP.Path = model.PathOf(model.CloseWait, model.Closed)
			}, []Finding{
				{End: "a", Kind: Wrong, Field: "verdict", Want: "abortive", Got: "graceful", Certain: true},
				{End: "a", Kind: Wrong, Field: "cause", Want: "linger-zero", Got: "unknown", Certain: true},
				{End: "a", Kind: Wrong, Field: "initiator", Want: "local", Got: "peer", Certain: true},
				{End: "a", Kind: Wrong, Field: "terminator", Want: "local-app", Got: "admin", Certain: true},
				{End: "a", Kind: Wrong, Field: "tcp.path", Want: "ESTABLISHED", Got: "CLOSE_WAIT"},
			},
		},
		{
			"a wrong judgement that is inferred", func(_ *Result, r *[]model.Record) {
				(*r)[0].Teardown.Verdict, (*r)[0].Teardown.Confidence = model.Graceful, model.Inferred
			}, []Finding{{End: "a", Kind: Wrong, Field: "verdict", Want: "abortive", Got: "graceful"}},
		},
		{
			"what is not said", func(_ *Result, r *[]model.Record) {
				(*r)[0].Teardown.Process, (*r)[0].Teardown.TCP.RST.Sent = model.Process{}, model.Opt[bool]{}
			}, []Finding{
				{End: "a", Kind: Absent, Field: "tcp.rst.sent", Want: "true"},
				{End: "a", Kind: Absent, Field: "process.pid", Want: "10"},
				{End: "a", Kind: Absent, Field: "process.name", Want: "lab-a"},
			},
		},
		{
			"wrong facts", func(_ *Result, r *[]model.Record) {
				t := &(*r)[0].Teardown
				t.TCP.FIN.Sent, t.TCP.Bytes.Unread = model.Some(true), model.Some(uint64(7))
				t.Closer = model.Closer{PID: 11, Name: "lab-b", Call: model.CallExit, Signal: 9}
				t.LingerOutcome = model.LingerDrained
			}, []Finding{
				{End: "a", Kind: Wrong, Field: "tcp.fin.sent", Want: "false", Got: "true"},
				{End: "a", Kind: Wrong, Field: "tcp.bytes.unread", Want: "0", Got: "7"},
				{End: "a", Kind: Wrong, Field: "linger.outcome", Want: "", Got: "drained"},
				{End: "a", Kind: Wrong, Field: "closer.pid", Want: "10", Got: "11"},
				{End: "a", Kind: Wrong, Field: "closer.name", Want: "lab-a", Got: "lab-b"},
				{End: "a", Kind: Wrong, Field: "closer.call", Want: "close", Got: "exit"},
				{End: "a", Kind: Wrong, Field: "closer.signal", Want: "0", Got: "9"},
			},
		},
		{
			"a closer that was not there", func(_ *Result, r *[]model.Record) { (*r)[1].Teardown.Closer.PID = 99 },
			[]Finding{{End: "b", Kind: Wrong, Field: "closer.pid", Got: "99"}},
		},
		{
			"the owner as the closer of the rest", func(_ *Result, r *[]model.Record) { (*r)[1].Teardown.Closer.PID = 11 }, nil,
		},
		{"a scenario that was skipped", func(res *Result, r *[]model.Record) { res.Skipped, *r = "because", nil }, nil},
		{"a scenario that failed", func(res *Result, r *[]model.Record) { res.Error, *r = "because", nil }, nil},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			result, records := testResult(), testRecords()
			test.change(&result, &records)
			checkFindings(t, Compare([]Result{result}, records), test.want)
		})
	}
}

func checkFindings(t *testing.T, got, want []Finding) {
	t.Helper()
	for i := range want {
		want[i].Scenario = "case"
	}
	if !slices.Equal(got, want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
}

// A tuple that is used again: the ends come in the order of time.
func TestCompareReusedTuple(t *testing.T) {
	result, records := testResult(), testRecords()
	result.Ends = append(result.Ends, result.Ends[0])
	result.Ends[2].Truth = Truth{Verdict: model.Graceful, Cause: model.CauseFIN}
	late := testRecord("3", testLocal, testPeer)
	late.Teardown.Time = late.Teardown.Time.Add(time.Millisecond)
	late.Teardown.Verdict, late.Teardown.Cause = model.Graceful, model.CauseFIN
	checkFindings(t, Compare([]Result{result}, append([]model.Record{late}, records...)), nil)
}

func TestCompareOutcome(t *testing.T) {
	after := Truth{Verdict: model.Abortive, Cause: model.CauseRetransmitTimeout}
	outcome := func(cause model.Cause) model.Record {
		r := testRecord("1", testLocal, testPeer)
		r.Kind = model.KindOutcome
		r.Teardown.Verdict, r.Teardown.Cause = model.Abortive, cause
		return r
	}
	retracting := testRecords()[0]
	retracting.Kind, retracting.Retracts = model.KindOutcome, true
	tests := []struct {
		name      string
		truth     *Truth
		invisible string
		more      []model.Record
		want      []Finding
	}{
		{"as it was", &after, "", []model.Record{outcome(model.CauseRetransmitTimeout)}, nil},
		{"none reported", &after, "", nil, []Finding{{End: "a", Kind: Missing, Field: "outcome", Want: "retransmit-timeout"}}},
		{"none can be reported", &after, "because", nil, nil},
		{
			"another", &after, "",
			[]model.Record{outcome(model.CausePeerReset)},
			[]Finding{{End: "a", Kind: Wrong, Field: "outcome.cause", Want: "retransmit-timeout", Got: "peer-reset", Certain: true}},
		},
		{
			"one that never was", nil, "",
			[]model.Record{outcome(model.CausePeerReset)},
			[]Finding{{End: "a", Kind: Wrong, Field: "outcome", Got: "peer-reset", Certain: true}},
		},
		{
			"a certain verdict taken back", nil, "",
			[]model.Record{retracting},
			[]Finding{{End: "a", Kind: Wrong, Field: "confidence", Want: "inferred", Got: "certain", Certain: true}},
		},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			result := testResult()
			result.Ends[0].Truth.Outcome, result.Ends[0].Invisible = test.truth, test.invisible
			checkFindings(t, Compare([]Result{result}, append(testRecords(), test.more...)), test.want)
		})
	}
	t.Run("an inferred verdict taken back", func(t *testing.T) {
		records := append(testRecords(), retracting)
		records[0].Teardown.Confidence, records[0].Teardown.Verdict = model.Inferred, model.LingerTimeout
		checkFindings(t, Compare([]Result{testResult()}, records), nil)
	})
}

func TestCompareBlocked(t *testing.T) {
	for _, test := range []struct {
		truth, late, said time.Duration
		ok                bool
	}{
		{100 * time.Millisecond, 0, 119 * time.Millisecond, true},
		{100 * time.Millisecond, 0, 79 * time.Millisecond, false},
		{4 * time.Second, 0, 4190 * time.Millisecond, true},
		{4 * time.Second, 0, 3790 * time.Millisecond, false},
		{1400 * time.Millisecond, 380 * time.Millisecond, time.Second, true},
		{1400 * time.Millisecond, 300 * time.Millisecond, time.Second, false},
		{time.Second, 380 * time.Millisecond, 1100 * time.Millisecond, false},
	} {
		result, records := testResult(), testRecords()
		result.Ends[0].Truth.Blocked, result.Ends[0].Truth.Late = model.Some(test.truth), test.late
		records[0].Teardown.CloseBlocked = model.Some(test.said)
		findings := Compare([]Result{result}, records)
		if ok := len(findings) == 0; ok != test.ok {
			t.Errorf("blocked %v, said %v: got %v, want accepted %v", test.truth, test.said, findings, test.ok)
		}
	}
}

func TestFindingString(t *testing.T) {
	f := Finding{Scenario: "linger-zero", End: "a", Kind: Wrong, Field: "verdict", Want: "abortive", Got: "graceful"}
	if got, want := f.String(), `linger-zero a: wrong verdict: got "graceful", want "abortive"`; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	f.Certain = true
	if got, want := f.String(), `linger-zero a: wrong verdict: got "graceful" for certain, want "abortive"`; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	f = Finding{Scenario: "refused", End: "a", Kind: Missing}
	if got, want := f.String(), "refused a: missing"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}
