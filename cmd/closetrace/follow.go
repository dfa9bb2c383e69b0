package main

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/closetrace/closetrace/internal/safetext"
	"github.com/closetrace/closetrace/model"
)

// commandAfterDash returns what follows --: a command to follow. Anything else
// is a mistake.
func commandAfterDash(c *cobra.Command, args []string) ([]string, error) {
	dash := c.ArgsLenAtDash()
	if dash < 0 {
		dash = len(args)
	}
	if err := noArgs(c, args[:dash]); err != nil {
		return nil, err
	}
	if c.ArgsLenAtDash() == len(args) {
		return nil, usage("no command after --; see %s --help", c.CommandPath())
	}
	return args[dash:], nil
}

// commandOutput is where a followed command writes: not to standard output,
// which is for records, and nowhere while there is a screen.
func (a *app) commandOutput(plain bool) io.Writer {
	if a.wantsScreen(plain) {
		return nil
	}
	return a.stderr
}

// pidUsage is what --pid means where a trace is made: on Linux it follows.
const pidUsage = "only this process `ID`; on Linux also what it starts, and the trace ends with it"

// narrow adds a condition to the expression of --filter.
func (c *choice) narrow(condition string) error {
	if _, err := model.CompileFilter(c.expression); err != nil {
		return err // shown as it was written
	}
	if c.expression != "" {
		condition += " && (" + c.expression + ")"
	}
	c.expression = condition
	return nil
}

// endings counts connection ends by how they ended.
type endings map[ending]uint64

type ending struct {
	verdict model.Verdict
	cause   model.Cause
}

// byVerdict counts as a stop line does.
func (e endings) byVerdict() map[string]uint64 {
	counts := map[string]uint64{}
	for how, n := range e {
		counts[how.verdict.String()] += n
	}
	return counts
}

// followSummary says how a command ended, and how its connections did: the most
// frequent causes first. That a graceful end came by FIN need not be said.
func followSummary(command, how string, ended endings) string {
	var parts []string
	total := uint64(0)
	for _, v := range model.Verdicts() {
		n, causes := ended.of(v)
		if n == 0 {
			continue
		}
		total += n
		part := fmt.Sprintf("%d %s", n, v)
		if len(causes) > 0 {
			part += ": " + strings.Join(causes, ", ")
		}
		parts = append(parts, part)
	}
	text := fmt.Sprintf("%s %s; connections: %d", safetext.Escape(command), how, total)
	if total > 0 {
		text += " (" + strings.Join(parts, "; ") + ")"
	}
	return text
}

// of returns the number of ends with a verdict, and their causes.
func (e endings) of(v model.Verdict) (total uint64, causes []string) {
	var all []ending
	for how, n := range e {
		if how.verdict == v {
			total += n
			all = append(all, how)
		}
	}
	slices.SortFunc(all, func(a, b ending) int {
		return cmp.Or(cmp.Compare(e[b], e[a]), cmp.Compare(a.cause, b.cause))
	})
	for _, how := range all {
		switch {
		case how.cause == model.CauseFIN || how.cause == model.CauseUnknown:
		case len(all) == 1:
			causes = append(causes, how.cause.String())
		default:
			causes = append(causes, fmt.Sprintf("%d %s", e[how], how.cause))
		}
	}
	return total, causes
}
