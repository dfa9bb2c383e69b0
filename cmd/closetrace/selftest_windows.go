package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"time"

	"github.com/closetrace/closetrace/etwsrc"
	"github.com/closetrace/closetrace/internal/lab"
	"github.com/closetrace/closetrace/internal/safetext"
	"github.com/closetrace/closetrace/internal/session"
	"github.com/closetrace/closetrace/model"
)

const selftestHelp = `--selftest closes connections on 127.0.0.1 in every way that the table of
closesocket has, shows what each call returned, and compares closetrace's
verdicts with that. It takes about ten seconds and touches no other connection.
Where nothing can be traced it shows the calls alone. closetrace's authors had
no Windows machine: please report what it prints.`

// selftest closes connections in every way and checks the verdicts against what
// the calls returned.
func (a *app) selftest(ctx context.Context, by sourceFlags) error {
	source, err := openSource(&traceFlags{sourceFlags: by})
	var usage *usageError
	switch {
	case errors.As(err, &usage):
		return err
	case err != nil:
		return a.selftestUntraced(ctx, err)
	}
	defer source.Close()
	results, records, err := playTraced(ctx, source, func(ctx context.Context) ([]lab.Result, error) { return lab.Run(ctx, lab.Scenarios(), 1) })
	if err != nil {
		return a.selftestUntraced(ctx, err)
	}
	if !etwsrc.HasSocketCalls() {
		lab.Untold(results)
	}
	printCalls(a.stdout, results)
	if traced, ok := source.(*etwsrc.Session); ok {
		session.ReportUndecoded(a.stdout, "self-test", traced)
	}
	return a.printSelftest(played{source.Start(), results, lab.Compare(results, ownRecords(results, records))}, nil)
}

// selftestUntraced shows what the calls return if nothing can be traced.
func (a *app) selftestUntraced(ctx context.Context, why error) error {
	results, err := lab.Run(ctx, lab.Scenarios(), 1)
	if err != nil {
		return err
	}
	printCalls(a.stdout, results)
	for i := range results {
		for _, line := range remarks(&results[i]) {
			fmt.Fprintf(a.stdout, "-      %s\n", safetext.Escape(line))
		}
	}
	return fmt.Errorf("%w, so that no verdict was tested: %w", errSource, why)
}

// printCalls writes what each call returned: the truth of the self-test.
func printCalls(out io.Writer, results []lab.Result) {
	for _, r := range results {
		fmt.Fprintf(out, "%-24s", r.Name)
		for _, c := range r.Calls {
			failure := c.Error
			if failure == "" {
				failure = "ok"
			}
			fmt.Fprintf(out, " %s %s: %s", c.Actor, c.Name, failure)
			if c.Took > 0 {
				fmt.Fprintf(out, " after %v", c.Took.Round(time.Millisecond))
			}
		}
		fmt.Fprintln(out)
	}
}

// ownRecords returns those of the self-test's connections: a session sees the
// whole machine.
func ownRecords(results []lab.Result, records []model.Record) []model.Record {
	type addresses struct{ local, peer netip.AddrPort }
	own := map[addresses]bool{}
	for _, r := range results {
		for _, e := range r.Ends {
			own[addresses{e.Local, e.Peer}], own[addresses{e.Peer, e.Local}] = true, true
		}
	}
	var kept []model.Record
	for _, r := range records {
		n := &r.Teardown.Network
		if own[addresses{n.Local.AddrPort(), n.Peer.AddrPort()}] {
			kept = append(kept, r)
		}
	}
	return kept
}
