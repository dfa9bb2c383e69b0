package tui

import (
	"slices"
	"strconv"
	"strings"

	"charm.land/bubbles/v2/viewport"
	"github.com/charmbracelet/x/ansi"

	"github.com/closetrace/closetrace/internal/human"
	"github.com/closetrace/closetrace/internal/safetext"
	"github.com/closetrace/closetrace/model"
)

// findingStory is everything about one finding: evidence and advice. It holds copies,
// so that they stay when the journal drops them.
type findingStory struct {
	finding Finding
	ends    []model.Record // those of the evidence that are kept
	looked  []string       // the ids that ends was looked for
	pages   viewport.Model
}

func newFindingStory(f Finding) *findingStory {
	return &findingStory{finding: f, pages: viewport.New()}
}

// rows lays the story out again: numbers grow while it is read.
func (t *findingStory) rows(s *screen, d *deck, height int) {
	if !slices.Equal(t.looked, t.finding.Evidence) {
		t.looked, t.ends = slices.Clone(t.finding.Evidence), findEnds(d, t.finding.Evidence)
	}
	t.pages.SetWidth(s.width)
	t.pages.SetHeight(max(height, 0))
	t.pages.SetContentLines(t.tell(s))
}

// findEnds returns the records of the ids that are kept, later evidence instead of
// what it amends.
func findEnds(d *deck, ids []string) (ends []model.Record) {
	places := map[string]int{}
	for i := d.journal.first; i < d.journal.next; i++ {
		r := d.journal.at(i)
		if r.Kind != model.KindTeardown && r.Kind != model.KindOutcome || !slices.Contains(ids, r.Teardown.ID) {
			continue
		}
		if place, known := places[r.Teardown.ID]; known {
			ends[place] = *r
			continue
		}
		places[r.Teardown.ID] = len(ends)
		ends = append(ends, *r)
	}
	return ends
}

// tell returns the story in lines of at most the screen's width.
func (t *findingStory) tell(s *screen) []string {
	f := &t.finding
	story := &story{pal: s.pal, g: s.g, zone: s.cfg.Zone, width: s.width}
	style := s.pal.strong
	if f.Alarm {
		style = s.pal.of(model.Abortive)
	}
	story.line(style.Styled(f.ID + ": " + f.harmWord()))
	story.prose(s.pal.strong.Styled(safetext.Escape(f.Title)), nil)
	story.heading("WHAT TO CHANGE")
	story.prose(safetext.Escape(f.Advice), nil)
	if f.Alike != "" {
		story.heading("WHAT LOOKS ALIKE")
		story.prose(safetext.Escape(f.Alike), nil)
	}
	story.heading("NUMBERS")
	if f.Share > 0 {
		story.field("connections", f.countWord())
	} else { // of the kernel's counters
		story.field("counted", f.countWord())
	}
	story.field("time", f.timeWord(s))
	story.field("process", safetext.Escape(f.Process))
	story.field("peer", safetext.Escape(f.Peer))
	if f.Inferred {
		story.field("confidence", "inferred (~)")
	}
	t.evidence(s, story)
	return story.cut()
}

// evidence lists the ends that prove it.
func (t *findingStory) evidence(s *screen, story *story) {
	if len(t.finding.Evidence) > 0 {
		story.heading("EVIDENCE")
	}
	for i := range t.ends {
		story.line("  " + s.evidenceLine(&t.ends[i]))
	}
	if gone := len(t.finding.Evidence) - len(t.ends); gone > 0 {
		story.line("  " + human.Count(uint64(gone)) + " more, not kept here: " + safetext.Escape(strings.Join(t.finding.Evidence, " ")))
	}
	story.line("")
	story.prose(s.pal.faint.Styled("enter: all its ends, --filter "+safetext.Quoted(t.finding.query())), nil)
}

// evidenceLine is an end in a line: when, what, who, and how long it was idle.
func (s *screen) evidenceLine(r *model.Record) string {
	d := &r.Teardown
	parts := []string{
		clockWord(d.Time, s.cfg.Zone, 3),
		s.pal.of(d.Verdict).Styled(verdictWord(&d.Judgement, s.g) + " " + d.Cause.String()),
		processWord(&d.Facts, 24, s.g),
		":" + strconv.Itoa(int(d.Network.Local.Port)) + " " + s.g.arrow + " " + endpointWord(d.Network.Peer, 0, s.g),
	}
	if idle, known := d.TCP.Idle.Get(); known {
		parts = append(parts, "idle "+human.Duration(idle))
	}
	if lost := d.TCP.Bytes.Lost(); lost > 0 {
		parts = append(parts, "lost "+human.Bytes(lost))
	}
	return ansi.Truncate(strings.Join(parts, "  "), max(s.width-2, 0), s.g.dots)
}
