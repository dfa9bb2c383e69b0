package etl

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

// bufferHeader is the size of WMI_BUFFER_HEADER.
const bufferHeader = 72

const (
	// maxBuffer is the largest buffer: Windows takes at most 16 MB.
	maxBuffer = 16 << 20
	// maxBuffers bounds the index: a million buffers of 64 kB are 64 GB.
	maxBuffers = 1 << 20
	// maxStreams is the number of CPUs that Windows supports.
	maxStreams = 2048
	// usualBuffer is the largest that the tools of Windows make. In a merged
	// file the sessions' buffers may be larger than its description says.
	usualBuffer = 1 << 20
)

// The flags of a buffer (ETW_BUFFER_FLAG_*).
const (
	flagProcessorIndex = 0x20
	flagCompressed     = 0x40
)

// HeadSize is how much of a file [LooksLike] needs.
const HeadSize = bufferHeader

// LooksLike reports whether head can be the begin of a trace: a buffer's size
// and what of it is filled. Text and compressed files have larger numbers there.
func LooksLike(head []byte) bool {
	if len(head) < HeadSize {
		return false
	}
	size, filled := binary.LittleEndian.Uint32(head), binary.LittleEndian.Uint32(head[0x30:])
	return size > bufferHeader && size <= maxBuffer && filled > bufferHeader && filled <= maxBuffer
}

// buffer is one entry of the index.
type buffer struct {
	offset int64
	// first is the clock's value in the first record.
	first int64
	// size is the number of bytes in the file, filled that of the header and
	// the records after decompression.
	size, filled uint32
	compressed   bool
	// damaged: it is already known that not all records can be read.
	damaged bool
}

// indexer reads the headers of all buffers.
type indexer struct {
	file    io.ReaderAt
	size    int64
	at      int64
	count   int
	streams []*stream
	byKey   map[uint32]*stream
	// head is the begin of the current buffer.
	head   []byte
	room   [2048]byte
	packed unpacker
	out    [512]byte
}

// begin reads the first buffer, which holds the trace's description.
func (x *indexer) begin(r *Reader) error {
	x.byKey = make(map[uint32]*stream)
	b, key, err := x.header()
	if err != nil {
		return fmt.Errorf("%w: %w", ErrNotATrace, err)
	}
	if b.filled <= bufferHeader {
		return fmt.Errorf("%w: its first buffer is empty", ErrNotATrace)
	}
	record := x.head[bufferHeader:min(int(b.filled), len(x.head))]
	if b.compressed {
		record = x.begun(&b)
	}
	h, ok := parseStart(record)
	if !ok || int(h.size) > len(record) || !h.describesTrace() {
		return fmt.Errorf("%w: it does not begin with its description", ErrNotATrace)
	}
	if r.info, r.clock, err = describe(record[:h.size], h); err != nil {
		return fmt.Errorf("%w: %w", ErrNotATrace, err)
	}
	return x.add(b, key)
}

// begun unpacks the begin of b's records, which is enough: that it ends in the
// middle of something is no damage.
func (x *indexer) begun(b *buffer) []byte {
	x.packed.reset(bytes.NewReader(x.head[bufferHeader:min(int(b.size), len(x.head))]), min(int(b.filled)-bufferHeader, len(x.out)))
	n, _ := io.ReadFull(&x.packed, x.out[:])
	return x.out[:n]
}

// rest reads the other buffers. The error says why the end of the file was not
// reached.
func (x *indexer) rest() error {
	for x.at < x.size {
		number, at := x.count, x.at
		b, key, err := x.header()
		if err == nil || b.damaged {
			err = errors.Join(err, x.add(b, key))
		}
		if err != nil {
			return fmt.Errorf("trace ends early: buffer %d at offset %d: %w", number, at, err)
		}
	}
	return nil
}

var (
	errEmpty   = errors.New("there are only zeros: the session was not stopped properly")
	errTooMany = errors.New("too many buffers or CPUs")
)

// header reads the header of the buffer at x.at and the begin of its records.
func (x *indexer) header() (b buffer, key uint32, err error) {
	n, err := x.file.ReadAt(x.room[:min(int64(len(x.room)), x.size-x.at)], x.at)
	x.head = x.room[:n]
	if n < bufferHeader {
		if err == nil || errors.Is(err, io.EOF) {
			err = io.ErrUnexpectedEOF
		}
		return b, 0, fmt.Errorf("header of %d bytes, %d are there: %w", bufferHeader, n, err)
	}
	le := binary.LittleEndian
	flags := le.Uint16(x.head[0x34:])
	b = buffer{
		offset: x.at, size: le.Uint32(x.head), filled: le.Uint32(x.head[0x30:]),
		compressed: flags&flagCompressed != 0,
	}
	key = uint32(le.Uint16(x.head[0x2A:]))<<16 | uint32(x.head[0x28])
	if flags&flagProcessorIndex != 0 {
		key |= uint32(x.head[0x29]) << 8
	}
	err = x.check(&b)
	return b, key, err
}

func (x *indexer) check(b *buffer) error {
	switch left := x.size - x.at; {
	case b.size == 0 && allZero(x.head):
		return errEmpty
	case b.size < bufferHeader || b.size > maxBuffer:
		return fmt.Errorf("impossible size %d", b.size)
	case b.filled > maxBuffer || !b.compressed && b.filled > b.size:
		return fmt.Errorf("impossible size of records %d", b.filled)
	case int64(b.size) > left && (b.compressed || int64(b.filled) > left):
		if !b.compressed {
			b.filled, b.damaged = uint32(left), true
		}
		return fmt.Errorf("buffer of %d bytes, %d are there: %w", b.size, left, io.ErrUnexpectedEOF)
	}
	return nil
}

func allZero(b []byte) bool {
	for _, c := range b {
		if c != 0 {
			return false
		}
	}
	return true
}

// add appends b to its stream.
func (x *indexer) add(b buffer, key uint32) error {
	if x.count >= maxBuffers {
		return errTooMany
	}
	x.count++
	x.at += int64(b.size)
	if b.filled <= bufferHeader {
		return nil
	}
	s := x.byKey[key]
	if s == nil {
		if len(x.streams) >= maxStreams {
			return errTooMany
		}
		s = &stream{logger: uint16(key >> 16)}
		x.byKey[key] = s
		x.streams = append(x.streams, s)
	}
	first, ok := x.firstTicks(&b)
	if !ok && len(s.buffers) > 0 {
		first = s.buffers[len(s.buffers)-1].first
	}
	b.first = first
	s.buffers = append(s.buffers, b)
	return nil
}

// firstTicks returns the clock's value in the first record that has one.
func (x *indexer) firstTicks(b *buffer) (int64, bool) {
	records := x.head[bufferHeader:]
	if b.compressed {
		records = x.begun(b)
	} else if n := int(b.filled) - bufferHeader; n < len(records) {
		records = records[:n]
	}
	for len(records) > 0 {
		h, ok := parseStart(records)
		if ok && h.timed {
			return h.ticks, true
		}
		if skip := (int(h.size) + 7) &^ 7; ok && skip < len(records) {
			records = records[skip:]
			continue
		}
		break
	}
	return 0, false
}
