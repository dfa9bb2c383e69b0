package tui

import (
	"slices"
	"strings"

	"charm.land/bubbles/v2/key"
	"github.com/charmbracelet/x/ansi"

	"github.com/closetrace/closetrace/internal/human"
	"github.com/closetrace/closetrace/model"
)

// helpTopic is a paragraph of the help.
type helpTopic struct {
	title string
	rows  []helpRow
}

// helpRow is what some keys do, or what a sign means.
type helpRow struct {
	keys []*key.Binding
	sign string
	text string
}

// helpKeys is the width of the keys in a row.
const helpKeys = 12

// helpWide is the width from which the help has two columns.
const helpWide = 76

// helpTopics returns what the help says in each column; keys of a replay only in one.
func (s *screen) helpTopics() [2][]helpTopic {
	k := &s.keys
	row := func(text string, keys ...*key.Binding) helpRow { return helpRow{keys: keys, text: text} }
	step := helpTopic{"Step", []helpRow{
		row("next, previous end", &k.step, &k.stepBack), row("the same, abortive", &k.abort, &k.abortBack),
	}}
	pause := row("pause the view only", &k.pause)
	if s.replay != nil {
		step.title, pause.text = "Replay", "play or stop"
		step.rows = append(step.rows, row("to a time; from the start", &k.seek, &k.restart), row("twice, half as fast", &k.faster, &k.slower))
	}
	take := helpTopic{"Take away", []helpRow{
		row("copy JSON, Wireshark filter", &k.copyJSON, &k.copyFilter), row("write the view to a file", &k.write),
	}}
	if s.replay == nil {
		take.rows[1] = row("write the view, record all", &k.write, &k.record)
	}
	return [2][]helpTopic{
		{s.legend(), {"Choose", []helpRow{
			row("not graceful only", &k.bad), row("words, !word: not this", &k.text),
			row("tcp.bytes.unread > 0, etc.", &k.expr), pause,
			row("last minute only", &k.window), row("pid, /24; Open: end one", &k.group), row("sort by next; reverse", &k.sort, &k.reverse),
		}}},
		{{"Move", []helpRow{
			row("the views; S-tab back", &k.views, &k.next, &k.previous), row("open, back", &k.enter, &k.back),
			row("down, up", &k.down, &k.up), row("half a page", &k.halfDown, &k.halfUp),
			row("first, last", &k.first, &k.last), row("next, previous in detail", &k.nextOne, &k.previousOne),
		}}, step, take, {"Program", []helpRow{
			row("help, mouse", &k.help, &k.mouse), row("redraw, suspend, quit, now", &k.redraw, &k.suspend, &k.quit, &k.kill),
		}}},
	}
}

// legend says what the signs mean.
func (s *screen) legend() helpTopic {
	t := helpTopic{title: "Signs"}
	for _, v := range []struct {
		verdict model.Verdict
		means   string
	}{
		{model.Graceful, "FIN both ways"},
		{model.Abortive, "RST, timeout, destroyed"},
		{model.LingerTimeout, "SO_LINGER ran out"},
		{model.FailedOpen, "never established"},
		{model.Silent, "no FIN, no RST"},
		{model.VerdictUnknown, "no rule holds"},
	} {
		word, _, _ := strings.Cut(v.verdict.String(), "-")
		t.rows = append(t.rows, helpRow{sign: s.pal.of(v.verdict).Styled(s.g.of(v.verdict) + " " + word), text: v.means})
	}
	return helpTopic{t.title, append(t.rows,
		helpRow{sign: "~ " + s.g.later, text: "inferred; later evidence"},
		helpRow{sign: s.g.up + "12", text: "of a curve: most in 2 s"},
		helpRow{sign: "LOST", text: "bytes not acked, not read"},
	)}
}

// helpLines is the whole help: what the signs mean, and what the keys do.
func (s *screen) helpLines() []string {
	topics := s.helpTopics()
	first, second := s.helpColumn(topics[0]), s.helpColumn(topics[1])
	if s.width < helpWide {
		return slices.Concat(first, second, s.costLines())
	}
	half := s.width / 2
	lines := make([]string, max(len(first), len(second)))
	for i := range lines {
		if i < len(first) {
			lines[i] = ansi.Truncate(first[i], half-1, s.g.dots)
		}
		if i < len(second) {
			lines[i] += blanks(half-ansi.StringWidth(lines[i])) + ansi.Truncate(second[i], half, s.g.dots)
		}
	}
	return append(lines, s.costLines()...)
}

// costLines say what the trace costs this host, if that is known.
func (s *screen) costLines() []string {
	text := human.Cost(&s.cost)
	if text == "" {
		return nil
	}
	lines := strings.Split(ansi.Wrap("Cost "+text, s.width, ""), "\n")
	lines[0] = s.pal.strong.Styled("Cost") + strings.TrimPrefix(lines[0], "Cost")
	return lines
}

func (s *screen) helpColumn(topics []helpTopic) (lines []string) {
	for _, t := range topics {
		lines = append(lines, s.pal.strong.Styled(t.title))
		for _, row := range t.rows {
			sign := row.sign
			if len(row.keys) > 0 {
				sign = s.pal.key.Styled(row.names())
			}
			lines = append(lines, " "+sign+blanks(max(helpKeys-ansi.StringWidth(sign), 1))+row.text)
		}
	}
	return lines
}

// names are the first keys of a row's bindings.
func (r *helpRow) names() string {
	var names []string
	for _, b := range r.keys {
		names = append(names, strings.ReplaceAll(strings.ReplaceAll(b.Help().Key, "ctrl+", "^"), "shift+", "S-"))
	}
	text := strings.Join(names, " ")
	if len(text) >= helpKeys { // all but the last: it stands beside
		text = strings.Join(names[:len(names)-1], " ")
	}
	return text
}
