package capture

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

// bufferSize is the memory of a reader, and the longest block that is seen whole.
const bufferSize = 1 << 20

// ErrNotACapture: the file is neither pcap nor pcapng.
var ErrNotACapture = errors.New("not a packet capture")

// Packet is one packet of a capture.
type Packet struct {
	// Time is in nanoseconds since 1970; 0 if the file does not have it.
	Time int64
	// Link is the LINKTYPE of the interface.
	Link uint16
	// Interface is its number in the file (pcapng).
	Interface uint32
	// Place is the number of the capture, if several are read together.
	Place uint16
	// Length is that on the wire.
	Length uint32
	// Data is what was captured of it. It is valid until the next call.
	Data []byte
	// options of pcapng, unparsed, and the processes that they may name.
	options   options
	processes []Process
}

// Comments yields the packet's comments.
func (p *Packet) Comments(yield func(string) bool) {
	p.options.each(func(code uint16, value []byte) bool {
		return code != optionComment || yield(string(value))
	})
}

// HasOptions reports whether the capture describes the packet: comments, a direction.
func (p *Packet) HasOptions() bool { return len(p.options.data) > 4 }

// Direction is which way a packet went, as the host sees it that captured it.
type Direction uint8

// The directions.
const (
	Unknown Direction = iota
	Inbound
	Outbound
)

// Direction returns the packet's direction, if the capture says it.
func (p *Packet) Direction() (d Direction) {
	p.options.each(func(code uint16, value []byte) bool {
		if code == optionFlags && len(value) == 4 {
			d = Direction(p.options.order.Uint32(value) & 3)
		}
		return code != optionFlags
	})
	if d > Outbound {
		d = Unknown
	}
	return d
}

// Reader reads a capture.
type Reader struct {
	in      *bufio.Reader
	at      int64 // place in what is read
	order   binary.ByteOrder
	next    func(*Packet) error
	pending int // bytes of the last block that the packet still refers to

	// Of pcap:
	link  uint16
	units int64 // nanoseconds in a unit of the second part of a time
	// Of pcapng:
	interfaces []device
	processes  []Process
	through    *copier // gets what is skipped
	passed     int     // how much of that it has got
	system     string
	dropped    uint64
	close      func()
}

// The magic numbers of the formats (draft-ietf-opsawg-pcap and -pcapng), as a
// little-endian number.
const (
	magicMicro    = 0xa1b2c3d4
	magicNano     = 0xa1b23c4d
	magicModified = 0xa1b2cd34 // Kuznetzov's: 8 bytes more in a packet's header
	magicSection  = 0x0a0d0d0a // the same in either byte order
	magicOrder    = 0x1a2b3c4d
)

// Looks reports whether a file that begins with these bytes, at least 4, is a
// capture that is not compressed.
func Looks(head []byte) bool {
	if len(head) < 4 {
		return false
	}
	for _, order := range []binary.ByteOrder{binary.LittleEndian, binary.BigEndian} {
		switch order.Uint32(head) {
		case magicMicro, magicNano, magicModified, magicSection:
			return true
		}
	}
	return false
}

// NewReader reads a capture from r: see [Open] for compressed ones. The error is
// [ErrNotACapture] if it is none.
func NewReader(r io.Reader) (*Reader, error) {
	c := &Reader{in: bufio.NewReaderSize(r, bufferSize), close: func() {}}
	head, err := c.in.Peek(4)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, err
	}
	if !Looks(head) {
		return nil, ErrNotACapture
	}
	if binary.LittleEndian.Uint32(head) == magicSection {
		c.order, c.next = binary.LittleEndian, c.nextBlock
		return c, nil
	}
	return c, c.header()
}

// Next reads the next packet into p. The error is [io.EOF] at the end; others say
// where the file is cut or damaged, and nothing more can be read.
func (c *Reader) Next(p *Packet) error {
	if err := c.discard(c.pending); err != nil {
		return err
	}
	c.pending = 0
	return c.next(p)
}

// System is the operating system on which the capture was taken, if it says so.
func (c *Reader) System() string { return c.system }

// Lost is how many packets the program that captured says it lost; only pcapng has that.
func (c *Reader) Lost() uint64 { return c.dropped }

// Close releases what a decompressor holds; it does not close the file.
func (c *Reader) Close() { c.close() }

// damaged is an error about the place that was read last.
func (c *Reader) damaged(format string, args ...any) error {
	return fmt.Errorf("damaged at byte %d: %s", c.at, fmt.Sprintf(format, args...))
}

// ErrCut: the file ends inside of a packet or block.
var ErrCut = errors.New("cut")

// peek returns the next n bytes, at most [bufferSize].
func (c *Reader) peek(n int) ([]byte, error) {
	b, err := c.in.Peek(n)
	switch {
	case err == nil:
		return b, nil
	case errors.Is(err, io.EOF) && len(b) == 0:
		return nil, io.EOF
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return b, fmt.Errorf("%w at byte %d, in the middle of a packet: what comes before was read", ErrCut, c.at+int64(len(b)))
	default:
		return b, fmt.Errorf("at byte %d: %w", c.at+int64(len(b)), err)
	}
}

// inside is peek where the file must not end.
func (c *Reader) inside(n int) ([]byte, error) {
	b, err := c.peek(n)
	if errors.Is(err, io.EOF) {
		err = fmt.Errorf("%w at byte %d, in the middle of a packet: what comes before was read", ErrCut, c.at)
	}
	return b, err
}

func (c *Reader) discard(n int) error {
	if c.through != nil && n > 0 {
		c.passed = 0
		c.through.pass(c, n)
		n -= c.passed
	}
	done, err := c.in.Discard(n)
	c.at += int64(done)
	if errors.Is(err, io.EOF) {
		return fmt.Errorf("%w at byte %d, in the middle of a packet: what comes before was read", ErrCut, c.at)
	}
	return err
}
