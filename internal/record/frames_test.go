package record

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"os/exec"
	"reflect"
	"testing"

	"github.com/klauspost/compress/zstd"

	"github.com/closetrace/closetrace/model"
)

// TestDamagedFrame flips a byte: only its frame is lost, or reported.
func TestDamagedFrame(t *testing.T) {
	packed, ends := recording(t, "a.jsonl.zst", 200, 10)
	r := rand.New(rand.NewPCG(1, 1))
	for range 400 {
		at := r.IntN(len(packed))
		bad := bytes.Clone(packed)
		bad[at] ^= byte(1 + r.IntN(255))
		list, skipped, err := readBytes(bad)
		if at < 4 {
			continue // no longer known as zstd
		}
		if err != nil {
			t.Fatalf("byte %d: %v", at, err)
		}
		if len(list) == 202 && !skipped.Any() {
			continue // a bit that has no meaning, as in a header's unused one
		}
		if skipped.Frames == 0 || len(list) < 202-10-10 {
			t.Fatalf("byte %d of %v: got %d of 202 records, %v", at, ends, len(list), &skipped)
		}
		for _, rec := range list {
			if rec.Kind != model.KindTeardown {
				continue
			}
			var n int
			fmt.Sscan(rec.Teardown.ID, &n)
			if want := numbered(n); !reflect.DeepEqual(rec, want) {
				t.Fatalf("byte %d: a damaged record got through: %s", at, difference(rec, want))
			}
		}
	}
}

// TestZstdProgramReads: the zstd program shows that files are readable without
// closetrace, a cut one up to its last frame.
func TestZstdProgramReads(t *testing.T) {
	need(t, "programs", "zstd")
	packed, ends := recording(t, "a.jsonl.zst", 100, 10)
	for _, end := range []int{len(packed), ends[4] + 20} {
		command := exec.Command("zstd", "-dc")
		command.Stdin = bytes.NewReader(packed[:end])
		text, err := command.Output()
		if (err == nil) != (end == len(packed)) {
			t.Errorf("%d of %d bytes: zstd says %v", end, len(packed), err)
		}
		want := 102
		if end < len(packed) {
			want = 41
		}
		if got := bytes.Count(text, []byte("\n")); got != want {
			t.Errorf("%d of %d bytes: zstd gives %d lines, want %d", end, len(packed), got, want)
		}
	}
	command := exec.Command("zstd", "-19", "-c")
	plain, _ := recording(t, "a.jsonl", 100, 10)
	command.Stdin = bytes.NewReader(plain)
	again, err := command.Output()
	if err != nil {
		t.Fatal(err)
	}
	if list, skipped, err := readBytes(again); err != nil || len(list) != 102 || skipped.Any() {
		t.Errorf("file of zstd -19: got %d records, %v, %v, want 102", len(list), &skipped, err)
	}
}

// TestOneLargeFrame: other programs write one frame of any size.
func TestOneLargeFrame(t *testing.T) {
	var packed bytes.Buffer
	z, err := zstd.NewWriter(&packed, zstd.WithEncoderConcurrency(1))
	if err != nil {
		t.Fatal(err)
	}
	const n = 30000 // 45 MB, more than is decompressed as a whole
	var line []byte
	for i := range n {
		rec := numbered(i)
		line = Append(line[:0], &rec)
		z.Write(line)
	}
	z.Close()
	if list, skipped, err := readBytes(packed.Bytes()); err != nil || len(list) != n || skipped.Any() {
		t.Errorf("got %d records, %v, %v, want %d", len(list), &skipped, err, n)
	}
	list, skipped, err := readBytes(packed.Bytes()[:packed.Len()/2])
	if err != nil || len(list) < n/3 || skipped.Frames != 1 {
		t.Errorf("half of it: got %d records, %v, %v, want about %d", len(list), &skipped, err, n/2)
	}
	packed.Bytes()[packed.Len()/2] ^= 0x55
	rec := numbered(n)
	damaged := z.EncodeAll(Append(nil, &rec), packed.Bytes())
	list, skipped, err = readBytes(damaged)
	if err != nil || len(list) == 0 || list[len(list)-1].Teardown.ID != rec.Teardown.ID || skipped.Frames == 0 {
		t.Errorf("damaged: got %d records, %v, %v, want also the frame after the damage", len(list), &skipped, err)
	}
}
