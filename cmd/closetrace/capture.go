package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"net/netip"
	"os"
	"strconv"
	"sync/atomic"

	"github.com/spf13/pflag"

	"github.com/closetrace/closetrace/internal/safetext"
	"github.com/closetrace/closetrace/model"
	"github.com/closetrace/closetrace/wire"
)

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

// captureFile is a packet capture.
type captureFile struct {
	*wire.File
	in   *countedFile
	path string
	live bool
}

// openCapture opens a regular file as a capture; the error is [wire.ErrNotACapture] if
// it is none.
func openCapture(path string, size int64, o wire.Options) (file, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("open capture: %w", err)
	}
	in := &countedFile{Reader: f, Closer: f, size: size}
	capture, _, err := wire.Open(in, path, o)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("open %s: %w", path, err), f.Close())
	}
	return &captureFile{capture, in, path, false}, nil
}

// countedFile is a file of which is known how much was read.
type countedFile struct {
	io.Reader
	io.Closer
	size int64
	read atomic.Int64
}

// Read implements [io.Reader].
func (f *countedFile) Read(p []byte) (int, error) {
	n, err := f.Reader.Read(p)
	f.read.Add(int64(n))
	return n, err
}

// Progress returns how many bytes of the file were read and how many it has; 0 if that
// is not known.
func (f *captureFile) Progress() (read, size int64) { return f.in.read.Load(), f.in.size }

// isLive: lines are to be shown as soon as they are there.
func (f *captureFile) isLive() bool { return f.live }

func (f *captureFile) Close() error { return errors.Join(f.File.Close(), f.in.Close()) }

func (f *captureFile) records(ctx context.Context) iter.Seq2[model.Record, error] {
	return sourceRecords(ctx, f.File, f.End, func() error { return nil })
}

func (f *captureFile) tell(out io.Writer) {
	name, stats := safetext.Escape(f.path), f.Stats()
	for _, line := range stats.Skipped() {
		fmt.Fprintf(out, "closetrace: %s: %s\n", name, line)
	}
	switch {
	case stats.Packets == 0:
		fmt.Fprintf(out, "closetrace: %s: the capture has no packets\n", name)
	case stats.Segments() == 0:
		fmt.Fprintf(out, "closetrace: %s: no TCP among %d packets\n", name, stats.Packets)
	case stats.Lost > 0:
		fmt.Fprintf(out, "closetrace: %s: %d connections were given up before they ended: there were too many at a time; see --max-connections\n", name, stats.Lost)
	}
}
