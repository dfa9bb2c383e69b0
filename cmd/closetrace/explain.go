package main

import (
	"bufio"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/closetrace/closetrace/model"
)

const explainHelp = `Explain a cause: what happened, what usually does it, what one notices, what to
check next, how closetrace knows, and what looks alike. Without a cause it lists
them all.

Examples:
  closetrace explain
  closetrace explain unread-data`

func newExplain(a *app) *cobra.Command {
	return &cobra.Command{
		Use:   "explain [CAUSE]",
		Short: "Explain what a cause means",
		Long:  explainHelp,
		ValidArgsFunction: func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
			var names []string
			for _, c := range model.Causes() {
				names = append(names, c.String())
			}
			return names, cobra.ShellCompDirectiveNoFileComp
		},
		RunE: func(_ *cobra.Command, args []string) error {
			switch len(args) {
			case 0:
				return a.listCauses()
			case 1:
				return a.explain(args[0])
			default:
				return usage("explain takes one cause; see closetrace explain --help")
			}
		},
	}
}

func (a *app) listCauses() error {
	out := bufio.NewWriter(a.stdout)
	for _, c := range model.Causes() {
		fmt.Fprintf(out, "%-24s %s\n", c, model.Explain(c).Summary)
	}
	return out.Flush()
}

func (a *app) explain(name string) error {
	var c model.Cause
	if err := c.UnmarshalText([]byte(name)); err != nil {
		return usage("%w (closetrace explain lists the causes)", err)
	}
	out := bufio.NewWriter(a.stdout)
	_, err := out.WriteString(explanation(c))
	return errors.Join(err, out.Flush())
}

// explanation is the text of a cause as a terminal shows it.
func explanation(c model.Cause) string {
	e := model.Explain(c)
	var b strings.Builder
	fmt.Fprintf(&b, "%s: %s\n\n%s\n", c, e.Title, e.Summary)
	for _, s := range e.Sections {
		fmt.Fprintf(&b, "\n%s\n%s\n", strings.ToUpper(s.Heading), strings.TrimSpace(s.Text))
	}
	return b.String()
}
