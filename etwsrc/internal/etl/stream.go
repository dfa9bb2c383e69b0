package etl

import (
	"fmt"
	"io"
)

// stream is the sequence of buffers of one CPU (and one session: a merged file
// holds several). Its records follow each other in time.
type stream struct {
	// buffers are those that are still to be read; the first is the current one.
	buffers []buffer
	// next is when the next record is, as far as is known without reading it.
	next   int64
	loaded bool
	// data are the records of the current buffer, pos the next one.
	data []byte
	pos  int
	// packed holds the compressed form while it is undone.
	packed []byte
}

// maxOpen bounds the memory for buffers that are read at the same time: one
// per CPU, which are at most 16 MB each and by default 64 kB.
const maxOpen = 512 << 20

// load reads the records of the current buffer.
func (r *Reader) load(s *stream) error {
	b := &s.buffers[0]
	s.loaded, s.pos = true, 0
	size := int(b.filled) - bufferHeader
	if more := int64(size - cap(s.data)); more > 0 {
		if r.open+more > maxOpen {
			s.data = s.data[:0]
			return fmt.Errorf("more than %d MB of buffers are needed at the same time", maxOpen>>20)
		}
		if !b.compressed {
			r.open += more
			s.data = make([]byte, 0, size)
		}
	}
	if b.compressed {
		return r.unpack(s, b, size)
	}
	s.data = s.data[:size]
	n, err := r.file.ReadAt(s.data, b.offset+bufferHeader)
	s.data = s.data[:n]
	if n < size {
		return fmt.Errorf("read buffer at offset %d: %w", b.offset, err)
	}
	return nil
}

func (r *Reader) unpack(s *stream, b *buffer, size int) error {
	s.data = s.data[:0]
	n := int(b.size) - bufferHeader
	if cap(s.packed) < n {
		r.open += int64(n - cap(s.packed))
		s.packed = make([]byte, n)
	}
	s.packed = s.packed[:n]
	n, err := r.file.ReadAt(s.packed, b.offset+bufferHeader)
	if n < len(s.packed) {
		return fmt.Errorf("read buffer at offset %d: %w", b.offset, err)
	}
	// A hostile file says that a few bytes are many: room is made as they come.
	before := cap(s.data)
	if usual := min(size, 8*n); before < usual {
		s.data = make([]byte, 0, usual)
	}
	s.data, err = decompress(s.data, s.packed, size, false)
	r.open += int64(cap(s.data) - before)
	if err == nil && len(s.data) != size {
		err = fmt.Errorf("%d bytes of %d: %w", len(s.data), size, io.ErrUnexpectedEOF)
	}
	if err != nil {
		return fmt.Errorf("decompress buffer at offset %d: %w", b.offset, err)
	}
	return nil
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
	r.open -= int64(cap(s.data) + cap(s.packed))
	last := len(r.streams) - 1
	r.streams[0] = r.streams[last]
	r.streams = r.streams[:last]
	r.down(0)
}
