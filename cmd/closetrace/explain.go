package main

import (
	"bufio"
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/closetrace/closetrace/internal/findings"
	"github.com/closetrace/closetrace/model"
	"github.com/closetrace/closetrace/tui"
)

const explainHelp = `Explain a cause: what happened, what usually does it, what you notice, what to
check next, how closetrace knows, and what looks alike. For a verdict: its meaning
and its causes. For a finding of diagnose: what it is based on and what to change.
Without a name, list all causes and findings.

Examples:
  closetrace explain
  closetrace explain unread-data
  closetrace explain abortive
  closetrace explain keepalive-race`

// proseWidth is the width of easily readable text.
const proseWidth = 80

func newExplain(a *app) *cobra.Command {
	return &cobra.Command{
		Use:   "explain [CAUSE|VERDICT|FINDING]",
		Short: "Explain what a cause, a verdict or a finding means",
		Long:  explainHelp,
		ValidArgsFunction: func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
			return slices.Concat(names(model.Causes()), names(model.Verdicts()), findings.Names()), cobra.ShellCompDirectiveNoFileComp
		},
		RunE: func(_ *cobra.Command, args []string) error {
			switch len(args) {
			case 0:
				return a.listCauses()
			case 1:
				return a.explain(args[0])
			default:
				return usage("explain takes one cause, verdict or finding; see closetrace explain --help")
			}
		},
	}
}

func (a *app) listCauses() error {
	out := bufio.NewWriter(a.stdout)
	for _, c := range model.Causes() {
		fmt.Fprintln(out, causeLine(c))
	}
	fmt.Fprintln(out, "\nFINDINGS (closetrace diagnose)")
	for _, name := range findings.Names() {
		p, _ := findings.PatternOf(name)
		fmt.Fprintf(out, "%-24s %s (%v)\n", name, p.Title, p.Harm)
	}
	return out.Flush()
}

// patternExplanation is the text of a pattern, in lines of at most width columns.
func patternExplanation(p *findings.Pattern, width int) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s: %s. Harm: %v.\n", p.Name, p.Title, p.Harm)
	for _, part := range [][2]string{
		{"IT IS FOUND WHEN", p.When},
		{"WHAT TO CHANGE", p.Advice},
		{"HOW IT IS KNOWN", p.Evidence},
		{"CONFIDENCE", p.Confidence},
		{"WHAT LOOKS ALIKE", p.Alike},
	} {
		if part[1] == "" {
			continue
		}
		fmt.Fprintf(&b, "\n%s\n%s\n", part[0], strings.Join(tui.Prose([]model.Block{{Paragraph: part[1]}}, width), "\n"))
	}
	return b.String()
}

func causeLine(c model.Cause) string { return fmt.Sprintf("%-24s %s", c, model.Explain(c).Summary) }

func (a *app) explain(name string) error {
	var (
		c model.Cause
		v model.Verdict
	)
	width, _ := a.terminalSize()
	width = min(cmp.Or(width, proseWidth), proseWidth)
	var texts []string
	unknown := c.UnmarshalText([]byte(name))
	switch {
	case unknown == nil: // also "unknown", which is both
		texts = append(texts, explanation(c, width))
	case v.UnmarshalText([]byte(name)) == nil:
		texts = append(texts, verdictExplanation(v, width))
	}
	for _, p := range findings.Patterns() { // one name may be a cause and several patterns
		if p.Name == name {
			texts = append(texts, patternExplanation(&p, width))
		}
	}
	if texts == nil {
		return usage("%w (closetrace explain lists the causes and findings)", unknown)
	}
	_, err := io.WriteString(a.stdout, strings.Join(texts, "\n"))
	return err
}

// verdictExplanation is the text of a verdict.
func verdictExplanation(v model.Verdict, width int) string {
	lines := tui.Prose([]model.Block{{Paragraph: v.String() + ": " + v.Meaning()}}, width)
	lines = append(lines, "", "ITS CAUSES (closetrace explain CAUSE)")
	for _, c := range model.Causes() {
		if slices.Contains(c.Verdicts(), v) {
			lines = append(lines, causeLine(c))
		}
	}
	if v == model.FailedOpen {
		lines = append(lines, "and those of abortive, where the connection had not opened")
	}
	return strings.Join(lines, "\n") + "\n"
}

// explanation is the text of a cause, in lines of at most width columns.
func explanation(c model.Cause, width int) string {
	e := model.Explain(c)
	var b strings.Builder
	write := func(blocks ...model.Block) { b.WriteString(strings.Join(tui.Prose(blocks, width), "\n") + "\n") }
	write(model.Block{Paragraph: c.String() + ": " + e.Title}, model.Block{Paragraph: e.Summary})
	for i := range e.Sections {
		b.WriteString("\n" + strings.ToUpper(e.Sections[i].Heading) + "\n")
		write(e.Sections[i].Blocks()...)
	}
	return b.String()
}
