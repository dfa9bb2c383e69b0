package etl

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"slices"
)

// stream is the sequence of buffers of one CPU (and one session: a merged file
// holds several). Its records follow each other in time.
type stream struct {
	logger uint16
	// buffers are those that are still to be read; the first is the current one.
	buffers []buffer
	// next is when the next record is, as far as is known without reading it.
	next   int64
	loaded bool
	// records reads the rest of the current buffer; left is how much of it
	// there should be.
	records *bufio.Reader
	left    int
	packed  unpacker
}

// The memory for buffers that are read at the same time does not depend on
// their size: of each CPU's there is a window, and one record may be outside.
const (
	allWindows = 32 << 20
	bigWindow  = 64 << 10
	tinyWindow = 4 << 10
)

// load begins with the current buffer.
func (r *Reader) load(s *stream) error {
	b := &s.buffers[0]
	s.loaded = true
	s.left = int(b.filled) - bufferHeader
	size := s.left
	if b.compressed {
		size = int(b.size) - bufferHeader
	}
	var source io.Reader = io.NewSectionReader(r.file, b.offset+bufferHeader, int64(size))
	if b.compressed {
		if err := r.affordable(b); err != nil {
			s.left = 0
			return err
		}
		s.packed.reset(source, s.left)
		source = &s.packed
	}
	if s.records == nil {
		s.records = bufio.NewReaderSize(source, r.window)
	} else {
		s.records.Reset(source)
	}
	return nil
}

// Unpacking takes time by what a file claims to hold and not by its size.
// Real buffers shrink to a tenth; a few hundred times less is an attack.
const (
	freeUnpacked = 64 << 20
	maxRatio     = 64
)

// affordable reports whether what was unpacked so far, and b, is in proportion
// to the file.
func (r *Reader) affordable(b *buffer) error {
	if most := max(r.info.BufferSize, usualBuffer); b.filled > most {
		return fmt.Errorf("the compressed buffer at offset %d claims %d bytes, the session's have %d", b.offset, b.filled, r.info.BufferSize)
	}
	r.packed += int64(b.size)
	if r.unpacked+int64(b.filled) > freeUnpacked+maxRatio*r.packed {
		return fmt.Errorf("the compressed buffer at offset %d claims %d bytes: the file claims more than %d times its size", b.offset, b.filled, maxRatio)
	}
	r.unpacked += int64(b.filled)
	return nil
}

// errNoRecord: what follows in the buffer is none.
var errNoRecord = errors.New("no record")

// record returns the next record of s with its header, but leaves it unread:
// it may not be its turn.
func (s *stream) record() (b []byte, h header, err error) {
	b, err = s.records.Peek(min(s.left, longestHeader))
	if len(b) < min(s.left, longestHeader) {
		return nil, h, fmt.Errorf("%d bytes are missing: %w", s.left-len(b), noEOF(err))
	}
	h, ok := parseStart(b)
	if !ok || int(h.size) > s.left {
		return nil, h, errNoRecord
	}
	return b, h, nil
}

// take reads the record whose header is h. The result is valid until the next
// call for any stream.
func (r *Reader) take(s *stream, h *header) ([]byte, error) {
	size := int(h.size)
	whole := min((size+7)&^7, s.left)
	s.left -= whole
	b, err := s.records.Peek(whole)
	if err == nil {
		_, err = s.records.Discard(whole)
		return b[:size], err
	}
	if !errors.Is(err, bufio.ErrBufferFull) {
		return nil, noEOF(err)
	}
	r.big = slices.Grow(r.big[:0], size)[:size]
	if _, err := io.ReadFull(s.records, r.big); err != nil {
		return nil, noEOF(err)
	}
	_, err = s.records.Discard(whole - size)
	return r.big, err
}

func noEOF(err error) error {
	if err == nil || errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}

// advance goes on to the stream's next buffer, or ends it. What is left of a
// damaged buffer is skipped.
func (r *Reader) advance(s *stream) {
	if s.buffers = s.buffers[1:]; len(s.buffers) > 0 {
		s.loaded = false
		s.next = max(s.next, s.buffers[0].first)
		r.down(0)
		return
	}
	last := len(r.streams) - 1
	r.streams[0], r.streams[last] = r.streams[last], nil
	r.streams = r.streams[:last]
	r.down(0)
}
