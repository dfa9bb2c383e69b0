package capture

import (
	"bytes"
	"errors"
	"io"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
)

// maxWindow bounds what a zstd stream makes its reader keep: that of level 19.
const maxWindow = 8 << 20

// Open reads a capture from r, compressed or not. If it is not a capture, the error is
// [ErrNotACapture], and rest is r from its beginning.
func Open(r io.Reader) (c *Reader, rest io.Reader, err error) {
	var begin bytes.Buffer
	tee := &keeping{in: r, kept: &begin}
	head := make([]byte, 4)
	n, err := io.ReadFull(tee, head)
	if err != nil && n == 0 && !errors.Is(err, io.EOF) {
		return nil, nil, err
	}
	again := func() io.Reader { return io.MultiReader(bytes.NewReader(begin.Bytes()), r) }
	if Looks(head[:n]) {
		c, err = NewReader(again())
		return c, nil, err
	}
	packed, end, err := unpack(io.MultiReader(bytes.NewReader(head[:n]), tee), head[:n])
	if err != nil {
		return nil, again(), ErrNotACapture
	}
	text := make([]byte, 4)
	n, _ = io.ReadFull(packed, text) // an error comes again
	if !Looks(text[:n]) {
		end()
		return nil, again(), ErrNotACapture
	}
	tee.kept = nil
	c, err = NewReader(io.MultiReader(bytes.NewReader(text), packed))
	if err != nil {
		end()
		return nil, nil, err
	}
	c.close = end
	return c, nil, nil
}

// keeping keeps what is read until its format is known.
type keeping struct {
	in   io.Reader
	kept *bytes.Buffer
}

func (k *keeping) Read(p []byte) (int, error) {
	n, err := k.in.Read(p)
	if k.kept != nil {
		k.kept.Write(p[:n])
	}
	return n, err
}

// unpack returns what r holds, which begins with head.
func unpack(r io.Reader, head []byte) (io.Reader, func(), error) {
	switch {
	case bytes.HasPrefix(head, []byte{0x1f, 0x8b}):
		z, err := gzip.NewReader(r)
		return z, func() {}, err
	case bytes.HasPrefix(head, []byte{0x28, 0xb5, 0x2f, 0xfd}):
		z, err := zstd.NewReader(r, zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true), zstd.WithDecoderMaxWindow(maxWindow))
		if err != nil {
			return nil, nil, err
		}
		return z, z.Close, nil
	default:
		return nil, nil, ErrNotACapture
	}
}
