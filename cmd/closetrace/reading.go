package main

import (
	"context"
	"fmt"
	"io"
	"net/netip"
	"strconv"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/closetrace/closetrace/internal/ledger"
	"github.com/closetrace/closetrace/internal/session"
	"github.com/closetrace/closetrace/model"
	"github.com/closetrace/closetrace/wire"
)

// What commands that read files have in common.

func oneFile(c *cobra.Command, args []string) error {
	if len(args) != 1 {
		return usage("%s needs one file, or - for standard input; see %s --help", c.CommandPath(), c.CommandPath())
	}
	return nil
}

// span is what of a file is read: a part by time, and of a capture whose ends.
type span struct {
	session.Span
	captureFlags
}

func (s *span) flags(set *pflag.FlagSet) {
	set.Var(&s.Since, "since", "only what ended from this `TIME` on: 17:03, 17:03:05 (of the day on which the recording begins, local time), '2026-11-20 17:03', or RFC 3339 such as 2026-11-20T17:03:05Z")
	set.Var(&s.Until, "until", "only what ended before this `TIME`; as --since")
	s.captureFlags.flags(set)
}

// openFile opens the part of a file that s is.
func (s *span) openFile(path string) (*session.File, error) {
	o, err := s.options()
	if err != nil {
		return nil, err
	}
	return session.Open(path, session.OpenOptions{Version: version(), Capture: o, Span: s.Span})
}

// captureFlags say how packet captures are read.
type captureFlags struct {
	local     []string
	payload   bool
	sightings *wire.Sightings // of what is read
	most      pflag.Value     // --max-connections, also where that is a flag of tracing; nil for the default
}

func (f *captureFlags) flags(set *pflag.FlagSet) {
	set.StringSliceVar(&f.local, "local", nil, "of a packet capture: only the ends with an address in this `CIDR` (default both ends)")
	set.BoolVar(&f.payload, "payload", false, "of a packet capture: read the status of HTTP answers; nothing else of payload is read, TLS alerts aside")
	const most = "max-connections"
	if set.Lookup(most) == nil {
		set.Uint32(most, 0, fmt.Sprintf("of a packet capture: connections to follow at a time (default %d)", wire.DefaultConnections))
	}
	f.most = set.Lookup(most).Value
}

func (f *captureFlags) options() (wire.Options, error) {
	o := wire.Options{Payload: f.payload, Sightings: f.sightings}
	if f.most != nil {
		o.MaxConnections, _ = strconv.Atoi(f.most.String()) // pflag has parsed it
	}
	for _, text := range f.local {
		prefix, err := parsePrefix("--local", text)
		if err != nil {
			return o, err
		}
		o.Local = append(o.Local, prefix)
	}
	return o, nil
}

// parsePrefix reads an address or a CIDR that a flag has.
func parsePrefix(flag, text string) (netip.Prefix, error) {
	if prefix, err := netip.ParsePrefix(text); err == nil {
		return prefix, nil
	}
	address, err := netip.ParseAddr(text)
	if err != nil {
		return netip.Prefix{}, usage("%s %q is no address and no CIDR such as 10.0.0.0/8", flag, text)
	}
	return netip.PrefixFrom(address, address.BitLen()), nil
}

// eachRecord hands add the records of a part of a file that pass the filter.
func (a *app) eachRecord(ctx context.Context, path string, part *span, filter *ledger.Passing, add func(*model.Record)) error {
	return a.read(ctx, path, part, filter, a.stderr, add)
}

// read is eachRecord; what could not be read is written to warn.
func (a *app) read(ctx context.Context, path string, part *span, filter *ledger.Passing, warn io.Writer, add func(*model.Record)) error {
	in, err := part.openFile(path)
	if err != nil {
		return err
	}
	defer in.Close()
	done := a.progress(in.Progress)
	defer done()
	if err := session.Each(in.Records(ctx), filter, func(r *model.Record) error { add(r); return nil }); err != nil {
		return err
	}
	done()
	in.Report(warn)
	return nil
}
