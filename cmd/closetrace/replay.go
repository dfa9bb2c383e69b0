package main

import (
	"bufio"
	"cmp"
	"context"
	"strings"

	"github.com/spf13/cobra"

	"github.com/closetrace/closetrace/internal/ledger"
	"github.com/closetrace/closetrace/internal/session"
	"github.com/closetrace/closetrace/model"
	"github.com/closetrace/closetrace/tui"
)

const replayHelp = `Read a recording on any machine, without privileges: plain, zstd, a Windows
trace (.etl), a packet capture (pcap, pcapng; also .gz and .zst), or - for one of
them on standard input. A capture shows both ends of a connection; --local keeps
one.

What cannot be read (a truncated end, a garbled line) is reported on standard error
with its line and byte, and the rest is shown. --rejudge judges the recorded facts
by the rules of this version and shows only the records whose verdict changes.

Examples:
  closetrace replay incident.jsonl --verdict abortive
  zstdcat log.jsonl.zst | closetrace replay - --json | jq .cause
  tcpdump -i any -U -w - tcp | closetrace replay -
  closetrace replay incident.jsonl --with router.pcapng
  closetrace replay client-side.pcapng --with server-side.pcapng
  closetrace replay incident.jsonl --rejudge`

type replayFlags struct {
	choice
	span
	format  string
	asJSON  bool
	rejudge bool
	with    string
	plain   bool
	speed   float64
}

func newReplay(a *app) *cobra.Command {
	var flags replayFlags
	c := &cobra.Command{
		Use:   "replay FILE|- [flags]",
		Short: "Read a recording",
		Long:  replayHelp,
		Args:  oneFile,
		RunE: func(c *cobra.Command, args []string) error {
			if flags.asJSON && c.Flags().Changed("format") && flags.format != "json" {
				return usage("--json and --format %s exclude each other", flags.format)
			}
			return a.replay(c.Context(), args[0], &flags)
		},
	}
	flags.choice.flags(c.Flags())
	flags.span.flags(c.Flags())
	c.Flags().StringVar(&flags.format, "format", "text", "`FORMAT`: "+strings.Join(formats, ", ")+"; pcap-filter is an expression for tcpdump")
	c.Flags().BoolVar(&flags.asJSON, "json", false, "the same as --format json")
	c.Flags().StringVar(&flags.with, "with", "", "beside each end what this packet `CAPTURE` saw of it, and where the two disagree, as text")
	c.Flags().BoolVar(&flags.rejudge, "rejudge", false, "judge the facts again and show what changes")
	c.Flags().Float64Var(&flags.speed, "speed", 0, "on the screen: play from the beginning, this `FACTOR` faster than it happened")
	c.Flags().BoolVar(&flags.plain, "plain", false, "one line for each record, also on a terminal")
	return c
}

func (a *app) replay(ctx context.Context, path string, flags *replayFlags) (err error) {
	filter, err := flags.compile()
	if err != nil {
		return err
	}
	if !(flags.speed >= 0) {
		return usage("replay: --speed %g: want a factor such as 10; 0 shows the end at once", flags.speed)
	}
	if flags.asJSON {
		flags.format = "json"
	}
	toTerminal := clearing{a.stdout, func() {}}
	out := bufio.NewWriterSize(a.stdout, 64<<10)
	if isTerminal(a.stdout) {
		out.Reset(&toTerminal)
	}
	print, err := newPrinter(out, a.stderr, flags, a.lineOptions())
	if err != nil {
		return err
	}
	in, err := flags.openFile(path)
	if err != nil {
		return err
	}
	defer in.Close()
	if flags.with != "" {
		if print, err = a.besideCapture(ctx, out, print, path, flags); err != nil {
			return err
		}
	}
	if flags.format == "text" && !flags.rejudge && flags.with == "" && path != "-" && a.wantsScreen(flags.plain) {
		keys, wrong := readKeys()
		if wrong != nil {
			return wrong
		}
		err = a.screen(ctx, in.Records(ctx), tui.Config{
			Filter: filter.String(), Keys: keys,
			Traced: flags.Span.String(),
			Replay: &tui.Replay{Name: path, Speed: flags.speed},
		})
	} else {
		toTerminal.done = a.progress(in.Progress)
		show := print.record
		if in.Live() {
			show = func(r *model.Record) error { return cmp.Or(print.record(r), out.Flush()) }
		}
		err = session.Each(in.Records(ctx), ledger.NewPassing(filter), show)
		toTerminal.done()
		for _, end := range []func() error{print.end, out.Flush} {
			if ended := end(); err == nil { // a second error of a full disk is the same
				err = ended
			}
		}
	}
	if err == nil {
		in.Report(a.stderr)
		in.ReportSpan(a.stderr)
		err = filter.Failed()
	}
	return err
}
