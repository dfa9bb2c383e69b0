package main

import (
	"fmt"
	"io"
	"strings"

	"github.com/closetrace/closetrace/internal/findings"
	"github.com/closetrace/closetrace/internal/human"
)

// topCount is how many findings are shown by commands that are about something else.
const topCount = 3

// topFindings returns the first lines of the most harmful findings, in lines of at
// most width columns; "" if there are none.
func topFindings(r *findings.Report, width int) string {
	var b strings.Builder
	for i := range r.Findings {
		if i == topCount {
			break
		}
		for _, line := range r.Findings[i].Short(width) {
			b.WriteString(line + "\n")
		}
	}
	if more := len(r.Findings) - topCount; more > 0 {
		fmt.Fprintf(&b, "%s: closetrace diagnose\n", human.Many(more, "more finding"))
	}
	return b.String()
}

// tellFindings writes what was found among the connections of a followed command.
func (t *trace) tellFindings(out io.Writer) {
	found := t.Found()
	if found == nil {
		return
	}
	found.Finish()
	_, _ = io.WriteString(out, topFindings(found.Report(), 100))
}
