package tui

import (
	"charm.land/bubbles/v2/key"
	"charm.land/bubbles/v2/viewport"
	tea "charm.land/bubbletea/v2"
)

// pressed does what a key asks for. A question that is open gets it first,
// then what lies over the table, then the screen.
func (s *screen) pressed(msg tea.KeyPressMsg) tea.Cmd {
	if key.Matches(msg, s.keys.kill) {
		return tea.Quit
	}
	s.notice = notice{}
	if s.prompt != nil {
		return s.pressedPrompt(msg)
	}
	if s.help || s.detail != nil {
		if cmd, done := s.pressedOver(msg); done {
			return cmd
		}
	}
	if s.pressedMove(msg) || s.pressedView(msg) || s.pressedReplay(msg) {
		return nil
	}
	return s.pressedAction(msg)
}

// pressedOver handles the keys of the help and of the detail.
func (s *screen) pressedOver(msg tea.KeyPressMsg) (tea.Cmd, bool) {
	k := &s.keys
	pages := &s.pages
	if !s.help {
		pages = &s.detail.pages
	}
	switch {
	case key.Matches(msg, k.back), s.help && key.Matches(msg, k.help), !s.help && key.Matches(msg, k.enter):
		if !s.help {
			s.closeDetail()
		}
		s.help = false
	case s.help && key.Matches(msg, k.quit):
		s.help = false
	case !s.help && key.Matches(msg, k.nextOne):
		s.neighbour(1)
	case !s.help && key.Matches(msg, k.previousOne):
		s.neighbour(-1)
	case scrolled(pages, k, msg):
	default:
		return nil, s.help
	}
	return nil, true
}

// scrolled moves pages if msg is one of the keys for it.
func scrolled(pages *viewport.Model, k *keyMap, msg tea.KeyPressMsg) bool {
	switch {
	case key.Matches(msg, k.down):
		pages.ScrollDown(1)
	case key.Matches(msg, k.up):
		pages.ScrollUp(1)
	case key.Matches(msg, k.halfDown):
		pages.HalfPageDown()
	case key.Matches(msg, k.halfUp):
		pages.HalfPageUp()
	case key.Matches(msg, k.first):
		pages.GotoTop()
	case key.Matches(msg, k.last):
		pages.GotoBottom()
	default:
		return false
	}
	return true
}

// pressedMove moves the selection.
func (s *screen) pressedMove(msg tea.KeyPressMsg) bool {
	k := &s.keys
	half := max((s.tableHeight()-1)/2, 1)
	switch {
	case key.Matches(msg, k.up):
		s.move(-1)
	case key.Matches(msg, k.down):
		s.move(1)
	case key.Matches(msg, k.halfUp):
		s.move(-half)
	case key.Matches(msg, k.halfDown):
		s.move(half)
	case key.Matches(msg, k.first):
		s.toEnd(false)
	case key.Matches(msg, k.last):
		s.toEnd(true)
	default:
		return false
	}
	return true
}

func (s *screen) move(n int) {
	if l := s.grouped(); l != nil {
		l.move(n)
		return
	}
	if s.view == openView {
		s.conns.move(n)
		return
	}
	s.with(func(d *deck) { s.stream.move(d, n) })
}

func (s *screen) toEnd(last bool) {
	switch l := s.grouped(); {
	case l != nil && last:
		l.move(len(l.all))
	case l != nil:
		l.move(-len(l.all))
		l.chosen = false // stay at the top, whichever group gets there
	case s.view == openView && last:
		s.conns.move(len(s.conns.rows))
	case s.view == openView:
		s.conns.move(-len(s.conns.rows))
	case last:
		s.with(s.stream.toLast)
	default:
		s.with(s.stream.toFirst)
	}
}

// pressedView changes the view.
func (s *screen) pressedView(msg tea.KeyPressMsg) bool {
	k := &s.keys
	for i, b := range []key.Binding{k.stream, k.causes, k.processes, k.peers, k.open} {
		if key.Matches(msg, b) {
			s.show(viewID(i))
			return true
		}
	}
	switch {
	case key.Matches(msg, k.next):
		s.show((s.view + 1) % views)
	case key.Matches(msg, k.previous):
		s.show((s.view + views - 1) % views)
	default:
		return false
	}
	return true
}

func (s *screen) show(v viewID) {
	s.view = v
	s.closeDetail()
	if l := s.grouped(); l != nil {
		l.stale = true
	}
}

// pressedAction does all the rest.
func (s *screen) pressedAction(msg tea.KeyPressMsg) tea.Cmd {
	k := &s.keys
	switch {
	case key.Matches(msg, k.enter):
		s.enter()
	case key.Matches(msg, k.back):
		s.back()
	case key.Matches(msg, k.text):
		s.ask(askText)
	case key.Matches(msg, k.expr):
		s.ask(askExpr)
	case key.Matches(msg, k.pause):
		s.togglePause()
	case key.Matches(msg, k.sort):
		s.nextSort()
	case key.Matches(msg, k.reverse):
		s.turnRound()
	case key.Matches(msg, k.window):
		s.toggleMinute()
	case s.view == openView && key.Matches(msg, k.end):
		s.askEnd()
	case key.Matches(msg, k.group):
		s.regroup()
	case key.Matches(msg, k.copyJSON):
		return s.copyJSON()
	case key.Matches(msg, k.copyFilter):
		return s.copyFilter()
	case key.Matches(msg, k.write):
		s.ask(askWrite)
	case key.Matches(msg, k.record):
		return s.toggleRecording()
	case key.Matches(msg, k.mouse):
		s.toggleMouse()
	case key.Matches(msg, k.help):
		s.help = true
		s.pages.SetContentLines(s.helpLines())
		s.pages.GotoTop()
	case key.Matches(msg, k.quit):
		return s.quit()
	}
	return nil
}

// noticeTime is how long a notice stands if no key is pressed.
const noticeTime = 8e9

// say shows a notice.
func (s *screen) say(text string) {
	s.notice = notice{text: text, until: s.wall.Add(noticeTime)}
}

// done shows how a command went.
func (s *screen) done(msg doneMsg) {
	s.say(msg.text)
	if msg.err != nil {
		s.notice.text, s.notice.loud = msg.err.Error(), true
	}
}
