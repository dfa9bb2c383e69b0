package findings

import (
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/charmbracelet/x/ansi"

	"github.com/closetrace/closetrace/internal/human"
	"github.com/closetrace/closetrace/internal/safetext"
)

// TextOptions says how findings are printed.
type TextOptions struct {
	Width int            // of the lines, 60 at least; 0: no line is wrapped, nothing is cut
	Zone  *time.Location // of the times; nil is UTC
}

// maxLines is how many lines a finding has at most.
const maxLines = 6

// Text writes the findings of r, an empty line between two of them.
func (r *Report) Text(w io.Writer, o TextOptions) error {
	var b strings.Builder
	for i := range r.Findings {
		if i > 0 {
			b.WriteByte('\n')
		}
		for _, line := range r.Findings[i].Lines(i+1, o) {
			b.WriteString(line + "\n")
		}
	}
	if len(r.Findings) == 0 {
		fmt.Fprintf(&b, "no findings among %s%s%s\n", plural(r.Connections, "connection", "connections"), r.countedNote(), r.lossNote())
	}
	if r.Untracked > 0 {
		fmt.Fprintf(&b, "%s found no place in memory and are not counted above\n", plural(r.Untracked, "connection", "connections"))
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func (r *Report) countedNote() string {
	if r.Counted == 0 {
		return ""
	}
	return fmt.Sprintf(" and %s that the kernel has only counted", plural(r.Counted, "ordinary end", "ordinary ends"))
}

func (r *Report) lossNote() string {
	if r.Lost == 0 {
		return ""
	}
	return fmt.Sprintf("; %s were lost, and may have been one", plural(r.Lost, "event", "events"))
}

// Lines returns the finding as text: what it is and since when, the sentence, the
// advice, and where its ends are. What has no room of the advice, explain has.
func (f *Finding) Lines(n int, o TextOptions) []string {
	filter := []string{}
	if f.Filter != "" {
		filter = append(filter, "   --filter "+safetext.Quoted(f.Filter))
	}
	head := fmt.Sprintf("%d. %s: %s%s  %s", n, f.ID, f.Harm, f.doubt(), f.When(o.Zone))
	if o.Width == 0 {
		return append([]string{head, "   " + safetext.Escape(f.Title), "   > " + safetext.Escape(f.Advice)}, filter...)
	}
	o.Width = max(o.Width, 60)
	lines := append([]string{cutTo(head, o.Width)}, wrapped("   ", f.Title, o.Width, 3)...)
	lines = append(lines, f.advice(o.Width, maxLines-len(lines)-len(filter))...)
	return append(lines, filter...)
}

// advice is what has room of it, by whole sentences or else by whole parts of the first one.
func (f *Finding) advice(width, most int) []string {
	const mark = "   > "
	lines := wrapped(mark, f.Advice, width, len(f.Advice))
	if len(lines) <= most {
		return lines
	}
	more := " (closetrace explain " + f.ID + ")"
	for _, end := range []string{". ", ", "} {
		for text := f.Advice; ; {
			i := strings.LastIndex(text, end)
			if i < 0 {
				break
			}
			text = text[:i]
			if lines := wrapped(mark, text+strings.TrimRight(end, " ")+more, width, len(f.Advice)); len(lines) <= most {
				return lines
			}
		}
	}
	return wrapped(mark, f.Advice, width, most)
}

// Short returns the finding in one or two lines, as a summary begins with.
func (f *Finding) Short(width int) []string {
	if width < 60 {
		width = 100
	}
	mark := fmt.Sprintf("%s (%s%s): ", f.ID, f.Harm, f.doubt())
	return wrapped("! ", mark+f.Title, width, 2)
}

func (f *Finding) doubt() string {
	if f.Confidence.String() == "inferred" {
		return ", inferred"
	}
	return ""
}

// When says how many, since when, whether it goes on, and last, as a narrow terminal cuts it,
// what share of all that is.
func (f *Finding) When(zone *time.Location) string {
	if zone == nil {
		zone = time.UTC
	}
	from, to := f.First.Go().In(zone), f.Last.Go().In(zone)
	layout := "15:04:05"
	if from.YearDay() != to.YearDay() || from.Year() != to.Year() {
		layout = "2006-01-02 15:04:05"
	}
	text := from.Format(layout)
	if f.Last.Sub(f.First) >= time.Second {
		text += " - " + to.Format(layout)
	}
	if f.Ongoing {
		text += ", still going on"
	}
	share := ""
	if f.Share > 0 && f.Share <= 1 {
		share = "; " + human.Percent(f.Share, 1) + " % of connections"
	}
	return fmt.Sprintf("%s, %s%s", human.Count(f.Count), text, share)
}

// wrapped returns text in at most most lines; the last one is cut.
func wrapped(mark, text string, width, most int) (lines []string) {
	text = safetext.Escape(text)
	parts := strings.Split(ansi.Wrap(text, width-len(mark), ""), "\n")
	for i, part := range parts {
		if i == most-1 && len(parts) > most {
			part = cutTo(strings.Join(parts[i:], " "), width-len(mark))
		}
		lines = append(lines, mark+strings.TrimRight(part, " "))
		mark = strings.Repeat(" ", len(mark))
		if len(lines) == most {
			break
		}
	}
	return lines
}

func cutTo(text string, width int) string { return ansi.Truncate(text, width, "~") }
