package main

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/closetrace/closetrace/internal/ledger"
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

// commandError is that the command failed, as its summary says, and nothing else did: its
// exit code becomes that of closetrace.
type commandError int

func (e commandError) Error() string { return fmt.Sprintf("the command exited with %d", int(e)) }

// commandOutput is where a followed command writes: standard error, because standard
// output is for records, or nowhere while there is a screen.
func (a *app) commandOutput(plain bool) io.Writer {
	if a.wantsScreen(plain) {
		return nil
	}
	return a.stderr
}

// followTexts are of flags that mean more for a command that can follow a process or run
// one: on Linux, --pid follows what the process starts, too.
func followTexts(set *pflag.FlagSet) {
	set.Lookup("pid").Usage = "only this process `ID`; on Linux also what it starts, and the trace ends with it"
	if user := set.Lookup("user"); user != nil { // only on Linux
		user.Usage += "; a command after -- runs as it"
	}
}

// narrow adds a condition to the expression of --filter.
func (c *choice) narrow(condition string) error {
	if _, err := model.CompileFilter(string(c.expression)); err != nil {
		return err // shown as it was written
	}
	if c.expression != "" {
		condition += " && (" + string(c.expression) + ")"
	}
	c.expression = expression(condition)
	return nil
}

// followSummary says how a command ended, and how its connections did: the most frequent
// causes first. It does not mention that graceful ends came by FIN.
func followSummary(command, how string, ended *ledger.Ends) string {
	var parts []string
	total := uint64(0)
	for _, v := range model.Verdicts() {
		n, causes := endedAs(ended.Counts(), v)
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

// endedAs returns the number of ends with a verdict, and their causes.
func endedAs(counts map[ledger.Ending]uint64, v model.Verdict) (total uint64, causes []string) {
	var all []ledger.Ending
	for how, n := range counts {
		if how.Verdict == v {
			total += n
			all = append(all, how)
		}
	}
	slices.SortFunc(all, func(a, b ledger.Ending) int {
		return cmp.Or(cmp.Compare(counts[b], counts[a]), cmp.Compare(a.Cause, b.Cause))
	})
	for _, how := range all {
		switch {
		case how.Cause == model.CauseFIN || how.Cause == model.CauseUnknown:
		case len(all) == 1:
			causes = append(causes, how.Cause.String())
		default:
			causes = append(causes, fmt.Sprintf("%d %s", counts[how], how.Cause))
		}
	}
	return total, causes
}
