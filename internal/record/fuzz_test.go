package record

import (
	"bytes"
	"errors"
	"io"
	"math/rand/v2"
	"reflect"
	"testing"
	"time"

	"github.com/klauspost/compress/zstd"

	"github.com/closetrace/closetrace/model"
)

// FuzzDecode: no input makes the decoder panic, and what it accepts it writes
// and reads again as the same record.
func FuzzDecode(f *testing.F) {
	r := random{rand.New(rand.NewPCG(31, 32))}
	for range 30 {
		rec := r.record()
		f.Add(Append(nil, &rec))
	}
	for _, line := range []string{
		`{"kind":"loss","schema":"closetrace/1","count":1e3,"x":[1,{"y":null}],"where":"\ud83d\ude00\u0000"}`,
		`{"kind":"stop","schema":"closetrace/1.2","teardowns":{"graceful":1,"\"":2},"lost":18446744073709551615}`,
		`{"kind":"teardown","schema":"closetrace/1","time":"9999-12-31T23:59:59.999999Z","tcp":{"path":[],"bytes":null}}`,
		`{"kind":"start","schema":"closetrace/2"}`,
	} {
		f.Add([]byte(line))
	}
	var d, again Decoder
	f.Fuzz(func(t *testing.T, line []byte) {
		var rec, second model.Record
		if err := d.Decode(line, &rec); err != nil {
			if !reflect.DeepEqual(rec, model.Record{}) {
				t.Fatal("a record in spite of an error")
			}
			return
		}
		written := Append(nil, &rec)
		if err := again.Decode(written, &second); err != nil {
			t.Fatalf("can't read what it wrote: %v\n%s", err, written)
		}
		// A start time is written in microseconds.
		for _, v := range []*model.Record{&rec, &second} {
			for _, at := range []*model.Time{
				&v.Teardown.StartTime, &v.Teardown.Process.StartTime, &v.Teardown.Evidence.FirstFIN, &v.Teardown.Evidence.CloseTime,
			} {
				*at = model.TimeOf(at.Go().Truncate(time.Microsecond))
			}
		}
		if len(line) < MaxString && !reflect.DeepEqual(rec, second) {
			t.Fatalf("%s\n%s", difference(second, rec), written)
		}
		Rejudge(&rec)
	})
}

// FuzzReader: no file makes the reader panic, loop or take much memory; it
// ends with at most one error.
func FuzzReader(f *testing.F) {
	plain, _ := recording(f, "a.jsonl", 3, 1)
	packed, ends := recording(f, "a.jsonl.zst", 3, 1)
	z, err := zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1))
	if err != nil {
		f.Fatal(err)
	}
	for _, data := range [][]byte{
		plain, packed, packed[:ends[1]+50], append(bytes.Clone(packed), plain...), bytes.Repeat([]byte{0}, 100),
		z.EncodeAll(bytes.Repeat([]byte("x"), 1<<20), nil), []byte("\x53\x2a\x4d\x18\xff\xff\xff\x7f"), []byte("\x28\xb5\x2f\xfd\x00\x58"),
	} {
		f.Add(data, uint8(0))
		f.Add(data, uint8(7))
	}
	f.Fuzz(func(t *testing.T, data []byte, chunk uint8) {
		r := NewReader(io.NopCloser(&chunks{data, int(chunk)}), "fuzz")
		failed := false
		for rec, err := range r.Records() {
			if failed {
				t.Fatal("something comes after the error")
			}
			if failed = err != nil; failed && errors.Is(err, io.EOF) {
				t.Fatalf("the end is an error: %v", err)
			}
			if !failed && rec.Kind == model.KindUnknown {
				t.Fatal("a record without a kind")
			}
		}
		skipped := r.Skipped()
		if len(skipped.First) > maxNotes || skipped.Any() != (len(skipped.First) > 0) {
			t.Fatalf("%d notes for %v", len(skipped.First), &skipped)
		}
	})
}

// chunks gives data in pieces of n bytes; 0 is all at once.
type chunks struct {
	data []byte
	n    int
}

func (c *chunks) Read(p []byte) (int, error) {
	if len(c.data) == 0 {
		return 0, io.EOF
	}
	if c.n > 0 {
		p = p[:min(len(p), c.n)]
	}
	n := copy(p, c.data)
	c.data = c.data[n:]
	return n, nil
}
