package main

import (
	"bufio"
	"cmp"
	"context"
	"errors"
	"time"

	"github.com/spf13/cobra"

	"github.com/closetrace/closetrace/internal/findings"
	"github.com/closetrace/closetrace/internal/ledger"
	"github.com/closetrace/closetrace/internal/safetext"
	"github.com/closetrace/closetrace/internal/session"
	"github.com/closetrace/closetrace/internal/sockets"
	"github.com/closetrace/closetrace/model"
)

const diagnoseHelp = `Say why connections keep ending the way they do, who does it, since when, and
what to change: keep-alive races, killed workers, full queues, dead paths and the
like. Each finding has a filter that selects its ends for replay and report.

It reads recordings and captures, several as one (captures together, in the order
of time: those of a ring, or of several places), or with --live traces this host
until it is stopped or --duration is over, and then looks at what is open, too:
connections that a program does not close. closetrace explain FINDING explains a
finding; finding nothing is exit code 0 too.

Examples:
  closetrace diagnose incident.jsonl
  closetrace diagnose ring_*.pcap
  sudo closetrace diagnose --live --duration 30s
  closetrace diagnose incident.jsonl --json | jq '.findings[0]'`

type diagnoseFlags struct {
	traceFlags
	span
	live   bool
	asJSON bool
}

func newDiagnose(a *app) *cobra.Command {
	var flags diagnoseFlags
	c := &cobra.Command{
		Use:   "diagnose [FILE|-]... [flags]",
		Short: "Why this keeps happening, and what to change",
		Long:  diagnoseHelp,
		RunE: func(c *cobra.Command, args []string) error {
			if flags.live == (len(args) > 0) {
				return usage("diagnose needs recordings or --live, not both; see closetrace diagnose --help")
			}
			if err := fitting(c, flags.live); err != nil {
				return err
			}
			if flags.live {
				return a.diagnoseLive(c.Context(), &flags)
			}
			return a.diagnoseFiles(c.Context(), args, &flags)
		},
	}
	flags.traceFlags.flags(c.Flags())
	flags.span.flags(c.Flags())
	c.Flags().BoolVar(&flags.live, "live", false, "trace this host instead of reading files")
	c.Flags().BoolVar(&flags.asJSON, "json", false, "as one JSON object")
	return c
}

func (a *app) diagnoseFiles(ctx context.Context, paths []string, flags *diagnoseFlags) error {
	filter, err := flags.compile()
	if err != nil {
		return err
	}
	engine, passing := findings.New(), ledger.NewPassing(filter)
	var rest missing
	if err := rest.but(a.eachFile(ctx, paths, &flags.span, passing, engine.Add)); err != nil {
		return err
	}
	engine.Finish()
	return cmp.Or(a.printFindings(engine.Report(), flags.asJSON), rest.err, filter.Failed())
}

func (a *app) diagnoseLive(ctx context.Context, flags *diagnoseFlags) error {
	flags.warnAbsent(a.stderr)
	open, err := newOpenView(&flags.traceFlags, false) // before the privileges are gone
	if err != nil {
		return err
	}
	defer open.close()
	t, err := flags.open()
	if err != nil {
		return err
	}
	defer t.Close()
	engine := findings.New()
	failed := session.Each(t.Records(ctx), session.All(), func(r *model.Record) error { engine.Add(r); return nil })
	engine.Finish() // what was found until it failed is shown
	see, err := open.see(flags)
	if errors.Is(err, model.ErrFilterFailed) {
		failed, err = cmp.Or(failed, err), nil
	}
	if err == nil { // without it, findings are those of ends
		engine.See(model.TimeOf(time.Now()), see)
	}
	return cmp.Or(a.printFindings(engine.Report(), flags.asJSON), failed)
}

// see returns the open connections that the flags choose; the names of processes, ports,
// peers and so on are those of records. With [model.ErrFilterFailed] the rest is returned.
func (v *openView) see(flags *diagnoseFlags) ([]findings.Open, error) {
	all, err := sockets.List(context.Background(), v.options)
	if err != nil {
		return nil, err
	}
	filter, err := flags.compile()
	if err != nil {
		return nil, err
	}
	var open []findings.Open
	for i := range all {
		c := &all[i]
		r := model.Record{Kind: model.KindTeardown, Teardown: model.Teardown{Facts: model.Facts{ID: c.ID, Network: c.Network, Process: c.Process, Container: c.Container, K8s: c.K8s, Systemd: c.Systemd}}}
		if filter != nil && !filter.Match(&r) {
			continue
		}
		open = append(open, findings.Open{
			ID: c.ID, Process: c.Process.Name, PID: c.Process.PID, State: c.State, Silent: c.Silent.Or(0),
			Local: c.Network.Local.AddrPort(), Peer: c.Network.Peer.AddrPort(),
		})
	}
	return open, filter.Failed()
}

func (a *app) printFindings(r *findings.Report, asJSON bool) error {
	out := bufio.NewWriter(a.stdout)
	var err error
	if asJSON {
		err = safetext.WriteJSON(out, r, "")
	} else {
		width := 0
		if isTerminal(a.stdout) {
			width, _ = a.terminalSize()
		}
		err = r.Text(out, findings.TextOptions{Width: width, Zone: time.UTC})
	}
	return errors.Join(err, out.Flush())
}
