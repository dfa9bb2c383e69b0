package tui

// enter opens the selected row: the detail of a record, the stream of a group.
func (s *screen) enter() {
	if l := s.grouped(); l != nil {
		row := l.current()
		if row == nil || row.key.others {
			return
		}
		s.choose(query{text: s.query.text, expr: s.query.expr, scope: &scope{l.by, row.key}})
		s.view, s.stream.follow = streamView, true
		return
	}
	if s.view == streamView {
		s.openDetail()
	}
}

// back takes the last choice back: the group that was opened, the text, the
// expression.
func (s *screen) back() {
	q := s.query
	switch {
	case q.scope != nil:
		s.view = viewOf(q.scope.by)
		q.scope = nil
	case q.text != "":
		q.text = ""
	case q.expr != "":
		q.expr = ""
	default:
		return
	}
	s.choose(q)
}

func viewOf(by dimension) viewID {
	switch by {
	case byCause:
		return causeView
	case byProgram, byProcess:
		return processView
	default:
		return peerView
	}
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
	s.conns.choose(mine.open())
	s.stream.order = nil
	for i := range s.groups {
		s.groups[i].stale = true
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
		s.releaseSnapshot()
		return
	}
	s.frozen = s.takeSnapshot()
	s.pausedAt = s.frozen.journal.next
}

// takeSnapshot returns what has come until now; it must be released.
func (s *screen) takeSnapshot() *deck {
	match, _ := s.query.compile() // it compiled before
	s.in.mu.Lock()
	defer s.in.mu.Unlock()
	return s.in.deck.snapshot(match.record())
}

func (s *screen) releaseSnapshot() {
	s.in.mu.Lock()
	defer s.in.mu.Unlock()
	s.in.deck.journal.release()
}

func (s *screen) nextSort() {
	if l := s.grouped(); l != nil {
		l.sort, l.stale = (l.sort+1)%groupSorts, true
		l.chosen = false
		return
	}
	if s.view == streamView {
		s.stream.sort = (s.stream.sort + 1) % streamSorts
		s.stream.order, s.stream.follow = nil, true
	}
}

func (s *screen) turnRound() {
	if l := s.grouped(); l != nil {
		l.reverse, l.stale = !l.reverse, true
		return
	}
	s.stream.reverse, s.stream.order = !s.stream.reverse, nil
}

func (s *screen) toggleMinute() {
	l := s.grouped()
	if l == nil {
		s.say("t chooses all or the last minute in the grouped views")
		return
	}
	l.minute, l.stale = !l.minute, true
}

// regroup counts processes by pid, or peers by network, or back.
func (s *screen) regroup() {
	l := s.grouped()
	if l == nil || l.table == causeTable {
		s.say("x changes the groups of Processes and Peers")
		return
	}
	next := map[dimension]dimension{byProgram: byProcess, byProcess: byProgram, byPeer: byPrefix, byPrefix: byPeer}[l.by]
	if l.by == byCause {
		return // not drawn yet
	}
	s.in.mu.Lock()
	s.in.deck.group(l.table, next)
	s.in.mu.Unlock()
	if s.frozen != nil {
		s.frozen.group(l.table, next)
	}
	l.stale, l.chosen = true, false
}
