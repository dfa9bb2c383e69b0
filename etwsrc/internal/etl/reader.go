package etl

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/closetrace/closetrace/etwsrc/internal/raw"
	"github.com/closetrace/closetrace/model"
)

// ErrNotATrace: the file does not begin like an ETW trace.
var ErrNotATrace = errors.New("not an ETW trace file (.etl)")

// Reader reads one trace file. It is for one goroutine.
type Reader struct {
	file    io.ReaderAt
	info    Info
	clock   clock
	buffers int
	// streams is a heap: the one with the earliest record is the first.
	streams []*stream
	// window is how much of a buffer is read at once; big is the room for a
	// record that is larger.
	window int
	big    []byte
	// packed and unpacked are the sizes of the compressed buffers so far.
	packed, unpacked int64
	err              error
	damage           damage
	// several: the file may have events twice.
	several bool
	twins   twins
}

// damage counts what could not be read inside of buffers.
type damage struct {
	buffers int
	first   error
	// until is the clock's value at which the last of them ends.
	until int64
}

// New reads the header and the index of the trace in the first size bytes of
// file. A file that is damaged behind its header is no error yet.
func New(file io.ReaderAt, size int64) (*Reader, error) {
	r := &Reader{file: file}
	x := indexer{file: file, size: size}
	if err := x.begin(r); err != nil {
		return nil, err
	}
	r.err = x.rest()
	r.buffers = x.count
	if r.err == nil && r.info.BuffersWritten > x.count && !r.info.Circular {
		r.err = fmt.Errorf("trace ends early: %d of %d buffers are there: %w", x.count, r.info.BuffersWritten, io.ErrUnexpectedEOF)
	}
	for _, s := range x.streams {
		// A circular file is not written in the order of time.
		slices.SortFunc(s.buffers, func(a, b buffer) int {
			return cmp.Or(cmp.Compare(a.first, b.first), cmp.Compare(a.offset, b.offset))
		})
		s.next = s.buffers[0].first
		r.streams = append(r.streams, s)
	}
	r.several = len(r.streams) > 1
	r.window = min(max(allWindows/len(r.streams), tinyWindow), bigWindow)
	for i := len(r.streams)/2 - 1; i >= 0; i-- {
		r.down(i)
	}
	return r, nil
}

// Info describes the trace.
func (r *Reader) Info() Info { return r.info }

// Buffers returns the number of buffers found.
func (r *Reader) Buffers() int { return r.buffers }

// Err returns what could not be read: nil if the whole file was. It is
// complete when Next has returned false.
func (r *Reader) Err() error {
	var inside error
	if d := &r.damage; d.buffers > 0 {
		inside = fmt.Errorf("%d buffers are damaged, the first: %w", d.buffers, d.first)
	}
	return errors.Join(r.err, inside)
}

// Damaged returns the number of buffers so far of which not all records could
// be read.
func (r *Reader) Damaged() int { return r.damage.buffers }

// DamagedUntil returns until when records are missing because of the damaged
// buffers: to where their CPU's next buffer begins, or for ever.
func (r *Reader) DamagedUntil() model.Time {
	if r.damage.until == never {
		return model.Time(never)
	}
	return r.clock.time(r.damage.until)
}

// Since returns from when on all records are there, 0 if from the begin. A
// circular file that was written over lacks buffers that were full before the
// oldest of those that it has was; one from memory, those of each CPU.
func (r *Reader) Since() model.Time {
	if !r.info.Memory && (!r.info.Circular || r.info.BuffersWritten <= r.buffers) {
		return 0
	}
	since, latest := int64(never), r.clock.zero
	for _, s := range r.streams {
		buffers := s.buffers
		if buffers[0].offset == 0 {
			buffers = buffers[1:] // the description is never written over
		}
		if len(buffers) > 0 {
			latest = max(latest, buffers[0].first)
		}
		if len(buffers) > 1 { // where the second begins, the first was full
			since = min(since, buffers[1].first)
		}
	}
	if r.info.Memory {
		return r.clock.time(latest)
	}
	if since == never {
		return model.Time(never)
	}
	return r.clock.time(since)
}

const never = 1<<63 - 1

// Next reads the next record in the order of time into e and reports whether
// there was one. The payload of e is valid until the next call.
func (r *Reader) Next(e *raw.Event) bool {
	for len(r.streams) > 0 {
		s := r.streams[0]
		if !s.loaded {
			if err := r.load(s); err != nil {
				r.damaged(s, err)
			}
		}
		if s.left <= 0 {
			r.advance(s)
			continue
		}
		b, h, err := s.record()
		if err == nil && h.timed && h.ticks > r.second() {
			s.next = h.ticks
			r.down(0)
			continue
		}
		if err == nil {
			b, err = r.take(s, &h)
		}
		if err != nil {
			r.damaged(s, fmt.Errorf("buffer at offset %d: %w", s.buffers[0].offset, err))
			r.advance(s)
			continue
		}
		if h.event(b, e) {
			e.Time = r.clock.time(h.ticks)
			if r.several && r.twins.has(e, s) {
				continue
			}
			return true
		}
	}
	return false
}

// damaged counts the current buffer of s as damaged, once.
func (r *Reader) damaged(s *stream, err error) {
	if s.buffers[0].damaged {
		return
	}
	s.buffers[0].damaged = true
	if r.damage.buffers == 0 {
		r.damage.first = err
	}
	r.damage.buffers++
	until := int64(never)
	if len(s.buffers) > 1 {
		until = s.buffers[1].first
	}
	r.damage.until = max(r.damage.until, until)
}

// second returns when the earliest record of all streams but the first is.
func (r *Reader) second() int64 {
	t := int64(never)
	for i := 1; i < len(r.streams) && i <= 2; i++ {
		t = min(t, r.streams[i].next)
	}
	return t
}

// down restores the heap below i.
func (r *Reader) down(i int) {
	for {
		child := 2*i + 1
		if child >= len(r.streams) {
			return
		}
		if child+1 < len(r.streams) && r.streams[child+1].next < r.streams[child].next {
			child++
		}
		if r.streams[i].next <= r.streams[child].next {
			return
		}
		r.streams[i], r.streams[child] = r.streams[child], r.streams[i]
		i = child
	}
}
