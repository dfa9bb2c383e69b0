package tui

import (
	"github.com/charmbracelet/x/ansi"

	"github.com/closetrace/closetrace/model"
)

// palette holds the styles of a screen, named by what they mean. Only the 16
// ANSI colours are used, so that the terminal's own theme decides how they
// look. The zero palette prints no escape sequence at all.
type palette struct {
	verdict  [model.NumVerdicts]ansi.Style
	faint    ansi.Style // what is there for completeness
	strong   ansi.Style // headings, totals
	loud     ansi.Style // lost events, errors: must be seen
	key      ansi.Style // a key to press
	selected ansi.Style // the row under the cursor
	match    ansi.Style // an active filter
}

// glyphs holds the characters that are not plain text.
type glyphs struct {
	verdict   [model.NumVerdicts]string
	dots      string // text was cut here
	zero      string // none, of what is counted
	arrow     string // local to peer
	arrowBack string
	pair      string // between the two ends
	later     string // an outcome, after its teardown
	warning   string
	note      string // start and stop
	spark     []string
	rule      string // a horizontal line
	waiting   string // the part of a line during which close() blocked
	mark      string // a moment on a line
	record    string
	pause     string
	play      string
	selector  string
	up, down  string
}

var unicodeGlyphs = glyphs{
	verdict: [...]string{
		model.VerdictUnknown: "?", model.Graceful: "✓", model.Abortive: "✗",
		model.LingerTimeout: "◷", model.FailedOpen: "⊘", model.Silent: "◌",
	},
	dots: "…", zero: "·", arrow: "→", arrowBack: "←", pair: "↔", later: "↳", warning: "!", note: "•",
	spark: []string{" ", "▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"},
	rule:  "─", waiting: "░", mark: "●", record: "●", pause: "‖", play: "▶", selector: "▸", up: "▲", down: "▼",
}

var asciiGlyphs = glyphs{
	verdict: [...]string{
		model.VerdictUnknown: "?", model.Graceful: "G", model.Abortive: "A",
		model.LingerTimeout: "L", model.FailedOpen: "F", model.Silent: "S",
	},
	dots: "~", zero: ".", arrow: "->", arrowBack: "<-", pair: "<>", later: "`-", warning: "!", note: "*",
	spark: []string{" ", ".", ":", "-", "=", "+", "*", "#", "@"},
	rule:  "-", waiting: "~", mark: "o", record: "*", pause: "||", play: ">", selector: ">", up: "^", down: "v",
}

func glyphsFor(ascii bool) *glyphs {
	if ascii {
		return &asciiGlyphs
	}
	return &unicodeGlyphs
}

// Foreground colours are SGR 30 to 37 and 90 to 97 (ECMA-48 8.3.117, aixterm). In the
// default colours of xterm each has a contrast of at least 3 on its background; green and
// cyan do not on white, nor blue on black.
var (
	darkPalette = palette{
		verdict: [...]ansi.Style{
			model.VerdictUnknown: ansi.NewStyle(1),
			model.Graceful:       ansi.NewStyle(32),
			model.Abortive:       ansi.NewStyle(1, 31),
			model.LingerTimeout:  ansi.NewStyle(1, 35),
			model.FailedOpen:     ansi.NewStyle(36),
			model.Silent:         ansi.NewStyle(33),
		},
		faint: ansi.NewStyle(2), strong: ansi.NewStyle(1), loud: ansi.NewStyle(1, 7, 31),
		key: ansi.NewStyle(1), selected: ansi.NewStyle(7), match: ansi.NewStyle(1, 33),
	}
	lightPalette = palette{
		verdict: [...]ansi.Style{
			model.VerdictUnknown: ansi.NewStyle(1),
			model.Graceful:       {},
			model.Abortive:       ansi.NewStyle(1, 31),
			model.LingerTimeout:  ansi.NewStyle(1, 35),
			model.FailedOpen:     ansi.NewStyle(34),
			model.Silent:         ansi.NewStyle(1, 34),
		},
		faint: ansi.NewStyle(2), strong: ansi.NewStyle(1), loud: ansi.NewStyle(1, 7, 31),
		key: ansi.NewStyle(1), selected: ansi.NewStyle(7), match: ansi.NewStyle(1, 34),
	}
	// monoPalette distinguishes rows and headings without colour (NO_COLOR).
	monoPalette = palette{
		strong: ansi.NewStyle(1), loud: ansi.NewStyle(1, 7), key: ansi.NewStyle(1),
		selected: ansi.NewStyle(7), match: ansi.NewStyle(4),
	}
	// plainPalette prints no escape sequence at all.
	plainPalette palette
)

func (p *palette) of(v model.Verdict) ansi.Style {
	if int(v) < len(p.verdict) {
		return p.verdict[v]
	}
	return p.verdict[model.VerdictUnknown]
}

func (g *glyphs) of(v model.Verdict) string {
	if int(v) < len(g.verdict) {
		return g.verdict[v]
	}
	return g.verdict[model.VerdictUnknown]
}
