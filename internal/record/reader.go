package record

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"iter"
	"os"
	"strings"
	"sync/atomic"

	"github.com/closetrace/closetrace/model"
)

// MaxLine is the longest line, in bytes, that is read or written.
const MaxLine = 4 << 20

// Reader reads a recording. Records and Skipped are for one goroutine;
// Progress may be called by another.
type Reader struct {
	name    string
	in      io.ReadCloser
	size    int64
	read    atomic.Int64
	skipped Skipped
	good    int64 // lines that are of a recording
	last    model.Kind
}

// Open opens a recording, plain or zstd, or standard input if path is "-".
func Open(path string) (*Reader, error) {
	if path == "-" {
		return NewReader(io.NopCloser(os.Stdin), "standard input"), nil
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("open recording: %w", err)
	}
	info, err := f.Stat()
	if err == nil && info.IsDir() {
		err = fmt.Errorf("%s is a directory: name the files in it", path)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("open recording: %w", err), f.Close())
	}
	r := NewReader(f, path)
	if info.Mode().IsRegular() {
		r.size = info.Size()
	}
	return r, nil
}

// NewReader reads a recording from in; name is for messages.
func NewReader(in io.ReadCloser, name string) *Reader { return &Reader{name: name, in: in} }

// Close closes the file.
func (r *Reader) Close() error { return r.in.Close() }

// Progress returns how many bytes of the file were read and how many it has;
// 0 if that is not known.
func (r *Reader) Progress() (read, size int64) { return r.read.Load(), r.size }

// counting is the file, and counts for Progress what was read.
type counting struct{ r *Reader }

// Read implements [io.Reader].
func (c counting) Read(p []byte) (int, error) {
	n, err := c.r.in.Read(p)
	c.r.read.Add(int64(n))
	return n, err
}

// Skipped returns what could not be read so far.
func (r *Reader) Skipped() Skipped { return r.skipped }

// Ended reports whether the last record was a stop line. Without one, the
// recording was cut or is still being written.
func (r *Reader) Ended() bool { return r.last == model.KindStop }

// Records returns the records in the order of the file. The sequence is single use. What
// can't be read is skipped and reported by Skipped. An error comes once and last: the
// file can't be read any further, is of a newer major version ([ErrNewer]), or is not a
// recording at all.
func (r *Reader) Records() iter.Seq2[model.Record, error] {
	return func(yield func(model.Record, error) bool) {
		stream, err := r.stream()
		if err != nil {
			yield(model.Record{}, err)
			return
		}
		defer stream.close()
		r.decode(newLines(stream), yield)
	}
}

func (r *Reader) decode(in *lines, yield func(model.Record, error) bool) {
	var d Decoder
	var rec model.Record
	for {
		line, whole, err := in.next()
		if errors.Is(err, io.EOF) {
			if r.good == 0 {
				why := "it is empty" // every recording has a start line
				if r.skipped.Any() {
					why = r.skipped.First[0].String()
				}
				yield(model.Record{}, fmt.Errorf("%s is "+neither+": %s", r.name, why))
			}
			return
		}
		if err != nil {
			yield(model.Record{}, fmt.Errorf("read recording %s: %w", r.name, err))
			return
		}
		if in.number == 1 {
			line = bytes.TrimPrefix(line, []byte("\ufeff"))
		}
		switch ok, err := r.line(in, &d, line, whole, &rec); {
		case err != nil:
			yield(model.Record{}, fmt.Errorf("%s, line %d: %w", r.name, in.number, err))
			return
		case ok && !yield(rec, nil):
			return
		}
	}
}

// line decodes one line and reports whether rec is a record. Its error ends reading.
func (r *Reader) line(in *lines, d *Decoder, line []byte, whole bool, rec *model.Record) (bool, error) {
	if len(bytes.TrimSpace(line)) == 0 && whole {
		return false, nil
	}
	err := fmt.Errorf("longer than %d bytes", MaxLine)
	if whole {
		err = d.Decode(line, rec)
	}
	switch {
	case errors.Is(err, ErrNewer):
		return false, err
	case errors.Is(err, ErrKind):
		r.good++
		r.skipped.Kinds++
		r.skipped.note(in.number, in.at, "%v", err)
		return false, nil
	case err != nil:
		r.skipped.Lines++
		r.skipped.Bytes += in.end - in.at
		reason := err.Error()
		if whole {
			reason = describe(line, err)
		}
		r.skipped.note(in.number, in.at, "%s", reason)
		return false, nil
	}
	if name := d.Unknown(); name != "" {
		r.skipped.Names++
		r.skipped.note(in.number, in.at, "%s", name)
	}
	r.good++
	r.last = rec.Kind
	return true, nil
}

// describe says what a bad line is, if that helps more than the error of the JSON reader.
func describe(line []byte, err error) string {
	switch trimmed := bytes.TrimSpace(line); {
	case len(bytes.Trim(line, "\x00")) == 0:
		return fmt.Sprintf("%d zero bytes, as a file system leaves them after a crash", len(line))
	case string(trimmed) == "{", string(trimmed) == "[", string(trimmed) == "[{":
		return "JSON over several lines: a recording has one object a line (jq -c writes it so)"
	case len(trimmed) > 0 && trimmed[0] == '[':
		return "a JSON list: a recording has one object a line (jq -c '.[]' writes it so)"
	default:
		return err.Error()
	}
}

// neither describes a file that nothing here reads: captures are tried before recordings.
const neither = "neither a recording nor a capture (pcap, pcapng)"

// foreign are the first bytes of files that are often taken for a recording.
var foreign = []struct{ magic, what string }{
	{"\x1f\x8b", "compressed with gzip, and holds no capture: decompress it first"},
	{"BZh", "compressed with bzip2: decompress it first"},
	{"\x04\x22\x4d\x18", "compressed with lz4: decompress it first"},
	{"\xfd7zXZ\x00", "compressed with xz: decompress it first"},
	{"PK\x03\x04", "a zip archive: unpack it first"},
	{"\xff\xfe", "UTF-16 text, as a shell's > writes on Windows: record with --output FILE instead"},
	{"\xfe\xff", "UTF-16 text, as a shell's > writes on Windows: record with --output FILE instead"},
	{"\xd4\xc3\xb2\xa1", "a packet capture"},
	{"\xa1\xb2\xc3\xd4", "a packet capture"},
	{"\x4d\x3c\xb2\xa1", "a packet capture"},
	{"\x0a\x0d\x0d\x0a", "a packet capture"},
	{"PAR1", "a Parquet file"},
	{"SQLite format 3\x00", "an SQLite database"},
	{"%PDF-", "a PDF document"},
	{"\x89PNG", "a picture"},
	{"\x7fELF", "a program"},
	{"MZ", "a Windows program"},
	{"<!doctype html", "an HTML page"},
	{"<!DOCTYPE html", "an HTML page"},
}

// refuse returns an error if head begins a file of another kind.
func (r *Reader) refuse(head []byte) error {
	for _, f := range foreign {
		if strings.HasPrefix(string(head), f.magic) {
			return fmt.Errorf("%s is "+neither+": it is %s", r.name, f.what)
		}
	}
	return nil
}
