package findings_test

import (
	"fmt"
	"net/netip"
	"testing"
	"time"

	"github.com/closetrace/closetrace/internal/findings"
	"github.com/closetrace/closetrace/model"
)

const (
	ms  = time.Millisecond
	sec = time.Second
)

// begin is when every stream begins.
var begin = model.TimeOf(time.Date(2026, 11, 28, 12, 0, 0, 0, time.UTC))

// edit changes the facts of an end.
type edit func(*model.Teardown)

// stream is a list of records made by hand: what happened is said by the test that
// makes it, and is not computed by a rule.
type stream struct {
	records []model.Record
	n       int
}

// end adds a connection end that ended at after the begin of the stream.
func (s *stream) end(at time.Duration, process string, role model.Role, local, peer string, cause model.Cause, edits ...edit) *model.Teardown {
	s.n++
	t := model.Teardown{}
	t.ID, t.Time = fmt.Sprintf("b-%d", s.n), begin.Add(at)
	t.Network.Local, t.Network.Peer = endpoint(local), endpoint(peer)
	t.Process = model.Process{PID: 100 + len(process), Name: process}
	t.Verdict, t.Cause, t.Confidence = model.Abortive, cause, model.Certain
	t.TCP.Role = role
	t.TCP.Bytes.Unread, t.TCP.Bytes.Unacked = model.Some[uint64](0), model.Some[uint64](0)
	for _, e := range edits {
		e(&t)
	}
	s.records = append(s.records, model.Record{Kind: model.KindTeardown, Teardown: t})
	return &s.records[len(s.records)-1].Teardown
}

// outcome adds later evidence for an end.
func (s *stream) outcome(at time.Duration, of *model.Teardown, cause model.Cause, rule string) {
	t := model.Teardown{}
	t.ID, t.Time, t.Network, t.Process = of.ID, begin.Add(at), of.Network, of.Process
	t.Verdict, t.Cause, t.Rule, t.Confidence = model.Abortive, cause, rule, model.Certain
	t.Evidence.Later = true
	s.records = append(s.records, model.Record{Kind: model.KindOutcome, Teardown: t})
}

// stray adds resets that were sent without a socket.
func (s *stream) stray(at, first time.Duration, local, peer string) {
	t := model.Teardown{}
	t.ID, t.Time = "s-1", begin.Add(at)
	t.Network.Local, t.Network.Peer = endpoint(local), endpoint(peer)
	s.records = append(s.records, model.Record{
		Kind: model.KindStray, Teardown: t, Stray: model.Stray{Count: 1, First: begin.Add(first), Why: model.StrayNotOurs},
	})
}

func endpoint(s string) model.Endpoint {
	a := netip.MustParseAddrPort(s)
	return model.Endpoint{Address: a.Addr(), Port: a.Port()}
}

func bytes(sent, received uint64) edit {
	return func(t *model.Teardown) {
		t.TCP.Bytes.Sent, t.TCP.Bytes.Received = model.Some(sent), model.Some(received)
	}
}

func unread(n uint64) edit {
	return func(t *model.Teardown) { t.TCP.Bytes.Unread = model.Some(n) }
}

func unacked(n uint64) edit {
	return func(t *model.Teardown) { t.TCP.Bytes.Unacked = model.Some(n) }
}

func lasted(d time.Duration) edit {
	return func(t *model.Teardown) { t.Duration, t.StartTime = model.Some(d), t.Time.Add(-d) }
}

func idle(d time.Duration) edit { return func(t *model.Teardown) { t.TCP.Idle = model.Some(d) } }

// spoke says how long before the end data was last sent and received.
func spoke(sent, received time.Duration) edit {
	return func(t *model.Teardown) {
		t.TCP.LastSent, t.TCP.LastReceived = t.Time.Add(-sent), t.Time.Add(-received)
		t.TCP.LastSpeaker = model.SideLocal
		if received < sent {
			t.TCP.LastSpeaker = model.SidePeer
		}
	}
}

// heard is of an end that never sent anything.
func heard(received time.Duration) edit {
	return func(t *model.Teardown) {
		t.TCP.LastReceived, t.TCP.LastSpeaker = t.Time.Add(-received), model.SidePeer
	}
}

func by(who model.Initiator) edit { return func(t *model.Teardown) { t.Initiator = who } }

func call(c model.Call, signal int) edit {
	return func(t *model.Teardown) {
		t.Closer = model.Closer{PID: t.Process.PID, Name: t.Process.Name, Call: c, Signal: signal}
	}
}

func graceful(t *model.Teardown) { t.Verdict = model.Graceful }
func failed(t *model.Teardown)   { t.Verdict = model.FailedOpen }
func gotFIN(t *model.Teardown)   { t.TCP.FIN.Received = model.Some(true) }
func noRST(t *model.Teardown)    { t.TCP.RST.Sent = model.Some(false) }
func path(states ...model.State) edit {
	return func(t *model.Teardown) { t.TCP.Path = model.PathOf(states...) }
}

// found runs an engine over the records and returns what it reports.
func found(t *testing.T, records []model.Record) *findings.Report {
	t.Helper()
	e := findings.New()
	for i := range records {
		e.Add(&records[i])
	}
	e.Finish()
	return e.Report()
}

func ids(r *findings.Report) (list []string) {
	for _, f := range r.Findings {
		list = append(list, f.ID)
	}
	return list
}
