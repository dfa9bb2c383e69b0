package tui

import (
	"slices"
	"strings"

	"github.com/closetrace/closetrace/model"
)

// exprsMax is how many expressions are remembered.
const exprsMax = 50

// remember keeps an expression that was valid; the last one is last, once.
func (s *screen) remember(expr string) {
	if expr == "" {
		return
	}
	s.exprs = append(slices.DeleteFunc(s.exprs, func(e string) bool { return e == expr }), expr)
	s.exprs = s.exprs[max(len(s.exprs)-exprsMax, 0):]
	s.recalled = len(s.exprs)
}

// recall puts an earlier or later expression into the question.
func (s *screen) recall(n int) {
	place := s.recalled + n
	if place < 0 || place > len(s.exprs) {
		return
	}
	s.recalled = place
	text := ""
	if place < len(s.exprs) {
		text = s.exprs[place]
	}
	s.prompt.input.SetValue(text)
	s.prompt.input.CursorEnd()
}

// complete completes the field name before the cursor as far as it is clear, and lists
// what it may be.
func (p *prompt) complete() {
	value, place := []rune(p.input.Value()), p.input.Position()
	begin := place
	for begin > 0 && isFieldRune(value[begin-1]) {
		begin--
	}
	typed := string(value[begin:place])
	var meant []string
	for _, name := range model.FilterFields() {
		if strings.HasPrefix(name, typed) {
			meant = append(meant, name)
		}
	}
	if len(meant) == 0 {
		p.err = "no field begins with " + typed
		return
	}
	common := meant[0]
	for _, name := range meant {
		for !strings.HasPrefix(name, common) {
			common = common[:len(common)-1]
		}
	}
	p.input.SetValue(string(value[:begin]) + common + string(value[place:]))
	p.input.SetCursor(begin + len(common))
	if len(meant) > 1 {
		p.err = strings.Join(meant, " ")
	}
}

func isFieldRune(r rune) bool {
	return r == '.' || r == '_' || 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9'
}
