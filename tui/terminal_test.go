package tui

import (
	"fmt"
	"image/color"
	"strings"
	"testing"
	"time"

	tea "charm.land/bubbletea/v2"
	"github.com/charmbracelet/x/ansi"
	"github.com/charmbracelet/x/vt"

	"github.com/closetrace/closetrace/model"
)

// rig drives a screen without a program: each key, tick and size is a message,
// and what it draws is read from a terminal emulator.
type rig struct {
	t    *testing.T
	s    *screen
	in   *intake
	time model.Time
}

var demoStart = model.Start{
	Backend: "fentry", Host: model.Host{Name: "web1"}, OS: model.OS{Type: "linux", Version: "6.18.44"},
	Tool: model.Tool{Version: "1.0.0"},
}

func explain(c model.Cause) model.Explanation {
	return model.Explanation{Title: "The explanation of " + c.String(), Summary: "It is from the caller.", Sections: []model.Section{
		{Heading: "Next", Text: "What to check next is in lines\nof the text that are\nnot those of the screen:\n\n- `one`,\n  two\n- three\n\n```sh\nss -tan | wc -l\n```"},
	}}
}

// newRig returns a screen that has a size and one tick behind it.
func newRig(t *testing.T, width, height int, records []model.Record, change func(*Config)) *rig {
	t.Helper()
	cfg := Config{Start: demoStart, Explain: explain, Background: BackgroundDark}
	cfg.Start.Time = at.Add(-2 * time.Minute)
	if change != nil {
		change(&cfg)
	}
	if cfg.Keep == 0 {
		cfg.Keep = 5000
	}
	cfg.Now = func() time.Time { panic("the screen read the clock") }
	r := &rig{t: t, in: newIntake(cfg.Keep), time: at}
	r.s = newScreen(cfg, r.in)
	if cfg.Filter != "" {
		if err := r.s.choose(query{expr: cfg.Filter}); err != nil {
			t.Fatal(err)
		}
	}
	r.add(records...)
	r.send(tea.WindowSizeMsg{Width: width, Height: height})
	r.tick(0)
	return r
}

func (r *rig) add(records ...model.Record) {
	for i := range records {
		r.in.add(&records[i])
	}
}

func (r *rig) send(msg tea.Msg) tea.Cmd {
	_, cmd := r.s.Update(msg)
	return cmd
}

// tick moves time on by d.
func (r *rig) tick(d time.Duration) {
	r.time = r.time.Add(d)
	r.send(tickMsg(r.time))
}

// press sends keys, given by name or as text, and runs no command. It returns
// the last command.
func (r *rig) press(keys ...string) tea.Cmd {
	var cmd tea.Cmd
	for _, k := range keys {
		cmd = r.send(keyPress(k))
	}
	return cmd
}

// run runs a command and sends what it returns.
func (r *rig) run(cmd tea.Cmd) tea.Msg {
	if cmd == nil {
		r.t.Helper()
		r.t.Fatal("no command was returned")
	}
	msg := cmd()
	r.send(msg)
	return msg
}

func (r *rig) typed(text string) {
	for _, c := range text {
		r.press(string(c))
	}
}

var namedKeys = map[string]tea.Key{
	"tab": {Code: tea.KeyTab}, "shift+tab": {Code: tea.KeyTab, Mod: tea.ModShift},
	"enter": {Code: tea.KeyEnter}, "esc": {Code: tea.KeyEscape}, "space": {Code: tea.KeySpace, Text: " "},
	"up": {Code: tea.KeyUp}, "down": {Code: tea.KeyDown}, "home": {Code: tea.KeyHome}, "end": {Code: tea.KeyEnd},
	"pgup": {Code: tea.KeyPgUp}, "pgdown": {Code: tea.KeyPgDown}, "backspace": {Code: tea.KeyBackspace},
	"ctrl+d": {Code: 'd', Mod: tea.ModCtrl}, "ctrl+u": {Code: 'u', Mod: tea.ModCtrl}, "ctrl+c": {Code: 'c', Mod: tea.ModCtrl},
}

func keyPress(name string) tea.KeyPressMsg {
	if k, named := namedKeys[name]; named {
		return tea.KeyPressMsg(k)
	}
	if name == " " {
		return tea.KeyPressMsg(namedKeys["space"])
	}
	c := []rune(name)[0]
	return tea.KeyPressMsg{Code: c, Text: name}
}

// text returns the screen as a terminal shows it.
func (r *rig) text() string { return strings.Join(gridText(r.emulator()), "\n") }

func (r *rig) emulator() *vt.Emulator {
	return emulate(r.s.View().Content, r.s.width, r.s.height)
}

func emulate(content string, width, height int) *vt.Emulator {
	e := vt.NewEmulator(width, height)
	_, _ = e.WriteString(strings.ReplaceAll(content, "\n", "\r\n"))
	return e
}

// gridText returns the characters of the emulator's cells, line by line.
func gridText(e *vt.Emulator) []string {
	lines := make([]string, e.Height())
	for y := range lines {
		var b strings.Builder
		for x := 0; x < e.Width(); x++ {
			if c := e.CellAt(x, y); c != nil && c.Width > 0 {
				b.WriteString(c.Content)
			}
		}
		lines[y] = strings.TrimRight(b.String(), " ")
	}
	return lines
}

// gridStyles returns, line by line, the runs of styled cells: column, length,
// colour and attributes.
func gridStyles(e *vt.Emulator) []string {
	var lines []string
	for y := range e.Height() {
		var runs []string
		from, style := 0, ""
		for x := 0; x <= e.Width(); x++ {
			now := ""
			if x < e.Width() {
				now = cellStyle(e, x, y)
			}
			if now != style {
				if style != "" {
					runs = append(runs, fmt.Sprintf("%d-%d %s", from, x-1, style))
				}
				from, style = x, now
			}
		}
		if runs != nil {
			lines = append(lines, fmt.Sprintf("%d: %s", y, strings.Join(runs, ", ")))
		}
	}
	return lines
}

var attrNames = []string{"bold", "faint", "italic", "blink", "rapid", "reverse", "hidden", "struck"}

func cellStyle(e *vt.Emulator, x, y int) string {
	c := e.CellAt(x, y)
	if c == nil {
		return ""
	}
	var parts []string
	if name := colorName(c.Style.Fg); name != "" {
		parts = append(parts, name)
	}
	if name := colorName(c.Style.Bg); name != "" {
		parts = append(parts, "on "+name)
	}
	for i, name := range attrNames {
		if c.Style.Attrs&(1<<i) != 0 {
			parts = append(parts, name)
		}
	}
	if c.Style.Underline != 0 {
		parts = append(parts, "underline")
	}
	return strings.Join(parts, " ")
}

func colorName(c color.Color) string {
	switch c := c.(type) {
	case nil:
		return ""
	case ansi.BasicColor:
		return []string{
			"black", "red", "green", "yellow", "blue", "magenta", "cyan", "white",
			"grey", "bright red", "bright green", "bright yellow", "bright blue", "bright magenta", "bright cyan", "bright white",
		}[c]
	default:
		return fmt.Sprint(c)
	}
}
