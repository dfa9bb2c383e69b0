package findings_test

import (
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"github.com/closetrace/closetrace/internal/findings"
	"github.com/closetrace/closetrace/model"
)

// lostRequests is a recording of a server that closes with requests unread, of so many clients.
func lostRequests(t *testing.T, port, clients int) *findings.Report {
	t.Helper()
	var s stream
	for i := range 20 {
		s.end(time.Duration(i)*sec, "nginx", model.Passive, fmt.Sprintf("10.0.0.1:%d", port), fmt.Sprintf("10.1.0.%d:4000", 1+i%clients),
			model.CauseUnreadData, unread(512))
	}
	return found(t, s.records)
}

// bursts is a recording in which connections with one network end at these moments.
func bursts(t *testing.T, process string, moments ...time.Duration) *findings.Report {
	t.Helper()
	var s stream
	for n, at := range moments {
		for i := range 12 {
			s.end(at+time.Duration(i)*ms, process, model.Active, fmt.Sprintf("10.0.0.1:%d", 4000+100*n+i), fmt.Sprintf("10.9.0.%d:80", i), model.CausePeerReset)
		}
	}
	return found(t, s.records)
}

// TestCompare: the same finding is neither new nor gone because more clients have met it, a
// recording's time is another, or a process is not known.
func TestCompare(t *testing.T) {
	read := func(r *findings.Report) *findings.Report {
		text, err := json.Marshal(r)
		if err != nil {
			t.Fatal(err)
		}
		back := &findings.Report{}
		if err := json.Unmarshal(text, back); err != nil {
			t.Fatal(err)
		}
		return back
	}
	for name, c := range map[string]struct {
		before, after  *findings.Report
		appeared, gone int
	}{
		"more clients":     {lostRequests(t, 443, 2), lostRequests(t, 443, 3), 0, 0},
		"many clients":     {lostRequests(t, 443, 1), lostRequests(t, 443, 20), 0, 0},
		"another port":     {lostRequests(t, 443, 2), lostRequests(t, 8443, 2), 1, 1},
		"nothing":          {lostRequests(t, 443, 2), &findings.Report{}, 0, 1},
		"from files":       {read(lostRequests(t, 443, 2)), read(lostRequests(t, 443, 2)), 0, 0},
		"one from a file":  {lostRequests(t, 443, 2), read(lostRequests(t, 443, 2)), 0, 0},
		"bursts":           {bursts(t, "app", sec), bursts(t, "app", 3*sec, 9*sec), 0, 0},
		"unknown process":  {bursts(t, "app", sec), bursts(t, "", sec), 0, 0},
		"another process":  {bursts(t, "app", sec), bursts(t, "job", sec), 1, 1},
		"another finding":  {bursts(t, "app", sec), lostRequests(t, 443, 2), 1, 1},
		"both are the one": {bursts(t, "app", sec), bursts(t, "app", sec), 0, 0},
	} {
		if len(c.before.Findings) == 0 {
			t.Fatalf("%s: nothing is found", name)
		}
		appeared, gone := findings.Compare(c.before, c.after)
		if len(appeared) != c.appeared || len(gone) != c.gone {
			t.Errorf("%s: got new %+v and gone %+v, want %d and %d", name, appeared, gone, c.appeared, c.gone)
		}
	}
}

// TestBurstsAreTold: two bursts with one network are two findings.
func TestBurstsAreTold(t *testing.T) {
	r := bursts(t, "app", sec, 9*sec)
	if len(r.Findings) != 2 || r.Findings[0].Identity() == r.Findings[1].Identity() {
		t.Errorf("got %+v", r.Findings)
	}
}
