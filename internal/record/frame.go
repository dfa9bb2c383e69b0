package record

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

// What a zstd stream consists of (RFC 8878, section 3.1).
const (
	notFrame = iota
	dataFrame
	skippableFrame
)

func frameKind(head []byte) int {
	switch magic := binary.LittleEndian.Uint32(head); {
	case magic == 0xfd2fb528:
		return dataFrame
	case magic&^0xf == 0x184d2a50:
		return skippableFrame
	default:
		return notFrame
	}
}

// errFrame means that the structure of a frame makes no sense.
var errFrame = errors.New("damaged")

// frame passes exactly one frame of its source through, following the sizes in
// the frame's and its blocks' headers, and then ends. It does not decompress.
type frame struct {
	in       *source
	begun    int64  // place of the frame in the file
	head     []byte // read and not passed on yet
	left     int64  // bytes to pass before the next header
	checksum bool
	state    int
}

const (
	atStart = iota
	atBlock
	atChecksum
	atEnd
)

// Read implements [io.Reader].
func (f *frame) Read(p []byte) (int, error) {
	for {
		switch {
		case len(p) == 0:
			return 0, nil
		case len(f.head) > 0:
			n := copy(p, f.head)
			f.head = f.head[n:]
			return n, nil
		case f.left > 0:
			n, err := f.in.Read(p[:min(f.left, int64(len(p)))])
			f.left -= int64(n)
			if errors.Is(err, io.EOF) && n == 0 {
				err = io.ErrUnexpectedEOF
			}
			return n, err
		case f.state == atEnd:
			return 0, io.EOF
		}
		if err := f.header(); err != nil {
			return 0, err
		}
	}
}

func (f *frame) header() error {
	switch f.state {
	case atStart:
		return f.frameHeader()
	case atBlock:
		return f.blockHeader()
	default:
		f.state = atEnd
		if f.checksum {
			f.left = 4
		}
		return nil
	}
}

func (f *frame) frameHeader() error {
	h, err := f.take(5)
	if err != nil {
		return err
	}
	if frameKind(h) == skippableFrame {
		more, err := f.take(3)
		if err != nil {
			return err
		}
		f.left = int64(h[4]) | int64(more[0])<<8 | int64(more[1])<<16 | int64(more[2])<<24
		f.state = atEnd
		return nil
	}
	descriptor := h[4]
	single := descriptor&0x20 != 0
	f.checksum = descriptor&4 != 0
	f.left = []int64{0, 1, 2, 4}[descriptor&3] + []int64{0, 2, 4, 8}[descriptor>>6]
	if !single || descriptor>>6 == 0 {
		f.left++ // the window's size, or the content's size in one byte
	}
	if descriptor&8 != 0 {
		return fmt.Errorf("%w: reserved bit of its header", errFrame)
	}
	f.state = atBlock
	return nil
}

// maxBlock is the largest block of a frame (RFC 8878, section 3.1.1.2.4).
const maxBlock = 128 << 10

func (f *frame) blockHeader() error {
	h, err := f.take(3)
	if err != nil {
		return err
	}
	bits := int64(h[0]) | int64(h[1])<<8 | int64(h[2])<<16
	f.left = bits >> 3
	switch bits >> 1 & 3 {
	case 1: // one byte, repeated
		f.left = 1
	case 3:
		return fmt.Errorf("%w: reserved type of a block", errFrame)
	default:
		if f.left > maxBlock {
			return fmt.Errorf("%w: block of %d bytes", errFrame, f.left)
		}
	}
	if bits&1 != 0 {
		f.state = atChecksum
	}
	return nil
}

// take reads n bytes of a header; they are passed on as well.
func (f *frame) take(n int) ([]byte, error) {
	from := len(f.head)
	f.head = append(f.head, make([]byte, n)...)
	got, err := io.ReadFull(f.in, f.head[from:])
	f.head = f.head[:from+got]
	if errors.Is(err, io.EOF) {
		err = io.ErrUnexpectedEOF
	}
	if err != nil {
		return nil, err
	}
	return f.head[from:], nil
}
