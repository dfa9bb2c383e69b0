package summary

import (
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/closetrace/closetrace/internal/human"
)

// Text writes c as plain text. Names are escaped.
func (c *Comparison) Text(w io.Writer, o TextOptions) error {
	if o.Rows == 0 {
		o.Rows = 10
	}
	o.Width = max(o.Width, 80)
	p := &page{options: o}
	p.line("%-8s %s", "before", extent(c.Before))
	p.line("%-8s %s", "after", extent(c.After))
	for _, text := range c.Caution {
		p.line("caution: %s", clip(text, o.Width-9))
	}
	p.changes("verdict", c.Verdicts, func(c *Change) string { return c.Verdict })
	p.changes("cause", c.Causes, func(c *Change) string { return c.Cause })
	p.changes("process", c.Processes, func(c *Change) string { return known(c.Process) })
	p.changes("process, cause of bad ends", c.Whys, func(c *Change) string { return known(c.Process) + " " + c.Cause })
	p.title("by chance: clear once in 1,000 times, possible once in 20; few: too few to tell")
	_, err := w.Write(p.Bytes())
	return err
}

func extent(e *Export) string {
	if e.First == 0 {
		return "nothing was recorded"
	}
	span := e.Last.Sub(e.First)
	text := fmt.Sprintf("%s in %s from %s UTC", human.Many(e.Teardowns, "end"), human.Duration(span), e.First.Go().Format("2006-01-02 15:04:05"))
	if span >= time.Second {
		text += ", " + human.Rate(float64(e.Teardowns)/span.Seconds()) + " a second"
	}
	return text
}

func (p *page) changes(title string, list []Change, name func(*Change) string) {
	if len(list) == 0 {
		return
	}
	width := p.options.Width - 54
	p.title("%-*s %9s %9s %6s %6s  %s", width, title, "before", "after", "%", "%", "change")
	for i, c := range list {
		if i == p.options.Rows {
			p.line("and %d more (--json lists all)", len(list)-i)
			return
		}
		p.line("%s %9s %9s %6s %6s  %s", cell(name(&c), width), human.Count(c.Before), human.Count(c.After),
			human.Percent(c.ShareBefore, 1), human.Percent(c.ShareAfter, 1), c.words())
	}
}

// known returns what stands for a process without a name as well.
func known(process string) string {
	switch {
	case process == "":
		return "(process not known)"
	case strings.TrimSpace(process) == "":
		return strconv.Quote(process) // so that it is seen
	}
	return process
}

// words says what changed: "new", "gone", "x 2.5", and how sure that is.
func (c *Change) words() string {
	change := ""
	switch {
	case c.Before == 0:
		change = "new"
	case c.After == 0:
		change = "gone"
	case c.ShareBefore > 0:
		change = fmt.Sprintf("x %.3g", c.ShareAfter/c.ShareBefore)
	}
	return change + ", " + string(c.Hint)
}
