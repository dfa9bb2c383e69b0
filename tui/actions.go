package tui

import (
	"slices"
	"time"

	"charm.land/bubbles/v2/key"
	tea "charm.land/bubbletea/v2"

	"github.com/closetrace/closetrace/model"
)

// pressed does what a key asks for. An open question gets it first, then the help, then
// the detail or the view, then the screen.
func (s *screen) pressed(msg tea.KeyPressMsg) tea.Cmd {
	if key.Matches(msg, s.keys.kill) {
		return tea.Quit
	}
	s.notice = notice{}
	if s.prompt != nil {
		return s.pressedPrompt(msg)
	}
	if !key.Matches(msg, s.keys.copyJSON) {
		s.copied = ""
	}
	for _, a := range s.actions() {
		if key.Matches(msg, a.key) {
			return a.do(s)
		}
	}
	if !s.help && key.Matches(msg, s.keys.views) {
		if i := slices.Index(s.keys.views.Keys(), msg.String()); i >= 0 && i < len(s.views) {
			s.show(s.views[i])
		}
	}
	return nil
}

// actions returns what keys do now, the first that matches.
func (s *screen) actions() []action {
	k := &s.keys
	if s.help {
		closed := func(s *screen) { s.help = false }
		return append(s.moves(), act(k.back, closed), act(k.help, closed), act(k.quit, closed))
	}
	return slices.Concat(s.focus().keys(s), s.moves(), s.replayKeys(), []action{
		act(k.enter, func(s *screen) { s.focus().enter(s) }),
		act(k.back, (*screen).back),
		act(k.next, func(s *screen) { s.showNext(1) }),
		act(k.previous, func(s *screen) { s.showNext(-1) }),
		act(k.text, func(s *screen) { s.ask(askText) }),
		act(k.expr, func(s *screen) { s.ask(askExpr) }),
		act(k.pause, (*screen).togglePause),
		act(k.bad, (*screen).toggleBad),
		{k.redraw, func(*screen) tea.Cmd { return tea.ClearScreen }},
		{k.suspend, (*screen).suspend},
		{k.copyJSON, (*screen).copyRow},
		{k.copyFilter, (*screen).copyFilter},
		act(k.write, func(s *screen) { s.ask(askWrite) }),
		{k.record, (*screen).toggleRecording},
		act(k.mouse, (*screen).toggleMouse),
		{k.help, (*screen).openHelp},
		{k.quit, (*screen).quit},
		act(k.sort, func(s *screen) { s.say("this view has one order") }),
		act(k.reverse, func(s *screen) { s.say("this view has one order") }),
		act(k.window, func(s *screen) { s.say("t chooses all or the last minute in the grouped views") }),
		act(k.group, func(s *screen) { s.say("x changes the groups of Processes and Peers") }),
	})
}

// moves are the keys that move the selection, or scroll.
func (s *screen) moves() []action {
	k := &s.keys
	half := max((s.tableHeight()-1)/2, 1)
	by := func(b key.Binding, n int) action {
		return act(b, func(s *screen) {
			if s.help {
				scroll(&s.pages, n)
				return
			}
			s.focus().move(s, n)
		})
	}
	return []action{
		by(k.up, -1), by(k.down, 1), by(k.halfUp, -half), by(k.halfDown, half), by(k.first, toFirst), by(k.last, toLast),
	}
}

// openHelp shows all keys, and asks what the trace costs.
func (s *screen) openHelp() tea.Cmd {
	s.help = true
	s.pages.SetContentLines(s.helpLines())
	s.pages.GotoTop()
	if s.cfg.Cost == nil || s.costing {
		return nil
	}
	s.costing = true
	ask := s.cfg.Cost
	return func() tea.Msg { return costMsg(ask()) }
}

// takeCost shows what the trace costs, and asks again as long as the help is open.
func (s *screen) takeCost(msg costMsg) tea.Cmd {
	s.cost, s.costing = model.Cost(msg), s.help
	if !s.help {
		return nil
	}
	s.pages.SetContentLines(s.helpLines())
	ask := s.cfg.Cost
	return tea.Tick(costEvery, func(time.Time) tea.Msg { return costMsg(ask()) })
}

// costEvery is how often the help's line is updated.
const costEvery = 2 * time.Second

// noticeTime is how long a notice stays if no key is pressed.
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
