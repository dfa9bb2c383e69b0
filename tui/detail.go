package tui

import (
	"time"

	"charm.land/bubbles/v2/viewport"

	"github.com/closetrace/closetrace/model"
)

// detail is the story of one record. It holds a copy, so that it stays when
// the journal drops the record.
type detail struct {
	seq     uint64
	rec     model.Record
	related related
	looked  model.Time // when related was looked for
	width   int        // that the story was told for
	follow  bool       // the stream followed the newest when it was opened
	pages   viewport.Model
}

// openDetail opens the selected record, if it is one about a connection.
func (s *screen) openDetail() {
	row := s.stream.current()
	if row == nil {
		return
	}
	switch row.rec.Kind {
	case model.KindTeardown, model.KindOutcome, model.KindCloseFailed:
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
			s.stream.move(d, n)
			s.stream.refresh(d, s.stream.height, s.now)
		})
		row := s.stream.current()
		if row == nil || row.seq == before && row.seq == s.detail.seq {
			return
		}
		s.detail.seq = row.seq
		switch row.rec.Kind {
		case model.KindTeardown, model.KindOutcome, model.KindCloseFailed:
			s.openDetail()
			return
		default:
		}
	}
}

// refreshDetail tells the story again when the room or what is known changed.
func (s *screen) refreshDetail(d *deck) {
	t := s.detail
	if t == nil {
		return
	}
	width := s.width
	if s.width >= wideDetail {
		width = s.width - s.tableWidth() - 3
	}
	t.pages.SetWidth(width)
	t.pages.SetHeight(s.tableHeight())
	again := t.looked == 0 || s.now < t.looked || s.now.Sub(t.looked) >= time.Second
	if !again && width == t.width {
		return
	}
	t.looked, t.width = max(s.now, 1), width
	t.related = findRelated(d, t.seq, &t.rec)
	story := &story{
		rec: &t.rec, related: t.related, pal: s.pal, g: s.g, zone: s.cfg.Zone, width: width,
	}
	if s.cfg.Explain != nil && t.rec.Kind != model.KindCloseFailed {
		story.explain = s.cfg.Explain(t.rec.Teardown.Cause)
	}
	t.pages.SetContentLines(story.tell())
}
