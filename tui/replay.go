package tui

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"charm.land/bubbles/v2/key"
	"github.com/charmbracelet/x/ansi"

	"github.com/closetrace/closetrace/model"

	"github.com/closetrace/closetrace/internal/human"
)

// player moves through a recording that was read: the screen shows what had
// come until its position.
type player struct {
	loaded  bool
	playing bool
	speed   float64    // recorded seconds per second
	at      model.Time // the position
	limit   uint64     // records before this number are shown
	end     uint64
	first   model.Time // of the records that are kept
	last    model.Time
}

// replayKeys are the keys that step; in a replay the position moves.
func (s *screen) replayKeys() []action {
	k := &s.keys
	by := func(b key.Binding, n int, want func(*model.Record) bool) action {
		return act(b, func(s *screen) { s.step(n, want) })
	}
	keys := []action{
		by(k.step, 1, anyRecord), by(k.stepBack, -1, anyRecord), by(k.abort, 1, abortiveRecord), act(k.abortBack, (*screen).stepBackToAbort),
	}
	if p := s.replay; p != nil {
		keys = append(keys,
			act(k.seek, func(s *screen) { s.ask(askTime) }),
			act(k.restart, func(s *screen) { p.restart(s) }),
			act(k.faster, func(*screen) { p.speed = min(max(p.speed, 0.5)*2, 1024) }),
			act(k.slower, func(*screen) { p.speed = max(p.speed/2, 1.0/16) }))
	}
	return keys
}

func anyRecord(*model.Record) bool { return true }

func abortiveRecord(r *model.Record) bool {
	return (r.Kind == model.KindTeardown || r.Kind == model.KindOutcome) && r.Teardown.Verdict == model.Abortive
}

// step goes to the next record of the query that want chooses: in a replay the
// position moves, otherwise the selection.
func (s *screen) step(n int, want func(*model.Record) bool) {
	if s.replay != nil && s.replay.loaded {
		s.replay.playing = false
		s.replay.step(s, n, want)
		s.followStep()
		return
	}
	s.with(func(d *deck) {
		from := s.stream.selected
		if s.stream.follow && d.hits.len() > 0 && s.stream.sort == sortTime {
			from = d.hits.at(d.hits.len() - 1)
		}
		i := d.index(from) + n
		for ; i >= 0 && i < d.hits.len(); i += n {
			if seq := d.hits.at(i); want(d.journal.at(seq)) {
				s.stream.sel(seq)
				return
			}
		}
	})
	s.followStep()
}

// stepBackToAbort begins at the newest record while the stream follows it: nobody has
// chosen that one.
func (s *screen) stepBackToAbort() {
	found := false
	if s.replay == nil && s.detail == nil && s.stream.follow && s.stream.sort == sortTime {
		s.with(func(d *deck) {
			if n := d.hits.len(); n > 0 && abortiveRecord(d.journal.at(d.hits.at(n-1))) {
				s.stream.sel(d.hits.at(n - 1))
				found = true
			}
		})
	}
	if !found {
		s.step(-1, abortiveRecord)
	}
}

// followStep opens the record that was stepped to if a detail is open.
func (s *screen) followStep() {
	if s.detail == nil {
		return
	}
	s.with(func(d *deck) { s.stream.refresh(d, s.stream.height, s.wall) })
	s.openDetail()
}

// replayTick moves a running replay on.
func (s *screen) replayTick(now, before model.Time) {
	p := s.replay
	if !p.loaded {
		s.loadReplay()
		return
	}
	if !p.playing || before == 0 {
		return
	}
	p.at = p.at.Add(time.Duration(float64(now.Sub(before)) * p.speed))
	limit := p.limit
	j := s.frozen.journal
	for j.next = p.end; limit < p.end && j.peek(limit).Time() <= p.at; {
		limit++
	}
	if limit == p.end {
		p.playing, p.at = false, p.last
	}
	p.show(s, limit)
}

// loadReplay begins when the whole recording was read: at its end, or, with a
// speed, at its beginning.
func (s *screen) loadReplay() {
	s.in.mu.Lock()
	ended, last := s.in.ended, s.in.deck.all.last
	s.in.mu.Unlock()
	s.now = last
	if !ended {
		return
	}
	p := s.replay
	s.frozen = s.takeSnapshot()
	s.takeAnew()
	j := &s.frozen.journal
	p.loaded, p.end, p.limit = true, j.next, j.next
	p.last, p.at = last, last
	p.first = last
	for seq := j.first; seq < j.next && p.first == last; seq++ {
		if t := j.peek(seq).Time(); t != 0 {
			p.first = t
		}
	}
	if p.speed > 0 {
		p.playing, p.at = true, p.first
		p.show(s, j.first)
	}
}

// show makes the screen show the records before limit.
func (p *player) show(s *screen, limit uint64) {
	p.limit = limit
	s.frozen.truncate(limit, p.end)
	s.now = p.at
	if !p.playing {
		s.takeAnew()
	}
}

// step moves the position by records of the query that want chooses.
func (p *player) step(s *screen, n int, want func(*model.Record) bool) {
	d := s.frozen
	j := d.journal
	j.next = p.end
	limit := p.limit
	for {
		if n > 0 {
			if limit >= p.end {
				return
			}
			limit++
		} else {
			if limit <= j.first+1 {
				return
			}
			limit--
		}
		r := j.at(limit - 1)
		if (d.match == nil || d.match(r)) && want(r) {
			break
		}
	}
	if t := j.peek(limit - 1).Time(); t != 0 {
		p.at = t
	}
	p.show(s, limit)
	s.stream.sel(limit - 1)
	s.stream.follow = d.hits.at(d.hits.len()-1) == limit-1
}

// restart plays from the start.
func (p *player) restart(s *screen) {
	if !p.loaded {
		return
	}
	p.playing, p.at, p.speed = true, p.first, max(p.speed, 1)
	p.show(s, s.frozen.journal.first)
	s.stream.follow = true
}

// seek goes to a time: of the day, or from the position on, as in +5m. What is before the
// first record that is kept is its time.
func (p *player) seek(s *screen, text string) error {
	at, err := p.moment(text, s.cfg.Zone)
	if err != nil {
		return err
	}
	p.playing, p.at = false, min(max(at, p.first), p.last)
	j := s.frozen.journal
	j.next = p.end
	limit := j.first
	for limit < p.end && j.peek(limit).Time() <= p.at {
		limit++
	}
	p.show(s, limit)
	s.stream.follow = true
	return nil
}

// moment reads a time: 17:03 or 17:03:05 is the first one after the position's day began,
// or of the next day if the recording begins later.
func (p *player) moment(text string, zone *time.Location) (model.Time, error) {
	if strings.HasPrefix(text, "+") || strings.HasPrefix(text, "-") {
		d, err := time.ParseDuration(text)
		return p.at.Add(d), errTime(err)
	}
	for _, layout := range []string{"15:04:05", "15:04"} {
		clock, err := time.Parse(layout, text)
		if err != nil {
			continue
		}
		day := inZone(p.first, zone)
		at := time.Date(day.Year(), day.Month(), day.Day(), clock.Hour(), clock.Minute(), clock.Second(), clock.Nanosecond(), day.Location())
		if next := at.AddDate(0, 0, 1); at.Before(day.Add(-time.Minute)) && !next.After(inZone(p.last, zone)) {
			at = next
		}
		return model.TimeOf(at), nil
	}
	return 0, errTime(errNoTime)
}

var errNoTime = errors.New("not a time")

func errTime(err error) error {
	if err != nil {
		return errors.New("want a time such as 17:03, 17:03:05, +5m or -10s")
	}
	return nil
}

// toggle plays or stops; at the end it starts again.
func (p *player) toggle(s *screen) {
	if !p.loaded {
		return
	}
	p.playing = !p.playing
	if p.speed == 0 {
		p.speed = 1
	}
	if p.playing && p.limit >= p.end {
		p.at = p.first
		p.show(s, s.frozen.journal.first)
		s.stream.follow = true
	}
}

// positionLine is the bar: where in the recording the screen is.
func (s *screen) positionLine() string {
	p := s.replay
	if !p.loaded {
		return "reading " + human.Count(s.sum.end) + " records" + s.g.dots
	}
	state := s.g.pause
	if p.playing {
		state = s.g.play
	}
	dropped := s.frozen.journal.first
	if p.speed > 0 {
		state += fmt.Sprintf(" %gx", p.speed)
	}
	head := state + " " + clockWord(p.at, s.cfg.Zone, 3) + " "
	tail := fmt.Sprintf(" %s  %s/%s", clockWord(p.last, s.cfg.Zone, 0), human.Count(p.limit-dropped), human.Count(p.end-dropped))
	if dropped > 0 {
		tail += " (the last of " + human.Count(p.end) + ")"
	}
	room := s.width - ansi.StringWidth(head) - ansi.StringWidth(tail)
	return head + s.pal.match.Styled(bar(p, room, s.g)) + tail
}

// bar draws the position between the first and the last record.
func bar(p *player, width int, g *glyphs) string {
	if width < 3 {
		return ""
	}
	part := 1.0
	if span := p.last.Sub(p.first); span > 0 {
		part = min(max(float64(p.at.Sub(p.first))/float64(span), 0), 1)
	}
	done := int(part * float64(width-1))
	return strings.Repeat(g.rule, done) + g.mark + strings.Repeat(g.waiting, width-1-done)
}
