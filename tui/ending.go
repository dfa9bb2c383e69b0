package tui

import (
	"fmt"

	tea "charm.land/bubbletea/v2"

	"github.com/closetrace/closetrace/internal/human"
	"github.com/closetrace/closetrace/internal/safetext"
)

// askEnd asks whether to end the selected connection: that one, whatever the list shows
// when the answer comes.
func (s *screen) askEnd() {
	c := s.conns.current()
	switch {
	case c == nil:
		return
	case s.cfg.End == nil:
		s.say("connections can be ended where the trace was started with --allow-kill")
		return
	case c.Protected != "":
		s.say(c.Protected)
		return
	}
	s.ask(askEnd)
	s.prompt.ends = *c
	s.prompt.input.Prompt = c.question(s.g)
}

// question names the connection, its state and its process.
func (c *OpenConn) question(g *glyphs) string {
	text := fmt.Sprintf("End %s %s %s, %s", human.Endpoint(c.Network.Local), g.arrow, human.Endpoint(c.Network.Peer), c.State)
	if c.Process.PID != 0 {
		text += " of " + safetext.Escape(processWord(&c.Facts, 1<<10, g))
	}
	return text + "? (y/N) "
}

// answeredEnd ends the connection if the answer is yes. Enter is no.
func (s *screen) answeredEnd(k string) tea.Cmd {
	c, end := s.prompt.ends, s.cfg.End
	s.prompt = nil
	if k != "y" && k != "Y" {
		s.say("nothing was ended")
		return nil
	}
	return func() tea.Msg {
		text, err := end(c)
		return doneMsg{text: text, err: err}
	}
}
