package main

import (
	"cmp"
	"context"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/closetrace/closetrace/internal/ledger"
	"github.com/closetrace/closetrace/internal/report"
	"github.com/closetrace/closetrace/internal/safefile"
)

const reportHelp = `Make one HTML page of a recording: time line, causes, processes, peers, the worst
connections with their explanation, losses. The page loads nothing from
elsewhere and is as large for a million records as for a hundred.

Example:
  closetrace report incident.jsonl.zst -o report.html`

func newReport(a *app) *cobra.Command {
	var flags choice
	var part span
	var output, title string
	var force bool
	c := &cobra.Command{
		Use:   "report FILE|- -o PAGE [flags]",
		Short: "Make an HTML page of a recording",
		Long:  reportHelp,
		Args:  oneFile,
		RunE: func(c *cobra.Command, args []string) error {
			if output == "" {
				return usage("report needs -o PAGE.html, or -o - for standard output")
			}
			if err := notItself(output, args[0]); err != nil {
				return err
			}
			filter, err := flags.compile()
			if err != nil {
				return err
			}
			page, warnings, err := a.collect(c.Context(), args[0], &part, ledger.NewPassing(filter))
			var rest missing
			if err := rest.but(err); err != nil {
				return err
			}
			err = a.writePage(page, output, force, report.Options{Title: title, Version: version(), Warnings: warnings, Chosen: part.Span.Chosen(filter)})
			return cmp.Or(err, rest.err, filter.Failed())
		},
	}
	flags.flags(c.Flags())
	part.flags(c.Flags())
	c.Flags().StringVarP(&output, "output", "o", "", "`PAGE` to write, - for standard output")
	c.Flags().StringVar(&title, "title", "", "heading of the page: `TEXT` (default the traced host)")
	c.Flags().BoolVar(&force, "force", false, "overwrite an existing page")
	return c
}

// collect reads the whole recording; what could not be read is a warning on
// the page as well. The page is good also if the file could be read in part.
func (a *app) collect(ctx context.Context, path string, part *span, filter *ledger.Passing) (*report.Report, []string, error) {
	page := report.New()
	var told strings.Builder
	var rest missing
	part.only = true
	if err := rest.but(a.read(ctx, path, part, filter, io.MultiWriter(a.stderr, &told), page.Add)); err != nil {
		return nil, nil, err
	}
	var warnings []string
	if rest.err != nil {
		warnings = append(warnings, rest.err.Error())
	}
	for line := range strings.Lines(told.String()) {
		warnings = append(warnings, strings.TrimPrefix(strings.TrimSpace(line), "closetrace: "))
	}
	if err := filter.Failed(); err != nil {
		warnings = append(warnings, err.Error())
	}
	return page, warnings, rest.err
}

func (a *app) writePage(page *report.Report, output string, force bool, o report.Options) error {
	if output == "-" {
		return page.Write(a.stdout, o)
	}
	write := func(to io.Writer) error { return page.Write(to, o) }
	return createError(output, safefile.Whole(output, force, write))
}
