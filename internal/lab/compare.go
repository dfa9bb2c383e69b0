package lab

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/closetrace/closetrace/model"
)

// clockSlack is how far a record's time may lie outside of its scenario's:
// tracers convert the kernel's clock to wall time.
const clockSlack = 50 * time.Millisecond

// Compare checks a tracer's records against the truths. Records match ends by
// network namespace and tuple, seen from that end; where a tuple was used
// twice, in the order of time. Results that were skipped or failed, and
// records of other namespaces and times, are left out.
func Compare(results []Result, records []model.Record) []Finding {
	outcomes := map[string]*model.Record{}
	byNamespace := map[uint32][]*model.Record{}
	for i := range records {
		r := &records[i]
		switch r.Kind {
		case model.KindTeardown:
			ns := r.Teardown.Network.NetNS
			byNamespace[ns] = append(byNamespace[ns], r)
		case model.KindOutcome:
			outcomes[r.Teardown.ID] = r
		case model.KindUnknown, model.KindStart, model.KindCloseFailed, model.KindLoss, model.KindCounters, model.KindClock, model.KindTable, model.KindStray, model.KindCounts, model.KindStop:
		}
	}
	var findings []Finding
	for i := range results {
		if r := &results[i]; r.Skipped == "" && r.Error == "" {
			findings = append(findings, compareResult(r, during(r, byNamespace[r.NetNS]), outcomes)...)
			findings = append(findings, compareFailed(r, records)...)
			findings = append(findings, compareStrays(r, records, byNamespace[r.NetNS])...)
		}
	}
	return findings
}

// during returns the records of the scenario's time, oldest first.
func during(r *Result, records []*model.Record) []*model.Record {
	from, to := model.TimeOf(r.Start.Add(-clockSlack)), model.TimeOf(r.Stop.Add(clockSlack))
	var kept []*model.Record
	for _, record := range records {
		if t := record.Time(); t >= from && t <= to {
			kept = append(kept, record)
		}
	}
	slices.SortStableFunc(kept, func(a, b *model.Record) int { return int(a.Time().Sub(b.Time())) })
	return kept
}

func compareResult(r *Result, records []*model.Record, outcomes map[string]*model.Record) []Finding {
	var findings []Finding
	for i := range r.Ends {
		c := comparison{scenario: r.Name, end: &r.Ends[i]}
		at := slices.IndexFunc(records, c.matches)
		if at < 0 {
			if c.end.Invisible == "" || c.end.Truth.Outcome != nil {
				c.add(Missing, "", "", "")
			}
		} else {
			record := records[at]
			records = slices.Delete(records, at, at+1)
			c.judge(record, outcomes[record.Teardown.ID])
		}
		findings = append(findings, c.findings...)
	}
	for _, record := range records {
		n := record.Teardown.Network
		findings = append(findings, Finding{
			Scenario: r.Name, End: fmt.Sprintf("%v -> %v", n.Local.AddrPort(), n.Peer.AddrPort()), Kind: Extra,
			Got:     fmt.Sprintf("%v %v", record.Teardown.Verdict, record.Teardown.Cause),
			Certain: record.Teardown.Confidence == model.Certain,
		})
	}
	return findings
}

// compareFailed checks the records of closes that tore nothing down against the
// calls that failed, in number and error.
func compareFailed(r *Result, records []model.Record) []Finding {
	var want, got []string
	for _, c := range r.Calls {
		if c.Name == closesocket && c.Error != "" && !c.Untold {
			want = append(want, c.Error)
		}
	}
	for i := range r.Ends {
		c := comparison{end: &r.Ends[i]}
		for j := range records {
			if records[j].Kind == model.KindCloseFailed && c.matches(&records[j]) {
				got = append(got, records[j].Error)
			}
		}
	}
	if slices.Equal(want, got) {
		return nil
	}
	return []Finding{{
		Scenario: r.Name, End: "a", Kind: Wrong, Field: "close-failed",
		Want: strings.Join(want, " "), Got: strings.Join(got, " "),
	}}
}

// comparison collects the findings about one end.
type comparison struct {
	scenario string
	end      *End
	prefix   string // of the fields of an outcome
	findings []Finding
}

func (c *comparison) add(kind FindingKind, field, want, got string) {
	c.findings = append(c.findings, Finding{
		Scenario: c.scenario, End: c.end.Label, Kind: kind, Field: field, Want: want, Got: got,
	})
}

// certainly marks the findings from the first-th on, if the record was certain.
func (c *comparison) certainly(first int, confidence model.Confidence) {
	for i := range c.findings[first:] {
		c.findings[first+i].Certain = confidence == model.Certain
	}
}

func (c *comparison) matches(r *model.Record) bool {
	same := func(e model.Endpoint, want netip.AddrPort) bool {
		return e.Address.Unmap() == want.Addr() && e.Port == want.Port()
	}
	n := &r.Teardown.Network
	return same(n.Local, c.end.Local) && same(n.Peer, c.end.Peer)
}

// judge compares a teardown and its outcome, if it has one. An outcome that
// retracts takes the place of what was said before, which must not have been
// certain.
func (c *comparison) judge(record, outcome *model.Record) {
	truth := &c.end.Truth
	if outcome != nil && outcome.Retracts {
		if record.Teardown.Confidence == model.Certain {
			c.add(Wrong, "confidence", model.Inferred.String(), model.Certain.String())
			c.certainly(0, model.Certain)
		}
		record, outcome = outcome, nil
	}
	if c.end.Invisible != "" && truth.Outcome == nil && record.Teardown.Confidence == model.Inferred {
		return
	}
	c.ending(truth, &record.Teardown)
	c.parties(truth, &record.Teardown)
	switch {
	case truth.Outcome == nil && outcome != nil:
		c.add(Wrong, "outcome", "", outcome.Teardown.Cause.String())
		c.certainly(len(c.findings)-1, outcome.Teardown.Confidence)
	case truth.Outcome != nil && outcome == nil && c.end.Invisible == "":
		c.add(Missing, "outcome", truth.Outcome.Cause.String(), "")
	case truth.Outcome != nil && outcome != nil:
		c.prefix = "outcome."
		c.ending(truth.Outcome, &outcome.Teardown)
	}
}

// ending compares how the connection ended.
func (c *comparison) ending(want *Truth, got *model.Teardown) {
	before := len(c.findings)
	enum(c, "verdict", want.Verdict, got.Verdict)
	enum(c, "cause", want.Cause, got.Cause)
	if !want.Between || got.Terminator != model.NetworkPath || got.Confidence != model.Inferred {
		enum(c, "initiator", want.Initiator, got.Initiator)
		enum(c, "terminator", want.Terminator, got.Terminator)
	}
	c.certainly(before, got.Confidence)
	enum(c, "tcp.path", want.From, got.TCP.Path.Last())
	optional(c, "tcp.fin.sent", want.FIN.Sent, got.TCP.FIN.Sent)
	optional(c, "tcp.fin.received", want.FIN.Received, got.TCP.FIN.Received)
	optional(c, "tcp.rst.sent", want.RST.Sent, got.TCP.RST.Sent)
	optional(c, "tcp.rst.received", want.RST.Received, got.TCP.RST.Received)
	optional(c, "tcp.time_wait", want.TimeWait, got.TCP.TimeWait)
	optional(c, "tcp.bytes.unread", want.Unread, got.TCP.Bytes.Unread)
	optional(c, "tcp.bytes.unacked", want.Unacked, got.TCP.Bytes.Unacked)
}

// parties compares who did it, and how long it took.
func (c *comparison) parties(want *Truth, got *model.Teardown) {
	if got.LingerOutcome != want.Linger {
		c.add(Wrong, "linger.outcome", want.Linger.String(), got.LingerOutcome.String())
	}
	c.blocked(want.Blocked, want.Late, got.CloseBlocked)
	enum(c, "tcp.role", want.Role, got.TCP.Role)
	value(c, "process.pid", want.Owner.PID, got.Process.PID)
	value(c, "process.name", want.Owner.Name, got.Process.Name)
	c.acceptor(want, got)
	if want.Call == model.CallUnknown {
		// A descriptor that was closed after the end; another process never had it.
		if pid := got.Closer.PID; pid != 0 && pid != want.Owner.PID && pid != want.Closer.PID {
			c.add(Wrong, "closer.pid", "", fmt.Sprint(pid))
		}
		return
	}
	value(c, "closer.pid", want.Closer.PID, got.Closer.PID)
	value(c, "closer.name", want.Closer.Name, got.Closer.Name)
	value(c, "closer.call", want.Call, got.Closer.Call)
	if want.Signal != got.Closer.Signal {
		c.add(Wrong, "closer.signal", fmt.Sprint(want.Signal), fmt.Sprint(got.Closer.Signal))
	}
}

// acceptor is told exactly where the owner is its child.
func (c *comparison) acceptor(want *Truth, got *model.Teardown) {
	value(c, "acceptor.pid", want.Acceptor.PID, got.Acceptor.PID)
	value(c, "acceptor.name", want.Acceptor.Name, got.Acceptor.Name)
	if want.Acceptor.PID == 0 && got.Acceptor.PID != 0 {
		c.add(Wrong, "acceptor.pid", "", fmt.Sprint(got.Acceptor.PID))
	}
}

// blocked allows 20 ms or 5 %, whichever is more, and that the thread ran late.
func (c *comparison) blocked(want model.Opt[time.Duration], late time.Duration, got model.Opt[time.Duration]) {
	w, known := want.Get()
	g, seen := got.Get()
	switch {
	case !known:
	case !seen:
		c.add(Absent, "close_blocked_ns", w.String(), "")
	case max(g-w, w-late-g) > max(20*time.Millisecond, w/20):
		c.add(Wrong, "close_blocked_ns", w.String(), g.String())
	}
}

// enum compares a value that a judgement always has: unknown is wrong.
func enum[T interface {
	comparable
	fmt.Stringer
}](c *comparison, field string, want, got T) {
	var unknown T
	if want != unknown && got != want {
		c.add(Wrong, c.prefix+field, want.String(), got.String())
	}
}

// value compares a fact that a tracer may not know.
func value[T comparable](c *comparison, field string, want, got T) {
	var unknown T
	switch {
	case want == unknown, got == want:
	case got == unknown:
		c.add(Absent, c.prefix+field, fmt.Sprint(want), "")
	default:
		c.add(Wrong, c.prefix+field, fmt.Sprint(want), fmt.Sprint(got))
	}
}

// optional compares a fact for which zero is not unknown.
func optional[T comparable](c *comparison, field string, want, got model.Opt[T]) {
	w, known := want.Get()
	g, seen := got.Get()
	switch {
	case !known, seen && g == w:
	case !seen:
		c.add(Absent, c.prefix+field, fmt.Sprint(w), "")
	default:
		c.add(Wrong, c.prefix+field, fmt.Sprint(w), fmt.Sprint(g))
	}
}
