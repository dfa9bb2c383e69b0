package record

import (
	"bufio"
	"bytes"
	"errors"
	"io"
)

// lines splits a stream into lines. Its memory is bounded by MaxLine, whatever comes.
type lines struct {
	in     *bufio.Reader
	long   []byte // a line that is longer than in's buffer
	number int64  // of the line that next returned, from 1
	at     int64  // byte of the stream at which it begins, from 0
	end    int64  // byte at which the next one begins
}

func newLines(r io.Reader) *lines { return &lines{in: bufio.NewReaderSize(r, 64<<10)} }

// next returns a line without its line feed, valid until the next call. For a
// line that is too long it returns what there is room for and whole is false.
func (l *lines) next() (line []byte, whole bool, err error) {
	l.number++
	l.at = l.end
	part, err := l.in.ReadSlice('\n')
	l.end += int64(len(part))
	if !errors.Is(err, bufio.ErrBufferFull) {
		return bytes.TrimSuffix(part, []byte("\n")), true, ignoreEnd(err, len(part))
	}
	l.long = append(l.long[:0], part...)
	whole = true
	for errors.Is(err, bufio.ErrBufferFull) {
		part, err = l.in.ReadSlice('\n')
		l.end += int64(len(part))
		if len(l.long)+len(part) > MaxLine {
			whole = false
			continue
		}
		l.long = append(l.long, part...)
	}
	return bytes.TrimSuffix(l.long, []byte("\n")), whole, ignoreEnd(err, len(l.long))
}

// ignoreEnd lets a last line without line feed through; the end comes next.
func ignoreEnd(err error, n int) error {
	if n > 0 && errors.Is(err, io.EOF) {
		return nil
	}
	return err
}
