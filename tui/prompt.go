package tui

import (
	"strings"

	"charm.land/bubbles/v2/textinput"
	tea "charm.land/bubbletea/v2"

	"github.com/closetrace/closetrace/internal/safetext"
)

// question is what a prompt asks for.
type question uint8

const (
	askText question = iota
	askExpr
	askRecord
	askWrite
	askCopy
	askQuit
	askEnd
	askTime
)

// prompt is the question at the foot of the screen.
type prompt struct {
	asks  question
	input textinput.Model
	err   string
	was   query // before a text was typed
	ends  OpenConn
}

// ask opens a prompt.
func (s *screen) ask(q question) {
	p := &prompt{asks: q, input: textinput.New(), was: s.query}
	switch q {
	case askText:
		p.input.Prompt = "text: "
		p.input.SetValue(s.query.text)
	case askExpr:
		p.input.Prompt = "filter: "
		p.input.SetValue(s.query.expr)
		s.recalled = len(s.exprs)
	case askRecord:
		p.input.Prompt = "record to: "
		p.input.SetValue("closetrace-" + inZone(s.wall, s.cfg.Zone).Format("20060102-150405") + ".jsonl.zst")
	case askWrite:
		p.input.Prompt = "write to: "
		p.input.SetValue(s.writeName())
	case askCopy:
		p.input.Prompt = "write it to: "
		p.input.SetValue(s.copyName())
	case askQuit:
		p.input.Prompt = "A recording is running. Stop it, keep the file and quit? (y/n) "
	case askTime:
		p.input.Prompt = "go to (17:03, 17:03:05, +5m, -10s): "
	case askEnd: // the question is askEnd's
	}
	p.input.SetStyles(textinput.Styles{})
	p.input.SetVirtualCursor(true)
	p.input.CursorEnd()
	p.input.Focus()
	s.prompt = p
}

// update passes a message to the input.
func (p *prompt) update(msg tea.Msg) tea.Cmd {
	if p == nil {
		return nil
	}
	var cmd tea.Cmd
	p.input, cmd = p.input.Update(msg)
	return cmd
}

// pressedPrompt handles a key while a prompt is open.
func (s *screen) pressedPrompt(msg tea.KeyPressMsg) tea.Cmd {
	p := s.prompt
	switch {
	case p.asks == askQuit:
		return s.answeredQuit(msg.String())
	case p.asks == askEnd:
		return s.answeredEnd(msg.String())
	case msg.String() == "esc":
		s.prompt = nil
		switch p.asks {
		case askText:
			_ = s.choose(query{expr: p.was.expr, scope: p.was.scope, bad: p.was.bad})
		case askExpr:
			_ = s.choose(query{text: p.was.text, scope: p.was.scope, bad: p.was.bad})
		default:
		}
		return nil
	case msg.String() == "enter":
		return s.answered()
	}
	p.err = ""
	if p.asks == askExpr {
		switch msg.String() {
		case "tab":
			p.complete()
			return nil
		case "up":
			s.recall(-1)
			return nil
		case "down":
			s.recall(1)
			return nil
		}
	}
	cmd := p.update(msg)
	s.promptChanged()
	return cmd
}

// promptChanged applies quick text while it is typed.
func (s *screen) promptChanged() {
	if s.prompt == nil || s.prompt.asks != askText {
		return
	}
	q := s.query
	q.text = strings.TrimSpace(s.prompt.input.Value())
	if q.text != s.query.text {
		_ = s.choose(q)
	}
}

// answered does what was asked for.
func (s *screen) answered() tea.Cmd {
	p := s.prompt
	value := strings.TrimSpace(p.input.Value())
	switch p.asks {
	case askExpr:
		q := s.query
		q.expr = value
		if err := s.choose(q); err != nil {
			p.err = err.Error()
			return nil
		}
		s.remember(value)
	case askTime:
		if err := s.replay.seek(s, value); err != nil {
			p.err = err.Error()
			return nil
		}
	case askRecord:
		s.prompt = nil
		return s.startRecording(value)
	case askWrite:
		s.prompt = nil
		return s.writeView(value)
	case askCopy:
		s.prompt = nil
		text := s.copied + "\n"
		s.copied = ""
		return s.writeText(value, text)
	case askText, askQuit, askEnd:
	}
	s.prompt = nil
	return nil
}

func (s *screen) answeredQuit(k string) tea.Cmd {
	s.prompt = nil
	if k == "y" || k == "Y" || k == "enter" || k == "q" {
		return tea.Quit
	}
	return nil
}

// promptLines draws the question and, above it, what is wrong with the answer.
func (s *screen) promptLines() []string {
	p := s.prompt
	var lines []string
	if p.err != "" {
		for _, line := range strings.Split(strings.TrimRight(p.err, "\n"), "\n") {
			lines = append(lines, s.pal.strong.Styled(cut(safetext.Escape(line), s.width, s.g.dots)))
		}
		if n := len(lines); n > 4 {
			lines = lines[n-4:]
		}
	}
	if p.asks == askQuit || p.asks == askEnd {
		return append(lines, s.pal.strong.Styled(cut(p.input.Prompt, s.width, s.g.dots)))
	}
	input := p.input
	input.SetWidth(max(s.width-len(input.Prompt)-1, 1))
	return append(lines, input.View())
}
