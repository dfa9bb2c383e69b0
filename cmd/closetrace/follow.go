package main

import (
	"fmt"
	"io"
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

// followSummary says how a command ended, and how its connections did.
func followSummary(command, how string, teardowns map[string]uint64) string {
	var parts []string
	total := uint64(0)
	for _, v := range []model.Verdict{model.Graceful, model.Abortive, model.LingerTimeout, model.FailedOpen, model.Silent, model.VerdictUnknown} {
		if n := teardowns[v.String()]; n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", n, v))
			total += n
		}
	}
	text := fmt.Sprintf("%s %s; connections: %d", safetext.Escape(command), how, total)
	if total > 0 {
		text += " (" + strings.Join(parts, ", ") + ")"
	}
	return text
}
