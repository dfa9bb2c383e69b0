package main

import (
	"bufio"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/closetrace/closetrace/internal/findings"
	"github.com/closetrace/closetrace/internal/ledger"
	"github.com/closetrace/closetrace/internal/safetext"
	"github.com/closetrace/closetrace/internal/session"
	"github.com/closetrace/closetrace/internal/summary"
	"github.com/closetrace/closetrace/model"
)

const summaryHelp = `The incident in one screen of text: what ended by verdict, cause, process and
peer, who aborts most, bytes lost, percentiles of durations, losses.

It reads recordings and captures, several as one (captures together, in the order
of time: those of a ring, or of several places), or with --live traces this host
until it is stopped; --every prints it again and again. On a terminal the tables
are as long as its screen allows; --rows asks for more.

Examples:
  closetrace summary incident.jsonl
  sudo closetrace summary --live --duration 30s
  sudo closetrace summary --live --every 10s`

type summaryFlags struct {
	traceFlags
	span
	live   bool
	every  time.Duration
	asJSON bool
	rows   int
}

func newSummary(a *app) *cobra.Command {
	var flags summaryFlags
	c := &cobra.Command{
		Use:   "summary [FILE|-]... [flags]",
		Short: "The incident in one screen of text",
		Long:  summaryHelp,
		RunE: func(c *cobra.Command, args []string) error {
			switch {
			case flags.live == (len(args) > 0):
				return usage("summary needs recordings or --live, not both; see closetrace summary --help")
			case c.Flags().Changed("every") && !flags.live:
				return usage("--every needs --live")
			case c.Flags().Changed("every") && flags.every <= 0:
				return usage("--every %s must be positive, for example 10s", flags.every)
			}
			if err := fitting(c, flags.live); err != nil {
				return err
			}
			if flags.live {
				return a.summaryLive(c.Context(), &flags)
			}
			return a.summaryFiles(c.Context(), args, &flags)
		},
	}
	flags.traceFlags.flags(c.Flags())
	flags.span.flags(c.Flags())
	c.Flags().BoolVar(&flags.live, "live", false, "trace this host instead of reading files")
	c.Flags().DurationVar(&flags.every, "every", 0, "with --live: print it again after each `TIME`")
	c.Flags().BoolVar(&flags.asJSON, "json", false, "as JSON")
	c.Flags().Var(natural(&flags.rows, 0), "rows", "`LINES` of each table (default 5; on a terminal what it has room for)")
	return c
}

func (a *app) summaryFiles(ctx context.Context, paths []string, flags *summaryFlags) error {
	filter, err := flags.compile()
	if err != nil {
		return err
	}
	s := newSums()
	s.counts.Chosen = flags.Span.Chosen(filter)
	passing := ledger.NewPassing(filter) // of all files: one may have the outcome of another's teardown
	var rest missing
	if err := rest.but(a.eachFile(ctx, paths, &flags.span, passing, s.add)); err != nil {
		return err
	}
	s.found.Finish()
	return cmp.Or(a.printSummary(s, flags), rest.err, filter.Failed())
}

// sums is the counts and the findings of the same records.
type sums struct {
	counts *summary.Summary
	found  *findings.Engine
}

func newSums() *sums { return &sums{summary.New(), findings.New()} }

func (s *sums) add(r *model.Record) {
	s.counts.Add(r)
	s.found.Add(r)
}

func (a *app) summaryLive(ctx context.Context, flags *summaryFlags) error {
	flags.warnAbsent(a.stderr)
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	t, err := flags.open()
	if err != nil {
		return err
	}
	defer t.Close()
	s := newSums()
	s.counts.Live = true
	var mutex sync.Mutex
	before := "" // an empty line between two of them
	print := func() error {
		mutex.Lock()
		defer mutex.Unlock()
		if _, err := io.WriteString(a.stdout, before); err != nil {
			return err
		}
		if !flags.asJSON {
			before = "\n"
		}
		return a.printSummary(s, flags)
	}
	stop := func() error { return nil }
	if flags.every > 0 {
		stop = repeat(flags.every, print, cancel)
	}
	failed := session.Each(t.Records(ctx), session.All(), func(r *model.Record) error {
		mutex.Lock()
		defer mutex.Unlock()
		s.add(r)
		return nil
	}) // what was seen until then is shown
	if err := stop(); err != nil {
		return err
	}
	return cmp.Or(print(), failed)
}

// repeat calls do again and again until the returned function is called, which returns
// the error of do. When do fails it calls failed: a trace whose reader has gone must end.
func repeat(every time.Duration, do func() error, failed func()) (stop func() error) {
	var err error
	quit := make(chan struct{})
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		ticker := time.NewTicker(every)
		defer ticker.Stop()
		for {
			select {
			case <-quit:
				return
			case <-ticker.C:
				if err = do(); err != nil {
					failed()
					return
				}
			}
		}
	}()
	return func() error { close(quit); <-ended; return err }
}

func (a *app) printSummary(s *sums, flags *summaryFlags) error {
	out := bufio.NewWriter(a.stdout)
	r := s.found.Report()
	var err error
	if flags.asJSON {
		err = safetext.WriteJSON(out, struct {
			*summary.Export
			Findings []findings.Finding `json:"findings"`
		}{s.counts.Export(cmp.Or(flags.rows, 5)), r.Findings}, "")
	} else {
		o := a.textOptions(flags)
		if top := topFindings(r, o.Width); top != "" {
			fmt.Fprintf(out, "%s\n", top)
			if o.Height > 0 {
				o.Height = max(o.Height-strings.Count(top, "\n")-1, 1)
			}
		}
		err = s.counts.Text(out, o)
	}
	return errors.Join(err, out.Flush())
}

// textOptions fit a terminal, unless a number of rows was asked for.
func (a *app) textOptions(flags *summaryFlags) summary.TextOptions {
	o := summary.TextOptions{Rows: flags.rows, ASCII: !utf8Locale()}
	file, ok := a.stdout.(*os.File)
	if !ok {
		return o
	}
	width, height, err := term.GetSize(int(file.Fd()))
	if err != nil {
		return o
	}
	if o.Width = width; o.Rows == 0 {
		o.Rows, o.Height = 10, max(height-1, 1) // the prompt has the last line
	}
	return o
}

const diffHelp = `Compare two recordings, of before and after a change: what grew and what
vanished, by verdict, cause and process, and how sure that is.`

func newDiff(a *app) *cobra.Command {
	var flags summaryFlags
	c := &cobra.Command{
		Use:   "diff BEFORE AFTER [flags]",
		Short: "Compare two recordings",
		Long:  diffHelp,
		RunE: func(c *cobra.Command, args []string) error {
			if len(args) != 2 {
				return usage("diff needs two recordings; see closetrace diff --help")
			}
			return a.diff(c.Context(), args[0], args[1], &flags)
		},
	}
	flags.choice.flags(c.Flags())
	flags.Flags(c.Flags())
	c.Flags().BoolVar(&flags.asJSON, "json", false, "as JSON")
	c.Flags().Var(natural(&flags.rows, 0), "rows", "`LINES` of each table (default 10)")
	return c
}

func (a *app) diff(ctx context.Context, before, after string, flags *summaryFlags) error {
	filter, err := flags.compile()
	if err != nil {
		return err
	}
	var both [2]*sums
	var rest missing
	for i, path := range []string{before, after} {
		both[i] = newSums()
		if err := rest.but(a.eachRecord(ctx, path, flags.whole(), ledger.NewPassing(filter), both[i].add)); err != nil {
			return err
		}
		both[i].found.Finish()
	}
	comparison := summary.Compare(both[0].counts, both[1].counts)
	appeared, gone := findings.Compare(both[0].found.Report(), both[1].found.Report())
	if flags.asJSON {
		return cmp.Or(safetext.WriteJSON(a.stdout, struct {
			*summary.Comparison
			New  []findings.Finding `json:"findings_new"`
			Gone []findings.Finding `json:"findings_gone"`
		}{comparison, appeared, gone}, ""), rest.err, filter.Failed())
	}
	o := a.textOptions(flags)
	for _, part := range []struct {
		word string
		list []findings.Finding
	}{{"new", appeared}, {"gone", gone}} {
		for i := range part.list {
			for _, line := range part.list[i].Short(o.Width - 5) {
				fmt.Fprintf(a.stdout, "%-4s %s\n", part.word, line)
			}
		}
	}
	return cmp.Or(comparison.Text(a.stdout, o), rest.err, filter.Failed())
}
