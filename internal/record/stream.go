package record

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"

	"github.com/klauspost/compress/zstd"
)

// maxMemory bounds a zstd window, and a frame that is decompressed as a whole.
// zstd's levels up to 19 need 8 MiB.
const maxMemory = 8 << 20

// stream is the text of a recording: the file itself, or its zstd frames one
// after the other.
type stream struct {
	io.Reader
	close func()
}

func (r *Reader) stream() (*stream, error) {
	in := &source{in: counting{r}}
	head, err := in.peek(16)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("read recording %s: %w", r.name, err)
	}
	if err := r.refuse(head); err != nil {
		return nil, err
	}
	if len(head) < 4 || frameKind(head) == notFrame {
		return &stream{in, func() {}}, nil
	}
	decoder, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true),
		zstd.WithDecoderMaxMemory(maxMemory), zstd.WithDecoderMaxWindow(maxMemory))
	if err != nil {
		return nil, fmt.Errorf("read recording %s: %w", r.name, err)
	}
	return &stream{&frames{in: in, skipped: &r.skipped, decoder: decoder}, decoder.Close}, nil
}

// frames decompresses frame by frame, so that a damaged one affects no other. Frames of a
// recording are small and are checked as a whole before they are used; larger ones, of
// other programs, are decompressed as a stream.
type frames struct {
	in      *source
	skipped *Skipped
	decoder *zstd.Decoder
	raw     []byte // the current frame
	text    []byte // of the current frame, if it is read as a whole
	rest    []byte // of text
	direct  bool   // the current frame is decompressed as a stream
	frame   frame
	again   int64 // bytes that were returned to be read again
	grown   int64 // bytes of text that the frames so far have become
	fed     fed   // what is decompressed as a stream
	begun   int64 // grown when that began
}

// The limits of a stream, whoever wrote it. The lines of a recording shrink to a
// fortieth; a frame of one repeated byte to less than a ten thousandth.
const (
	maxGrowth = 250
	freely    = 16 << 20
)

// errGrowth ends a stream that would fill the machine.
var errGrowth = errors.New("this is not a recording of closetrace: its zstd frames grow more than 250-fold")

// spend counts text of frames.
func (f *frames) spend(n int) error {
	f.grown += int64(n)
	return f.bounded(f.grown, f.in.at)
}

func (f *frames) bounded(text, packed int64) error {
	if text > freely+maxGrowth*packed {
		return errGrowth
	}
	return nil
}

// fed counts what a decoder has taken.
type fed struct {
	io.Reader
	n int64
}

func (f *fed) Read(p []byte) (int, error) {
	n, err := f.Reader.Read(p)
	f.n += int64(n)
	return n, err
}

// Read implements [io.Reader]. It fails only if the file can't be read, or grows
// without bounds.
func (f *frames) Read(p []byte) (int, error) {
	for {
		if len(f.rest) > 0 {
			n := copy(p, f.rest)
			f.rest = f.rest[n:]
			return n, nil
		}
		if f.direct {
			if n := f.readDirect(p); n > 0 {
				return n, cmp.Or(f.spend(n), f.bounded(f.grown-f.begun, f.fed.n))
			}
			continue
		}
		if err := f.next(); err != nil {
			return 0, err
		}
	}
}

// next reads the next frame, or skips what is not one.
func (f *frames) next() error {
	head, err := f.in.peek(4)
	if len(head) == 0 {
		return err
	}
	if len(head) < 4 || frameKind(head) == notFrame {
		f.damaged(f.in.at, "not a zstd frame")
		return f.resync()
	}
	f.frame = frame{in: f.in, begun: f.in.at}
	limited := io.LimitedReader{R: &f.frame, N: maxMemory}
	f.raw, err = readInto(f.raw[:0], &limited)
	switch {
	case errors.Is(err, errFrame):
		return f.giveUp(err)
	case err != nil && !errors.Is(err, io.ErrUnexpectedEOF):
		return err
	case err != nil || limited.N == 0:
		return f.startDirect()
	}
	f.text, err = f.decoder.DecodeAll(f.raw, f.text[:0])
	if err := f.spend(len(f.text)); err != nil {
		return err
	}
	switch {
	case errors.Is(err, zstd.ErrDecoderSizeExceeded), errors.Is(err, zstd.ErrWindowSizeExceeded):
		return f.startDirect()
	case err != nil:
		return f.giveUp(err)
	}
	f.rest = f.text
	return nil
}

// giveUp leaves a damaged frame and looks for the next one after its magic number: the
// length in its headers can't be relied on.
func (f *frames) giveUp(err error) error {
	f.damaged(f.frame.begun, err.Error())
	f.raw = append(f.raw, f.frame.head...) // read, and not passed on yet
	f.frame.head = nil
	// Frames in damaged frames, and so on, would be read again and again: returning no
	// more than was read keeps the whole linear.
	if f.again+int64(len(f.raw)) <= freely+f.in.at {
		f.again += int64(len(f.raw))
		f.in.unread(f.raw[4:])
	}
	return f.resync()
}

// startDirect decompresses a frame as a stream: a large one, or the last one of a file
// that was cut in the middle of it.
func (f *frames) startDirect() error {
	f.direct = true
	f.fed = fed{Reader: io.MultiReader(bytes.NewReader(f.raw), &f.frame)}
	f.begun = f.grown
	if err := f.decoder.Reset(&f.fed); err != nil {
		f.endDirect(err)
	}
	return nil
}

func (f *frames) readDirect(p []byte) int {
	n, err := f.decoder.Read(p)
	if err != nil {
		f.endDirect(err)
	}
	return n
}

// endDirect begins a new line after a frame that ended within one, so that what follows
// is not taken for its rest.
func (f *frames) endDirect(err error) {
	f.direct = false
	if errors.Is(err, io.EOF) {
		return
	}
	f.in.unread(f.frame.head)
	f.frame.head = nil
	if rest, _ := f.in.peek(1); len(rest) == 0 {
		f.damaged(f.frame.begun, "the file ends in the middle of this frame")
		return
	}
	f.damaged(f.frame.begun, err.Error())
	_ = f.resync() // what it can't read, the next read can't either
}

func (f *frames) damaged(at int64, reason string) {
	f.skipped.Frames++
	f.skipped.note(0, at, "zstd frame: %s", reason)
}

// resync goes to the next place that looks like the beginning of a frame.
func (f *frames) resync() error {
	f.rest = append(f.text[:0], '\n')
	for {
		head, err := f.in.peek(4)
		if len(head) < 4 {
			f.in.skip(len(head))
			return ignoreEnd(err, 1)
		}
		if frameKind(head) == dataFrame {
			return nil
		}
		f.in.skip(1)
	}
}

// readInto appends what r yields to b.
func readInto(b []byte, r io.Reader) ([]byte, error) {
	for {
		if len(b) == cap(b) {
			b = append(b, 0)[:len(b)]
		}
		n, err := r.Read(b[len(b):cap(b)])
		b = b[:len(b)+n]
		if errors.Is(err, io.EOF) {
			return b, nil
		}
		if err != nil {
			return b, err
		}
	}
}
