package etwsrc

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"os"
	"sync/atomic"

	"github.com/closetrace/closetrace/etwsrc/internal/etl"
	"github.com/closetrace/closetrace/etwsrc/internal/join"
	"github.com/closetrace/closetrace/etwsrc/internal/raw"
	"github.com/closetrace/closetrace/model"
)

var _ model.Source = (*File)(nil)

// ErrNotATrace: the file is not an ETW trace.
var ErrNotATrace = etl.ErrNotATrace

// errRead: Events is single use.
var errRead = errors.New("the events were already read")

// File is a trace file (.etl) that is read as a source.
type File struct {
	reader *etl.Reader
	joiner *join.Joiner
	name   string
	file   io.Closer
	events uint64
	seen   [raw.Providers]uint64 // events by provider
	used   bool
	closed atomic.Bool
}

// HeadSize is how much of a file [LooksLikeTrace] needs.
const HeadSize = etl.HeadSize

// LooksLikeTrace reports whether a file that begins with head can be a trace.
func LooksLikeTrace(head []byte) bool { return etl.LooksLike(head) }

// OpenFile opens a trace file. The error is [ErrNotATrace] if it is none.
func OpenFile(path string) (*File, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	info, err := file.Stat()
	if err != nil {
		return nil, errors.Join(err, file.Close())
	}
	f, err := NewFile(file, info.Size())
	if err != nil {
		return nil, errors.Join(fmt.Errorf("open %s: %w", path, err), file.Close())
	}
	f.name, f.file = path, file
	return f, nil
}

// NewFile reads the trace in the first size bytes of r. Close does not close r.
func NewFile(r io.ReaderAt, size int64) (*File, error) {
	reader, err := etl.New(r, size)
	if err != nil {
		return nil, err
	}
	return &File{reader: reader, joiner: join.New(), name: "trace"}, nil
}

// Start implements [model.Source]: the system is the traced one.
func (f *File) Start() model.Start {
	info := f.reader.Info()
	return model.Start{Time: info.Start, OS: model.OS{Type: "windows", Version: info.OS}, Backend: "etl"}
}

// Events implements [model.Source]. Connections that were open when the trace
// ended are not in it. If the file ends early or is damaged, an error that
// says so comes last, after everything that could be read.
func (f *File) Events(ctx context.Context) iter.Seq2[*model.Event, error] {
	return func(yield func(*model.Event, error) bool) {
		if f.used {
			yield(nil, errRead)
			return
		}
		f.used = true
		f.losses()
		if !f.deliver(yield) || !f.read(ctx, yield) {
			return
		}
		for more := true; more; {
			more = f.joiner.End()
			if !f.deliver(yield) {
				return
			}
		}
		if ctx.Err() != nil || f.closed.Load() {
			return
		}
		if err := f.reader.Err(); err != nil {
			yield(nil, fmt.Errorf("read %s: %w", f.name, err))
		}
	}
}

// losses reports what the session itself says it lost. The file does not say
// when: any connection may be concerned.
func (f *File) losses() {
	info := f.reader.Info()
	if info.EventsLost > 0 || info.BuffersLost > 0 {
		f.joiner.LossesAreCounted()
	}
	if info.EventsLost > 0 {
		f.joiner.Lost(uint64(info.EventsLost), "session", info.Start)
	}
	if info.BuffersLost > 0 {
		f.joiner.Lost(uint64(info.BuffersLost), "session-buffers", info.Start)
	}
	// Of a file that was cut, buffers of any time may be missing.
	cut := info.End == 0 || f.reader.Err() != nil
	if info.EventsLost > 0 || info.BuffersLost > 0 || cut {
		f.joiner.Incomplete()
	}
	since := f.reader.Since()
	if since != 0 {
		f.joiner.IncompleteUntil(since)
	}
	if cut || since != 0 {
		f.joiner.Uncounted()
	}
}

// read puts all events through the joiner. It returns false if the consumer
// wants no more.
func (f *File) read(ctx context.Context, yield func(*model.Event, error) bool) bool {
	var e raw.Event
	damaged := 0
	loss := func() {
		if now := f.reader.Damaged(); now > damaged && !f.closed.Load() {
			f.joiner.Lost(uint64(now-damaged), "file", e.Time)
			f.joiner.IncompleteUntil(f.reader.DamagedUntil())
			damaged = now
		}
	}
	defer loss()
	for f.reader.Next(&e) {
		f.events++
		f.seen[raw.ProviderOf(&e.Provider)]++
		loss()
		f.joiner.Add(&e)
		if !f.deliver(yield) {
			return false
		}
		if f.events%256 == 0 && (ctx.Err() != nil || f.closed.Load()) {
			break
		}
	}
	return true
}

func (f *File) deliver(yield func(*model.Event, error) bool) bool {
	events := f.joiner.Take()
	for i := range events {
		if !yield(&events[i], nil) {
			return false
		}
	}
	return true
}

// ErrNoProvider: the trace has no event about a connection.
var ErrNoProvider = errors.New("no event of a provider that closetrace reads")

// Providers names the known providers that the trace has events of. The error
// is [ErrNoProvider] if none of them has events of connections. Call it when Events
// has ended.
func (f *File) Providers() ([]string, error) {
	var names []string
	err := ErrNoProvider
	for p := raw.TCPIP; int(p) < raw.Providers; p++ {
		if f.seen[p] == 0 {
			continue
		}
		names = append(names, p.String())
		if p == raw.TCPIP || p == raw.KernelNetwork || p == raw.KernelTCP {
			err = nil
		}
	}
	return names, err
}

// End is when the session was stopped, 0 if that is not known.
func (f *File) End() model.Time { return f.reader.Info().End }

// Close implements [model.Source].
func (f *File) Close() error {
	if f.closed.Swap(true) || f.file == nil {
		return nil
	}
	return f.file.Close()
}

// Stats says how well the file could be read. Call it when Events has ended.
func (f *File) Stats() Stats {
	return Stats{Events: f.events, Undecoded: undecoded(f.joiner.Decoder())}
}
