package tui

// back takes the last choice back: the group that was opened, the text, the
// expression.
func (s *screen) back() {
	q := s.query
	switch {
	case q.scope != nil:
		s.view = q.scope.from
		q.scope = nil
	case q.text != "":
		q.text = ""
	case q.expr != "":
		q.expr = ""
	case q.bad:
		q.bad = false
	default:
		return
	}
	_ = s.choose(q)
}

// toggleBad shows only what is not graceful, or all again.
func (s *screen) toggleBad() {
	q := s.query
	q.bad = !q.bad
	_ = s.choose(q)
}

// choose makes q the query. The error is that of its expression.
func (s *screen) choose(q query) error {
	match, err := q.compile()
	if err != nil {
		return err
	}
	mine, err := q.compile() // a match belongs to one goroutine
	if err != nil {
		return err
	}
	s.query = q
	s.in.mu.Lock()
	s.in.deck.choose(match.record())
	s.in.mu.Unlock()
	if s.frozen != nil {
		s.frozen.choose(mine.record())
	}
	for _, v := range s.views {
		if c, chooses := v.(chooser); chooses {
			c.choose(mine)
		}
	}
	return nil
}

// togglePause freezes the view, never the intake.
func (s *screen) togglePause() {
	if s.replay != nil {
		s.replay.toggle(s)
		return
	}
	if s.frozen != nil {
		s.frozen = nil
		s.now = s.wall
		s.takeAnew()
		s.releaseSnapshot()
		return
	}
	s.frozen = s.takeSnapshot()
	s.takeAnew()
	s.pausedAt = s.frozen.journal.next
}

// takeAnew makes all rows those of what the screen shows from now on: it will stand still, and
// none would follow.
func (s *screen) takeAnew() {
	for i := range s.groups {
		s.groups[i].stale = true
	}
	s.stream.order, s.stream.stale = nil, true
}

// takeSnapshot returns what has come until now; it must be released.
func (s *screen) takeSnapshot() *deck {
	match, _ := s.query.compile() // it compiled before
	s.in.mu.Lock()
	defer s.in.mu.Unlock()
	return s.in.deck.snapshot(match.record())
}

// takeShown returns what the screen shows for another goroutine; it must be released.
func (s *screen) takeShown() *deck {
	if s.frozen == nil {
		return s.takeSnapshot()
	}
	s.in.mu.Lock()
	defer s.in.mu.Unlock()
	s.in.deck.journal.held++
	return &deck{journal: s.frozen.journal.reader(), hits: s.frozen.hits.copy()}
}

func (s *screen) releaseSnapshot() {
	s.in.mu.Lock()
	defer s.in.mu.Unlock()
	s.in.deck.journal.release()
}
