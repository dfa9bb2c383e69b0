package tui

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/charmbracelet/x/ansi"

	"github.com/closetrace/closetrace/internal/safetext"
	"github.com/closetrace/closetrace/model"

	"github.com/closetrace/closetrace/internal/human"
)

// LineOptions says how [Line] prints. The zero value is text without colour,
// in UTC.
type LineOptions struct {
	Color bool           // paint verdicts and losses with the 16 ANSI colours
	ASCII bool           // no character outside of ASCII, except from names
	Date  bool           // the date before the time of day
	Zone  *time.Location // of the times; nil is UTC
	// Width is the number of columns of a terminal: wider records wrap between two
	// columns, onto indented lines. 0 is no limit.
	Width int
}

// Widths of the columns of a line. Longer names are cut; addresses are not, so
// that a long IPv6 address pushes the rest of its line to the right.
const (
	lineVerdict  = len("X linger-timeout~")
	lineCause    = len("orphan-or-memory-limit")
	lineProcess  = 24
	lineEndpoint = len("255.255.255.255:65535")
	lineBy       = len("unknown/local-kernel")
	lineLasted   = len("LASTED ")
	lineID       = len("b0330-123")
)

// LineHeader returns the headings of the columns of [Line].
func LineHeader(o LineOptions) string {
	g := glyphsFor(o.ASCII)
	when := left("TIME", len("15:04:05.000000"), "")
	if o.Date {
		when = left("TIME", len("2006-01-02 15:04:05.000000"), "")
	}
	return paletteOf(o).strong.Styled(folded(o.Width,
		when, left("VERDICT", lineVerdict, ""), left("CAUSE", lineCause, ""), left("PROCESS", lineProcess, ""),
		left("LOCAL", lineEndpoint, "")+" "+blanks(ansi.StringWidth(g.arrow))+" "+left("PEER", lineEndpoint, ""),
		left("BEGAN/ENDED BY", lineBy, ""), right("LASTED", lineLasted, ""), left("ID", lineID, ""), "NOTES",
	))
}

// folded joins columns into lines of at most width columns.
func folded(width int, columns ...string) string {
	full := strings.TrimRight(strings.Join(columns, " "), " ")
	if width == 0 || ansi.StringWidth(full) <= width {
		return full
	}
	const indent = "  "
	var b strings.Builder
	line := ""
	for i, column := range columns {
		switch {
		case column == "":
		case i == 0:
			line = column
		case ansi.StringWidth(line+" "+strings.TrimRight(column, " ")) > width:
			b.WriteString(strings.TrimRight(line, " ") + "\n")
			line = indent + column
		default:
			line += " " + column
		}
	}
	return b.String() + strings.TrimRight(line, " ")
}

// Line returns r as one line of text for a terminal, a pipe or a screen
// reader, without a newline, or as several if the terminal is narrow. Names are
// escaped. A verdict is a glyph and a word, with a tilde if it is inferred.
func Line(r *model.Record, o LineOptions) string {
	p, g := paletteOf(o), glyphsFor(o.ASCII)
	layout := "15:04:05.000000"
	if o.Date {
		layout = "2006-01-02 15:04:05.000000"
	}
	when := left("-", len(layout), "")
	if t := r.Time(); t != 0 {
		when = inZone(t, o.Zone).Format(layout)
	}
	return folded(o.Width, append([]string{when}, lineBody(r, p, g)...)...)
}

func paletteOf(o LineOptions) *palette {
	if o.Color {
		return &darkPalette
	}
	return &plainPalette
}

// lineBody returns the columns after the time; those of a notice are its words.
func lineBody(r *model.Record, p *palette, g *glyphs) []string {
	switch r.Kind {
	case model.KindTeardown, model.KindOutcome:
		return lineEnd(r, p, g)
	case model.KindCloseFailed:
		t := &r.Teardown
		return append([]string{
			p.strong.Styled(left(g.warning+" close-failed", lineVerdict, g.dots)), left(safetext.Escape(r.Error), lineCause, g.dots),
		}, append(lineWho(&t.Facts, g), "the call failed, the socket is still open")...)
	case model.KindStray:
		return append([]string{
			p.strong.Styled(left(g.warning+" stray-reset", lineVerdict, g.dots)), left(strayReason(r), lineCause, g.dots),
		}, append(lineWho(&r.Teardown.Facts, g), strayWord(r, g))...)
	case model.KindLoss, model.KindCounters, model.KindClock, model.KindTable, model.KindCounts, model.KindStart, model.KindStop:
		return strings.Split(noticeWord(r, p, g), " ")
	case model.KindUnknown:
	}
	return []string{p.faint.Styled(g.note + " a record of a kind that this version does not know")}
}

// lineEnd is the line of a teardown or of its outcome.
func lineEnd(r *model.Record, p *palette, g *glyphs) []string {
	t := &r.Teardown
	style := p.of(t.Verdict)
	columns := []string{
		style.Styled(left(verdictWord(&t.Judgement, g), lineVerdict, g.dots)), style.Styled(left(t.Cause.String(), lineCause, g.dots)),
	}
	columns = append(append(columns, lineWho(&t.Facts, g)...), left(byWord(&t.Judgement), lineBy, g.dots),
		right(human.Known(t.Duration, human.Duration), lineLasted, g.dots), filledID(t.ID))
	if r.Kind == model.KindOutcome {
		columns = append(columns, outcomeWord(r, g))
	}
	var notes []string
	for _, note := range []string{safetext.Escape(t.CloseNote()), safetext.Escape(t.PeerNote()), lossesWord(t), pauseWord(&t.Facts)} {
		if note != "" {
			notes = append(notes, note)
		}
	}
	return append(columns, strings.Join(notes, ", "))
}

// filledID is the ID, whole: it is there to be searched for.
func filledID(id string) string {
	id = safetext.Escape(id)
	w, _ := textWidth(id)
	return id + blanks(lineID-w)
}

// lineWho is the process and the tuple.
func lineWho(f *model.Facts, g *glyphs) []string {
	return []string{
		left(processWord(f, lineProcess, g), lineProcess, g.dots),
		padded(endpointWord(f.Network.Local, 0, g)) + " " + g.arrow + " " + padded(endpointWord(f.Network.Peer, 0, g)),
	}
}

func padded(s string) string { return s + blanks(lineEndpoint-len(s)) }

// outcomeWord distinguishes a later record of an end from its teardown.
func outcomeWord(r *model.Record, g *glyphs) string {
	if r.Retracts {
		return g.later + " takes back the verdict of " + safetext.Escape(r.Teardown.ID)
	}
	return g.later + " later, of " + safetext.Escape(r.Teardown.ID)
}

// lossesWord says how many bytes were lost and how long close() waited.
func lossesWord(t *model.Teardown) string {
	var parts []string
	if n := t.TCP.Bytes.Unacked.Or(0); n > 0 {
		parts = append(parts, "unacked "+human.Bytes(n))
	}
	if n := t.TCP.Bytes.Unread.Or(0); n > 0 {
		parts = append(parts, "unread "+human.Bytes(n))
	}
	if d, known := t.CloseBlocked.Get(); known && d > 0 {
		parts = append(parts, "close blocked "+human.Duration(d))
	}
	return strings.Join(parts, ", ")
}

// pauseWord says how long the connection was idle or half-closed.
func pauseWord(f *model.Facts) string {
	var parts []string
	if d := f.WasIdle(); d > 0 {
		parts = append(parts, "idle "+human.Duration(d))
	}
	if d := f.HalfClosed(); d > 0 {
		parts = append(parts, "half-closed "+human.Duration(d))
	}
	return strings.Join(parts, ", ")
}

// countersWord lists what moved, by name.
func countersWord(c *model.Counters) string {
	parts := make([]string, 0, len(c.Counts))
	for _, name := range slices.Sorted(maps.Keys(c.Counts)) {
		parts = append(parts, safetext.Escape(name)+" +"+human.Count(c.Counts[name]))
	}
	return fmt.Sprintf("netns %d counted %s", c.Network.NetNS, strings.Join(parts, ", "))
}

// setClockWord says what happened to the clock.
func setClockWord(c *model.Clock) string {
	var parts []string
	if c.Suspended > 0 {
		parts = append(parts, "the machine slept for "+human.Duration(c.Suspended))
	}
	if c.Step > 0 {
		parts = append(parts, "the clock was set forward by "+human.Duration(c.Step))
	} else if c.Step < 0 {
		parts = append(parts, "the clock was set back by "+strings.TrimPrefix(human.Duration(c.Step), "-"))
	}
	return strings.Join(parts, ", ") + ": times from here on are by the clock as it is now"
}

// TableWord says how full the table of connections is, and who fills it.
func TableWord(t *model.Table) string {
	text := fmt.Sprintf("the table of connections is %d %% full (%s of %s)", t.Held*100/max(t.Max, 1), human.Count(t.Held), human.Count(t.Max))
	if t.UID.Known() || t.NetNS != 0 {
		text += fmt.Sprintf(", %s of %s; a larger --max-connections follows more", human.Count(t.Most), tenantWord(t.UID, t.NetNS))
	}
	return text
}

// tenantWord names who shares the table of connections with others.
func tenantWord(user model.Opt[uint32], netns uint32) string {
	uid, known := user.Get()
	switch {
	case known && netns != 0:
		return fmt.Sprintf("uid %d in netns %d", uid, netns)
	case known:
		return fmt.Sprintf("uid %d in namespaces of its own", uid)
	case netns != 0:
		return fmt.Sprintf("the container with netns %d", netns)
	default:
		return "several users"
	}
}

// unfollowedWord says whose connections found no place in the table.
func unfollowedWord(l *model.Loss) string {
	text := human.Many(l.Count, "new connection")
	text += " of " + tenantWord(l.UID, l.NetNS)
	return fmt.Sprintf("NOT FOLLOWED: %s, which have %s of %s entries: their ends have no process (--max-connections)",
		text, human.Count(l.Held), human.Count(l.Max))
}

// noticeWord is the text of what is not about one connection.
func noticeWord(r *model.Record, p *palette, g *glyphs) string {
	switch r.Kind {
	case model.KindLoss:
		if r.Loss.Max > 0 {
			return p.loud.Styled(g.warning + " " + unfollowedWord(&r.Loss))
		}
		if r.Loss.Where == "late-evidence" {
			return p.strong.Styled(fmt.Sprintf("%s %s pieces of late evidence lost: no record is missing", g.warning, human.Count(r.Loss.Count)))
		}
		return p.loud.Styled(fmt.Sprintf("%s MISSED %s (%s): records around here are missing",
			g.warning, human.Many(r.Loss.Count, "event"), safetext.Escape(r.Loss.Where)))
	case model.KindCounters:
		return p.faint.Styled(g.note + " " + countersWord(&r.Counters))
	case model.KindTable:
		return p.strong.Styled(g.note + " " + TableWord(&r.Table))
	case model.KindCounts:
		return p.faint.Styled(g.note + " " + countedWord(r))
	case model.KindClock:
		return p.strong.Styled(g.note + " " + setClockWord(&r.Clock))
	case model.KindStart:
		return p.faint.Styled(g.note + " " + startWord(&r.Start))
	case model.KindStop:
		return p.strong.Styled(g.note + " " + stopWord(&r.Stop))
	case model.KindUnknown, model.KindTeardown, model.KindOutcome, model.KindCloseFailed, model.KindStray:
	}
	return ""
}

func startWord(s *model.Start) string {
	text := "tracing"
	if s.Host.Name != "" {
		text += " " + s.Host.Name
	}
	if system := strings.TrimSpace(s.OS.Type + " " + s.OS.Version); system != "" {
		text += " (" + system + ")"
	}
	text += " with " + s.Backend + ", closetrace " + s.Tool.Version
	if s.Filter != "" {
		text += ", filter: " + s.Filter
	}
	return safetext.Escape(text)
}

func stopWord(s *model.Stop) string {
	var total uint64
	var parts []string
	for v := range model.Verdict(model.NumVerdicts) {
		if n := s.Teardowns[v.String()]; n > 0 {
			total += n
			parts = append(parts, human.Count(n)+" "+v.String())
		}
	}
	text := "stopped (" + s.Reason + "): " + human.Many(total, "end")
	if len(parts) > 0 {
		text += ": " + strings.Join(parts, ", ")
	}
	switch {
	case s.Losses != model.Losses{}:
		text += "; " + human.Losses(&s.Losses)
	case s.Lost > 0: // nobody said of what: an old recording
		text += "; " + human.Many(s.Lost, "event") + " lost"
	default:
		text += "; nothing lost"
	}
	if cost := human.Cost(&s.Cost); cost != "" {
		text += "; cost " + cost
	}
	if s.Table.Max > 0 {
		text += "; at most, " + TableWord(&s.Table)
	}
	return safetext.Escape(text)
}
