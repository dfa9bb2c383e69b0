package tui

import (
	"strings"
	"time"

	"charm.land/bubbles/v2/viewport"
	"github.com/charmbracelet/x/ansi"

	"github.com/closetrace/closetrace/model"
)

// detail is the story of one record. It holds a copy, so that it stays when
// the journal drops the record.
type detail struct {
	seq     uint64
	rec     model.Record
	related related
	looked  model.Time // when related was looked for
	width   int        // that the story was laid out for
	follow  bool       // the stream followed the newest when it was opened
	pages   viewport.Model
}

// title implements [view].
func (t *detail) title() string { return "Detail" }

// keys implements [view].
func (t *detail) keys(s *screen) []action {
	k := &s.keys
	return []action{
		act(k.back, (*screen).closeDetail),
		act(k.nextOne, func(s *screen) { s.neighbour(1) }),
		act(k.previousOne, func(s *screen) { s.neighbour(-1) }),
	}
}

// enter implements [view].
func (t *detail) enter(s *screen) { s.closeDetail() }

// move implements [view].
func (t *detail) move(_ *screen, n int) { scroll(&t.pages, n) }

// draw implements [view].
func (t *detail) draw(*screen, int) []string { return strings.Split(t.pages.View(), "\n") }

// takeaway implements [view].
func (t *detail) takeaway(s *screen) takeaway {
	take := s.takeRecord(&t.rec)
	take.text = func() string { return ansi.Strip(t.pages.GetContent()) + "\n" }
	return take
}

// scroll moves pages by n lines, or to an end.
func scroll(pages *viewport.Model, n int) {
	switch {
	case n == toFirst:
		pages.GotoTop()
	case n == toLast:
		pages.GotoBottom()
	case n < 0:
		pages.ScrollUp(-n)
	default:
		pages.ScrollDown(n)
	}
}

// openDetail opens the selected record, if it is one about a connection.
func (s *screen) openDetail() {
	row := s.stream.current()
	if row == nil {
		return
	}
	switch row.rec.Kind {
	case model.KindTeardown, model.KindOutcome, model.KindCloseFailed, model.KindStray:
	default:
		s.say("this line is not about a connection")
		return
	}
	s.detail = &detail{seq: row.seq, rec: row.rec, pages: viewport.New(), follow: s.stream.follow}
	s.stream.follow = false
}

// closeDetail goes back to the stream, which follows again if it did before.
func (s *screen) closeDetail() {
	if s.detail != nil {
		s.stream.follow = s.detail.follow
	}
	s.detail = nil
}

// neighbour opens the next or the previous record about a connection.
func (s *screen) neighbour(n int) {
	for range 100 { // losses and the like are stepped over
		before := s.stream.selected
		s.with(func(d *deck) {
			s.stream.sel(s.detail.seq)
			s.stream.step(d, n)
			s.stream.refresh(d, s.stream.height, s.wall)
		})
		row := s.stream.current()
		if row == nil || row.seq == before && row.seq == s.detail.seq {
			return
		}
		s.detail.seq = row.seq
		switch row.rec.Kind {
		case model.KindTeardown, model.KindOutcome, model.KindCloseFailed, model.KindStray:
			s.openDetail()
			return
		default:
		}
	}
}

// rows implements [view]: it lays the story out again when the room or what is known has
// changed.
func (t *detail) rows(s *screen, d *deck, height int) {
	width := s.width
	if s.width >= wideDetail {
		width = s.width - s.tableWidth() - 3
	}
	t.pages.SetWidth(width)
	t.pages.SetHeight(height)
	again := t.looked == 0 || s.now < t.looked || s.now.Sub(t.looked) >= time.Second
	if !again && width == t.width {
		return
	}
	t.looked, t.width = max(s.now, 1), width
	t.related = findRelated(d, t.seq, &t.rec)
	story := &story{
		rec: &t.rec, related: t.related, pal: s.pal, g: s.g, zone: s.cfg.Zone, width: width,
	}
	if s.cfg.Explain != nil && t.rec.Kind != model.KindCloseFailed && t.rec.Kind != model.KindStray {
		story.explain = s.cfg.Explain(t.rec.Teardown.Cause)
	}
	t.pages.SetContentLines(story.tell())
}
