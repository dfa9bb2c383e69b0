package findings_test

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/closetrace/closetrace/internal/findings"
	"github.com/closetrace/closetrace/model"
)

func TestStoriesAreFound(t *testing.T) {
	for _, c := range stories() {
		t.Run(c.name, func(t *testing.T) {
			var s stream
			c.tell(&s)
			slices.SortStableFunc(s.records, func(a, b model.Record) int { return int(a.Time() - b.Time()) })
			r := found(t, s.records)
			if got := ids(r); !slices.Equal(got, c.want) {
				text, _ := json.MarshalIndent(r.Findings, "", " ")
				t.Fatalf("got findings %q, want %q\n%s", got, c.want, text)
			}
			for _, part := range c.says {
				if !strings.Contains(r.Findings[0].Title, part) {
					t.Errorf("%q does not say %q", r.Findings[0].Title, part)
				}
			}
			known := map[findings.Identity]bool{{}: true}
			for i := range r.Findings {
				f := &r.Findings[i]
				checkFinding(t, f, s.records)
				if known[f.Identity()] {
					t.Errorf("%q is not told from others: %+v", f.Title, f.Identity())
				}
				known[f.Identity()] = true
			}
		})
	}
}

// checkFinding: what every finding promises. Its filter selects what proves it.
func checkFinding(t *testing.T, f *findings.Finding, records []model.Record) {
	t.Helper()
	counted := f.Filter == "" // only counters show it
	if f.Share <= 0 != counted || f.Share > 1 || f.Count == 0 || len(f.Evidence) == 0 != counted || f.Advice == "" || f.First == 0 || f.Last < f.First {
		t.Errorf("incomplete: %+v", f)
	}
	if lines := f.Lines(1, findings.TextOptions{Width: 80}); len(lines) > 6 {
		t.Errorf("%d lines of text, want at most 6", len(lines))
	}
	if counted {
		return
	}
	filter, err := model.CompileFilter(f.Filter)
	if err != nil {
		t.Fatalf("%s: filter %q: %v", f.ID, f.Filter, err)
	}
	selected := map[string]bool{}
	for i := range records {
		if r := &records[i]; (r.Kind == model.KindTeardown || r.Kind == model.KindOutcome) && filter.Match(r) {
			selected[r.Teardown.ID] = true
		}
	}
	if uint64(len(selected)) != f.Count {
		t.Errorf("%s: filter %q selects %d ends, want those of its %d connections", f.ID, f.Filter, len(selected), f.Count)
	}
	if !slices.ContainsFunc(f.Evidence, func(id string) bool { return selected[id] }) {
		t.Errorf("%s: filter %q selects none of its evidence", f.ID, f.Filter)
	}
}

// TestOrderDoesNotMatter: records whose order is shuffled within 100 ms give the
// same findings.
func TestOrderDoesNotMatter(t *testing.T) {
	for _, c := range stories() {
		var s stream
		c.tell(&s)
		s.records = append(s.records, model.Record{Kind: model.KindStop, Stop: model.Stop{Time: begin.Add(5000 * sec)}})
		slices.SortStableFunc(s.records, func(a, b model.Record) int { return int(a.Time() - b.Time()) })
		want := found(t, s.records)
		for seed := range uint64(20) {
			random := rand.New(rand.NewPCG(seed, 1))
			late := map[int]model.Time{}
			order := make([]int, len(s.records))
			for i := range order {
				order[i], late[i] = i, s.records[i].Time().Add(time.Duration(random.Int64N(int64(100*ms))))
			}
			slices.SortFunc(order, func(a, b int) int { return int(late[a] - late[b]) })
			var shuffled []model.Record
			for _, i := range order {
				shuffled = append(shuffled, s.records[i])
			}
			if got := found(t, shuffled); !reflect.DeepEqual(got, want) {
				t.Fatalf("%s, seed %d: got %+v\nwant %+v", c.name, seed, got.Findings, want.Findings)
			}
		}
	}
}

// TestLossesAreSaid: with lost records nothing is certain.
func TestLossesAreSaid(t *testing.T) {
	for _, c := range stories() {
		if c.want == nil {
			continue
		}
		var s stream
		c.tell(&s)
		r := found(t, append(s.records, model.Record{Kind: model.KindLoss, Loss: model.Loss{Time: begin, Count: 7}}))
		for _, f := range r.Findings {
			if f.Confidence != model.Inferred || f.Numbers["lost_events"] != 7 || !strings.Contains(f.Title, "7 events were lost") {
				t.Errorf("%s: %v, %v, %q", c.name, f.Confidence, f.Numbers, f.Title)
			}
		}
		if r.Lost != 7 {
			t.Errorf("%s: got %d lost, want 7", c.name, r.Lost)
		}
	}
}

// TestMissingFactsSayNothing: without the facts that decide no alarm is raised.
func TestMissingFactsSayNothing(t *testing.T) {
	var s stream
	for i := range 50 {
		at := time.Duration(i) * sec
		s.end(at, "app", model.Passive, "10.0.0.1:80", fmt.Sprintf("10.0.0.2:%d", 4000+i), model.CauseDataAfterClose, by(model.InitiatorLocal))
		s.end(at, "app", model.Active, fmt.Sprintf("10.0.0.1:%d", 4000+i), "10.0.1.2:80", model.CausePeerReset)
		s.end(at, "app", model.Passive, "10.0.0.1:80", fmt.Sprintf("10.0.0.3:%d", 4000+i), model.CauseFIN, graceful)
	}
	if got := ids(found(t, s.records)); got != nil {
		t.Errorf("got %q, want nothing", got)
	}
}

func TestTableIsComplete(t *testing.T) {
	for _, p := range findings.Patterns() {
		if p.Name == "" || p.Title == "" || p.When == "" || p.Filter == "" {
			t.Errorf("incomplete: %+v", p)
		}
		if _, err := model.CompileFilter(p.Filter); err != nil {
			t.Errorf("%s: %v", p.Name, err)
		}
	}
	told := map[string]bool{}
	for _, c := range stories() {
		for _, id := range c.want {
			told[id] = true
		}
	}
	for _, p := range findings.Patterns() {
		if !told[p.Name] {
			t.Errorf("no story has %s", p.Name)
		}
	}
}

// TestOpenConnectionsLeak: the list of what is open shows a process that does not close; one
// connection of a pool that nobody has looked at for a while is none.
func TestOpenConnectionsLeak(t *testing.T) {
	open := func(pid int, state model.State, silent time.Duration) findings.Open {
		return findings.Open{
			ID: fmt.Sprint(pid, silent), Process: "app", PID: pid, State: state, Silent: silent,
			Local: netip.MustParseAddrPort("10.0.0.1:4000"), Peer: netip.MustParseAddrPort("10.0.0.2:80"),
		}
	}
	e := findings.New()
	e.See(begin, []findings.Open{
		open(7, model.CloseWait, 67*time.Minute), open(7, model.CloseWait, 20*sec), open(7, model.CloseWait, sec), open(7, model.Established, time.Hour),
		open(8, model.CloseWait, 30*sec), open(8, model.CloseWait, 0),
		open(9, model.CloseWait, 12*sec), open(9, model.CloseWait, 13*sec), open(9, model.CloseWait, 14*sec),
	})
	r := e.Report()
	if len(r.Findings) != 2 || r.Findings[0].ID != "close-wait-leak" || r.Findings[0].Count != 3 || !strings.Contains(r.Findings[0].Title, "app[9] has 3 connections in CLOSE_WAIT") ||
		!strings.Contains(r.Findings[1].Title, "app[7] has 2 connections in CLOSE_WAIT, the oldest for 1h07m") {
		t.Errorf("got %+v", r.Findings)
	}
	e.See(begin.Add(sec), nil)
	if r := e.Report(); len(r.Findings) != 0 {
		t.Errorf("they are closed, and still told: %+v", r.Findings)
	}
}

// TestIntervalsOfTwoRecordings: ends of two recordings of the same time, read one after the
// other, have no negative intervals.
func TestIntervalsOfTwoRecordings(t *testing.T) {
	var s stream
	for range 2 {
		s.refusedChecks("app", 16, sec)
	}
	e := findings.New()
	for i := range s.records {
		e.Add(&s.records[i])
	}
	e.Finish()
	all := e.Report().Findings
	if len(all) != 1 || all[0].ID != "refused-loop" || all[0].Count != 32 {
		t.Fatalf("got %+v", all)
	}
	if every := all[0].Numbers["interval_ns"]; every < int64(800*ms) || every > int64(sec) {
		t.Errorf("every %v, want a little less than 1 s", time.Duration(every))
	}
}
