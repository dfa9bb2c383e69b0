package tui

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/closetrace/closetrace/model"
)

// someFindings are made of demoFeed's records, not by the engine.
func someFindings() []Finding {
	records := demoFeed()
	var list []Finding
	for _, cause := range []model.Cause{model.CauseUnreadData, model.CausePeerReset} {
		f := Finding{
			ID: "request-lost", Title: "nginx closed with an unread request, 43 times.", Harm: "high", Alarm: true, Ongoing: true,
			Share: 0.1, Process: "nginx", Advice: "Read until the end of the request before close().",
			Alike: "tls-close-notify: only a farewell was unread", Filter: fmt.Sprintf("cause == %q", cause),
		}
		if cause == model.CausePeerReset {
			f.ID, f.Title, f.Harm, f.Alarm, f.Inferred, f.Filter = "health-check", "10.0.1.5 checks.", "benign", false, true, ""
		}
		for i := range records {
			if d := &records[i].Teardown; d.Cause == cause {
				if f.Count++; f.First == 0 {
					f.First = d.Time
				}
				f.Last = d.Time
				if len(f.Evidence) < 3 {
					f.Evidence = append(f.Evidence, d.ID)
				}
			}
		}
		list = append(list, f)
	}
	return list
}

func withFindings(c *Config) { c.Findings = someFindings }

// TestFindingLeadsToItsEnds: enter shows evidence and advice, enter again the ends; esc goes
// the way back.
func TestFindingLeadsToItsEnds(t *testing.T) {
	for _, size := range [][2]int{{80, 24}, {120, 40}, {200, 60}} {
		r := newRig(t, size[0], size[1], demoFeed(), withFindings)
		want := someFindings()
		r.shows("request-lost: nginx closed with an unread request", "[2 Stream]")
		r.press("1")
		r.shows("[1 Findings]", "▸high", "benign~", "going on", "Read until the end of the request")
		r.press("enter")
		r.shows("WHAT TO CHANGE", "Read until the end", "WHAT LOOKS ALIKE", "only a farewell", "EVIDENCE")
		for i := range want[0].Evidence {
			r.shows(clockWord(demoEnd(want[0].Evidence[i]).Time, nil, 3))
		}
		r.press("G")
		r.shows("cause == \"unread-data\"")
		r.press("enter")
		r.shows("[2 Stream]", "filter  finding is request-lost", fmt.Sprintf("%d of 400", want[0].Count))
		r.press("esc")
		r.shows("[1 Findings]", "WHAT TO CHANGE")
		r.hides("filter  finding")
		r.press("n")
		r.shows("10.0.1.5 checks.")
		r.press("enter") // no expression: the ends that prove it
		r.shows("finding is health-check", fmt.Sprintf("%d of 400", len(want[1].Evidence)))
		r.press("esc", "esc")
		r.shows("HARM", "▸benign~")
	}
}

func demoEnd(id string) *model.Teardown {
	records := demoFeed()
	for i := range records {
		if records[i].Teardown.ID == id {
			return &records[i].Teardown
		}
	}
	panic("no end " + id)
}

// TestFindingsMayBeMissing: none found yet, and no search for them.
func TestFindingsMayBeMissing(t *testing.T) {
	r := newRig(t, 80, 24, demoFeed(), func(c *Config) { c.Findings = func() []Finding { return nil } })
	r.press("1", "enter", "j", "y", "n")
	r.shows("Nothing was found yet")
	r = newRig(t, 80, 24, demoFeed(), nil)
	r.press("1", "enter", "G", "Y")
	r.shows("Nobody looks for findings here.")
}

// TestSelectedFindingStays: another one may become the worst.
func TestSelectedFindingStays(t *testing.T) {
	list := someFindings()
	r := newRig(t, 80, 24, demoFeed(), func(c *Config) { c.Findings = func() []Finding { return list } })
	r.press("1", "j")
	r.shows("▸benign~")
	list = append([]Finding{{ID: "path-dead", Title: "A path is dead\x1b[2J.", Harm: "high", Alarm: true, Count: 9}}, list...)
	r.tick(frame)
	r.shows("▸benign~", `path-dead: A path is dead\x1b[2J.`)
	r.press("g")
	r.shows("▸high")
	text := r.s.found.text(r.s)
	if strings.Count(text, "\n\n") != 3 || strings.Contains(text, "\x1b") {
		t.Errorf("written:\n%s", text)
	}
}

// TestSelectedFindingGrows: with more peers its words and its filter are others.
func TestSelectedFindingGrows(t *testing.T) {
	list := someFindings()
	list[1].Identity, list[1].Peer = 7, "10.0.1.5"
	r := newRig(t, 80, 24, demoFeed(), func(c *Config) { c.Findings = func() []Finding { return slices.Clone(list) } })
	r.press("1", "j")
	r.shows("▸benign~")
	list = []Finding{{ID: "path-dead", Title: "A path is dead.", Harm: "high", Alarm: true, Count: 9, Identity: 8}, list[0], list[1]}
	list[2].Peer, list[2].Filter = "2 peers", "true"
	r.tick(frame)
	r.shows("▸benign~")
}

// TestTabsFit: whatever the width, the view that is shown and all digits are there.
func TestTabsFit(t *testing.T) {
	for _, width := range []int{60, 70, 80, 120} {
		r := newRig(t, width, 24, demoFeed(), withFindings)
		for _, view := range []string{"1 Findings", "4 Processes", "7 Pairs"} {
			r.press(view[:1], "t", "space")
			r.shows("["+view+"]", "PAUSED")
			if view == "4 Processes" {
				r.shows("last minute")
			}
			line := strings.Split(r.text(), "\n")[1]
			for digit := range 7 {
				if !strings.Contains(line, fmt.Sprint(digit+1)) {
					t.Errorf("no digit %d at width %d: %q", digit+1, width, line)
				}
			}
			r.press("t", "space")
		}
	}
}

// TestFilterIsQuoted: the expression is offered for a shell; a name in it runs nothing there.
func TestFilterIsQuoted(t *testing.T) {
	f := Finding{ID: "request-lost", Filter: `process.name == "';id;'"`}
	r := newRig(t, 120, 40, nil, func(c *Config) { c.Findings = func() []Finding { return []Finding{f} } })
	r.press("1", "enter")
	r.shows(`--filter 'process.name == "'\'';id;'\''"'`)
}

// TestWrittenFindingsAreOfAllEnds: neither the query nor the last minute of the grouped
// views chooses among findings, and no heading says so.
func TestWrittenFindingsAreOfAllEnds(t *testing.T) {
	r := newRig(t, 120, 40, demoFeed(), withFindings)
	r.press("a", "4", "t")
	for _, want := range []string{"# filter: not graceful", "# counted: the last minute"} {
		if text := r.s.view.takeaway(r.s).text(); !strings.Contains(text, want) {
			t.Errorf("no %q in\n%s", want, text)
		}
	}
	r.press("1")
	if text := r.s.view.takeaway(r.s).text(); strings.Contains(text, "# filter") || strings.Contains(text, "# counted") || !strings.Contains(text, "# to: ") {
		t.Errorf("got\n%s", text)
	}
}
