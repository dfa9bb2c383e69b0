package wire

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"net/netip"
	"sync/atomic"
	"time"

	"github.com/closetrace/closetrace/model"
	"github.com/closetrace/closetrace/wire/internal/capture"
	"github.com/closetrace/closetrace/wire/internal/flow"
	"github.com/closetrace/closetrace/wire/internal/packet"
)

var _ model.Source = (*File)(nil)

// ErrNotACapture: the file is not a packet capture.
var ErrNotACapture = capture.ErrNotACapture

// ErrCut: the capture ends in the middle of a packet. What comes before was read.
var ErrCut = capture.ErrCut

// errRead: Events is single use.
var errRead = errors.New("the packets were already read")

// Options say how a capture is read. The zero value is right for most.
type Options struct {
	// Local are the addresses whose ends are reported; none: all, and both ends of each
	// connection.
	Local []netip.Prefix
	// MaxConnections is how many connections are followed at a time; 0 is
	// [DefaultConnections].
	MaxConnections int
	// Payload: report the status of HTTP responses. Of payload nothing else is read but
	// TLS alerts.
	Payload bool
	// Sightings, if set, gets what the capture has of each connection.
	Sightings *Sightings
	// Live: the capture is still being written: what becomes due while waiting for
	// packets is reported.
	Live bool
}

// DefaultConnections is how many connections are followed at a time: 500 MB.
const DefaultConnections = flow.DefaultConnections

// File is a capture that is read as a source.
type File struct {
	reader     packets
	name       string
	options    Options
	patient    *patient       // of a live one
	first      capture.Packet // read at the start, for its time
	failed     error          // of that
	decoder    packet.Decoder
	table      *flow.Table
	stats      Stats
	directions directions
	stuck      map[way]*stuck
	last       int64  // time stamp
	newest     int64  // that of the last packet
	lost       uint64 // reported so far
	out        []model.Event
	used       bool
	over       bool // all packets were read
	closed     atomic.Bool
}

// packets are those of a capture, or of several.
type packets interface {
	Next(*capture.Packet) error
	System() string
	Lost() uint64
	Close()
}

// Open reads the capture in r, compressed or not. If it is not a capture, the error is
// [ErrNotACapture], and rest is r from its beginning. Close does not close r. name is for
// messages.
func Open(r io.Reader, name string, o Options) (f *File, rest io.Reader, err error) {
	f = &File{name: name, options: o}
	if o.Live {
		f.patient = newPatient(r)
		r = f.patient
	}
	reader, rest, err := capture.Open(r)
	if err != nil {
		return nil, rest, err
	}
	f.begin(reader)
	return f, nil, nil
}

// begin reads the first packet.
func (f *File) begin(reader packets) {
	f.reader, f.table = reader, flow.NewTable(f.options.MaxConnections, f.ended)
	f.table.Gone = f.gone
	f.failed = reader.Next(&f.first)
}

// Start implements [model.Source]. The system is the one on which the capture was
// taken, if it says so.
func (f *File) Start() model.Start {
	system := f.reader.System()
	kind := "capture"
	switch {
	case contains(system, "linux"):
		kind = "linux"
	case contains(system, "windows"):
		kind = "windows"
	}
	return model.Start{Time: model.Time(f.first.Time), OS: model.OS{Type: kind, Version: system}, Backend: "wire"}
}

// Events implements [model.Source]. Connections that were open when the capture ended
// are not in it. If the file ends early or is damaged, an error that says so comes
// last, after everything that could be read.
func (f *File) Events(ctx context.Context) iter.Seq2[*model.Event, error] {
	return func(yield func(*model.Event, error) bool) {
		if f.used {
			yield(nil, errRead)
			return
		}
		f.used = true
		gone := f.whileWaiting(yield)
		p, err := f.first, f.failed
		for ; err == nil; err = f.reader.Next(&p) {
			f.add(&p)
			if gone() || !f.deliver(yield) {
				return
			}
			if f.stats.Packets%256 == 0 && (ctx.Err() != nil || f.closed.Load()) {
				break
			}
		}
		if gone() {
			return
		}
		f.table.Close()
		f.over = true
		f.table.Leave()
		if s := f.options.Sightings; s != nil && f.reader.Lost() > 0 {
			s.Lossy = true
		}
		f.losses()
		if !f.deliver(yield) || err == nil || ctx.Err() != nil || f.closed.Load() {
			return
		}
		if !errors.Is(err, io.EOF) {
			yield(nil, f.readError(err))
		}
	}
}

// readError names the file.
func (f *File) readError(err error) error {
	if f.name == "" { // of several, which are named
		return err
	}
	return fmt.Errorf("read %s: %w", f.name, err)
}

// whileWaiting delivers what becomes due while a live capture brings no packets. gone
// reports whether the consumer has stopped.
func (f *File) whileWaiting(yield func(*model.Event, error) bool) (gone func() bool) {
	stopped := false
	if f.patient != nil {
		f.patient.waiting = func(since time.Duration) {
			if !stopped {
				f.table.Advance(f.newest + int64(since))
				stopped = !f.deliver(yield)
			}
		}
	}
	return func() bool { return stopped }
}

// add takes a packet.
func (f *File) add(p *capture.Packet) {
	f.stats.Packets++
	f.stats.Bytes += uint64(len(p.Data))
	f.last = max(f.last, p.Time)
	if p.Time > 0 {
		f.newest = p.Time
	}
	var s packet.Segment
	kind := f.decoder.Decode(p.Link, p.Data, int(p.Length), &s)
	f.stats.Kinds[kind]++
	switch kind {
	case packet.TCP:
		f.stats.count(&s)
		s.Place, s.Interface = p.Place, p.Interface<<16^f.decoder.Interface
		if p.HasOptions() && p.Dropped() {
			f.stats.Dropped++
			f.table.Dropped(&s, p.Time)
			return
		}
		if c, side := f.table.Add(&s, p.Time); c != nil {
			f.owner(c, side, p)
			f.directions.add(c)
			if f.options.Payload {
				if status := httpStatus(s.Payload); status != 0 {
					c.Sides[side].Status = status
				}
			}
		}
	case packet.ICMPError:
		d := &f.decoder
		f.table.Unreachable(&d.Inner, flow.Error{Type: d.Type, Code: d.Code, Numbered: d.Numbered}, p.Time)
	case packet.UnknownLink:
		f.stats.Link = p.Link
	default:
		f.table.Advance(p.Time)
	}
}

// gone takes a connection that is no longer followed.
func (f *File) gone(c *flow.Conn) {
	switch {
	case halved(c):
		f.stats.Halved++
	case c.How == flow.Open && f.over:
		f.unended(c)
	}
	if f.options.Sightings != nil {
		f.options.Sightings.add(c)
	}
}

// deliver yields what is there.
func (f *File) deliver(yield func(*model.Event, error) bool) bool {
	if len(f.out) == 0 {
		return true
	}
	for i := range f.out {
		if !yield(&f.out[i], nil) {
			return false
		}
	}
	f.out = f.out[:0]
	return true
}

// losses reports connections that made room for others.
func (f *File) losses() {
	if n := f.table.Lost - f.lost; n > 0 {
		f.lost = f.table.Lost
		f.out = append(f.out, model.Event{Record: model.Record{Kind: model.KindLoss, Loss: model.Loss{
			Time: model.Time(f.last), Count: n, Where: "connection-table",
		}}})
	}
}

// End is the time of the last packet.
func (f *File) End() model.Time { return model.Time(f.last) }

// Close implements [model.Source].
func (f *File) Close() error {
	if !f.closed.Swap(true) {
		f.reader.Close()
	}
	return nil
}

// Stats says what was read. Call it when Events has ended.
func (f *File) Stats() Stats {
	s := f.stats
	s.Lost, s.Strays, s.Missed = f.table.Lost, f.table.Strays, f.reader.Lost()
	s.Stray = f.table.Stray
	return s
}
