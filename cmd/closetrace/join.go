package main

import (
	"bufio"
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/netip"
	"path/filepath"
	"slices"

	"github.com/spf13/cobra"

	"github.com/closetrace/closetrace/internal/human"
	"github.com/closetrace/closetrace/internal/ledger"
	"github.com/closetrace/closetrace/internal/pairs"
	"github.com/closetrace/closetrace/internal/safetext"
	"github.com/closetrace/closetrace/internal/session"
	"github.com/closetrace/closetrace/model"
)

const joinHelp = `Join the recordings of several hosts: each connection with the stories of both
its ends, those that do not fit together first. If one end was reset and the other
did not send the reset, something between them did.

Ends are joined by the connection's fingerprint, which address translation leaves as
it is, or if one end has none, by address and time. How far the clocks of the hosts are
apart is estimated from the joined ends. Filters choose connections of which one end
or the other matches.

A packet capture has both ends of a connection; one that several captures have is
listed once, with one end of each. --local chooses connections of which a capture has
an end with such an address, and leaves out no end of them.

Examples:
  closetrace join client.jsonl server.jsonl
  closetrace join client.jsonl server.jsonl --verdict abortive`

type joinFlags struct {
	choice
	span
}

func newJoin(a *app) *cobra.Command {
	var flags joinFlags
	var rows int
	c := &cobra.Command{
		Use:   "join FILE FILE... [flags]",
		Short: "Both stories of each connection, from the recordings of several hosts",
		Long:  joinHelp,
		RunE: func(c *cobra.Command, args []string) error {
			if len(args) < 2 {
				return usage("join needs the recordings of two hosts or more; see closetrace join --help")
			}
			return a.join(c.Context(), args, &flags, rows)
		},
	}
	flags.choice.flags(c.Flags())
	flags.Flags(c.Flags())
	c.Flags().Var(natural(&rows, 50), "rows", "`LINES` of connections, and of ends without another")
	return c
}

func (a *app) join(ctx context.Context, paths []string, flags *joinFlags, rows int) error {
	filter, err := flags.compile()
	if err != nil {
		return err
	}
	j := pairs.New()
	local := flags.Capture.Local
	flags.Capture.Local = nil // would leave out the ends that explain those
	var rest missing
	for i, path := range paths {
		passing := ledger.NewPassing(filter)
		capture := false
		err := a.eachRecord(ctx, path, &flags.span, session.All(), func(r *model.Record) {
			if r.Kind == model.KindStart {
				capture = r.Start.Captured()
			}
			chosen := passing.Match(r)
			if capture && len(local) > 0 {
				address := r.Teardown.Network.Local.Address.Unmap()
				chosen = chosen && slices.ContainsFunc(local, func(p netip.Prefix) bool { return p.Contains(address) })
			}
			j.Add(i, r, chosen)
		})
		if err = rest.but(err); err != nil {
			return err
		}
	}
	out := bufio.NewWriter(a.stdout)
	printJoined(out, j, paths, rows)
	return cmp.Or(errors.Join(out.Flush()), rest.err, filter.Failed())
}

func printJoined(out *bufio.Writer, j *pairs.Joiner, paths []string, rows int) {
	r := j.Join(len(paths))
	name := func(file int) string { return safetext.Escape(filepath.Base(paths[file])) }
	differ := 0
	for i := range r.Pairs {
		if r.Pairs[i].Differ != "" {
			differ++
		}
	}
	fmt.Fprintf(out, "%s with both ends, %s with stories that differ; %s, not graceful, without the other\n",
		human.Many(len(r.Pairs), "connection"), human.Count(differ), human.Many(len(r.Alone), "end"))
	for i, offset := range r.Offsets {
		if d, known := offset.Get(); known {
			fmt.Fprintf(out, "the clock of %s is %s ahead of that of %s\n", name(i), human.Duration(d), name(0))
		}
	}
	if j.Dropped > 0 {
		fmt.Fprintf(out, "%s ends were too many to be joined; join parts of the recordings\n", human.Count(j.Dropped))
	}
	for i := range r.Pairs[:min(len(r.Pairs), rows)] {
		p := &r.Pairs[i]
		fmt.Fprintf(out, "\n%s: %s\n%s: %s\n", name(p.A.File), story(&p.A), name(p.B.File), story(&p.B))
		if p.Differ != "" {
			fmt.Fprintf(out, "! %s\n", p.Differ)
		}
	}
	for i := range r.Alone[:min(len(r.Alone), rows)] {
		e := &r.Alone[i]
		fmt.Fprintf(out, "\n%s: %s\nits other end is still open, or was not recorded\n", name(e.File), story(e))
		if e.HitBy != 0 {
			fmt.Fprintf(out, "! the host of %s reset it, without having this connection\n", name(e.HitBy-1))
		}
	}
}

// story is one end in a line.
func story(e *pairs.End) string {
	end := func(a netip.AddrPort) string {
		return human.Endpoint(model.Endpoint{Address: a.Addr(), Port: a.Port()})
	}
	return fmt.Sprintf("%s %s %v %v  %s - %s  %s", e.Time.Go().Format("15:04:05.000000"), human.Process(e.Process, e.PID),
		e.Verdict, e.Cause, end(e.Local), end(e.Peer), safetext.Escape(e.ID))
}
