package tui

import (
	"fmt"
	"testing"

	"github.com/closetrace/closetrace/internal/human"
)

// countView is a view in as few lines as it takes: the recipe of CONTRIBUTING.
type countView struct {
	ends  uint64
	place int
	began bool
}

func (v *countView) title() string { return "Count" }

func (v *countView) keys(s *screen) []action {
	return []action{act(s.keys.sort, func(s *screen) { s.say("sorted") })}
}

func (v *countView) rows(_ *screen, d *deck, _ int) { v.ends = d.shown.counts.total() }
func (v *countView) move(_ *screen, n int)          { v.place += n }
func (v *countView) enter(*screen)                  { v.began = true }

func (v *countView) takeaway(*screen) takeaway {
	return takeaway{row: fmt.Sprint(v.ends), what: "the count", text: func() string { return fmt.Sprintln(v.ends) }}
}

func (v *countView) draw(*screen, int) []string { return []string{" ENDS", " " + human.Count(v.ends)} }

// TestViewIsOneFile: a view needs nothing but its methods and a line in the list.
func TestViewIsOneFile(t *testing.T) {
	r := newRig(t, 120, 24, demoFeed(), nil)
	v := &countView{}
	r.s.views = append(r.s.views, v)
	last := fmt.Sprint(len(r.s.views))
	r.press(last)
	r.shows("["+last+" Count]", "ENDS", "400", "s sort")
	r.press("s")
	r.shows("sorted")
	r.press("j", "enter")
	if v.place != 1 || !v.began {
		t.Errorf("place %d, entered %v; want 1, true", v.place, v.began)
	}
	if got := fmt.Sprint(r.press("y")()); got != "400" {
		t.Errorf("copied %q, want 400", got)
	}
	r.press("w")
	r.shows("write to: closetrace-count-")
	r.press("esc", "tab")
	r.shows("[1 Findings]")
}
