package join

import (
	"testing"
	"time"

	"github.com/closetrace/closetrace/etwsrc/etltest"
	"github.com/closetrace/closetrace/model"
)

// listed adds event 1480, which tells at of a connection that failed second
// seconds after the begin of the trace.
func listed(c *etltest.Conn, at time.Duration, state, second int, status uint32) {
	clock := 7*3600 + 30*60 + 1 + second // in a zone of 7:30
	c.Stack(at, 1480, etltest.Fields{
		"Status": status, "TcpState": state, "ProcessId": c.PID,
		"Hour": clock / 3600, "Minute": clock / 60 % 60, "Second": clock % 60,
	})
}

// Windows keeps a list of failures and tells it again and again.
func TestFailuresThatAreToldAgainAreOne(t *testing.T) {
	b := builder(t)
	c, old := connection(b, 0), connection(b, 1)
	c.State(0, etltest.SynSent, etltest.Established) // the trace begins
	for _, at := range []time.Duration{20 * sec, 50 * sec, 80 * sec} {
		listed(connection(b, 2), at, etltest.SynSent, 12, etltest.StatusRefused)
		listed(old, at, etltest.SynSent, -60, etltest.StatusRefused) // before the trace
	}
	listed(connection(b, 2), 110*sec, etltest.SynSent, 105, etltest.StatusTimeout)
	got := play(New(), b)
	if len(got) != 2 {
		t.Fatalf("%d records, want 2: %+v", len(got), got)
	}
	for i, want := range []struct {
		at    time.Duration
		cause model.Cause
	}{{13 * sec, model.CauseRefused}, {106 * sec, model.CauseConnectTimeout}} {
		if r := &got[i].Teardown; r.Time != model.Time(want.at) || r.Cause != want.cause || r.Verdict != model.FailedOpen || r.TCP.Role != model.Active {
			t.Errorf("failure %d: %v %v at %v, want %+v", i, r.Verdict, r.Cause, r.Time, want)
		}
	}
}

// What failed is a connect only in SYN_SENT.
func TestFailuresOfOtherStatesAreNoConnects(t *testing.T) {
	for _, state := range []int{etltest.Established, etltest.SynRcvd, etltest.Closed} {
		for _, told := range []bool{false, true} { // by the states, too
			b := builder(t)
			c := connection(b, 0)
			want := model.VerdictUnknown
			if told {
				c.Connect(0)
				c.State(500*ms, etltest.Established, etltest.Closed)
				want = model.Abortive
			}
			listed(c, 600*ms, state, 0, 0xC000020D) // STATUS_CONNECTION_RESET
			if got, _ := only(t, b); got.Verdict != want || !told && got.TCP.Role == model.Active {
				t.Errorf("state %d, told %v: %v %v, role %v; want %v", state, told, got.Verdict, got.Cause, got.TCP.Role, want)
			}
		}
	}
}

// The list may name the addresses of a connection that is open now.
func TestFailuresBeforeAConnectionAreNotItsOwn(t *testing.T) {
	b := builder(t)
	c := connection(b, 0)
	connection(b, 1).State(0, etltest.SynSent, etltest.Established)
	b.Base = 10 * sec
	c.Connect(0)
	c.State(100*ms, etltest.Established, etltest.Closed)
	listed(c, 200*ms, etltest.SynSent, 5, etltest.StatusRefused)
	if got, _ := only(t, b); got.Verdict != model.Abortive || len(got.Evidence.Events) != 0 {
		t.Errorf("%v %v by %+v, want abortive by nothing", got.Verdict, got.Cause, got.Evidence.Events)
	}
}

// Entries of the list are forgotten for newer ones, not for connections. The
// hour of a failure is not known: it is never certain.
func TestListOfFailuresIsLimited(t *testing.T) {
	j := New()
	j.limits.listed = 100
	b := builder(t)
	connection(b, 0).State(0, etltest.SynSent, etltest.Established)
	for i := range 300 {
		listed(connection(b, 1+i), 20*sec, etltest.SynSent, 12, etltest.StatusRefused)
	}
	got := play(j, b)
	if len(got) != 300 || len(j.listed.set) != 100 {
		t.Errorf("%d failures, %d entries are known; want 300, 100", len(got), len(j.listed.set))
	}
	for i := range got {
		if r := &got[i].Teardown; r.Cause != model.CauseRefused || r.Confidence != model.Inferred {
			t.Fatalf("%v, %v, want refused, inferred", r.Cause, r.Confidence)
		}
	}
}
