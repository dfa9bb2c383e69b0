package record

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/klauspost/compress/zstd"

	"github.com/closetrace/closetrace/model"
)

// readBytes reads data as a recording.
func readBytes(data []byte) (list []model.Record, skipped Skipped, err error) {
	return readFrom(bytes.NewReader(data))
}

func readFrom(in io.Reader) (list []model.Record, skipped Skipped, err error) {
	r := NewReader(io.NopCloser(in), "test")
	for rec, failed := range r.Records() {
		if failed != nil {
			return list, r.Skipped(), failed
		}
		list = append(list, rec)
	}
	return list, r.Skipped(), nil
}

// recording returns n numbered teardowns between start and stop, and where
// each of its frames ends (none for plain text).
func recording(t testing.TB, name string, n, perFrame int) (data []byte, frames []int) {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	w, err := Create(path, Options{})
	if err != nil {
		t.Fatal(err)
	}
	mark := func() {
		if err := w.Flush(); err != nil {
			t.Fatal(err)
		}
		if end := int(w.Counts().Bytes); len(frames) == 0 || end > frames[len(frames)-1] {
			frames = append(frames, end)
		}
	}
	write(t, w, startRecord())
	mark()
	for i := range n {
		write(t, w, numbered(i))
		if i%perFrame == perFrame-1 {
			mark()
		}
	}
	write(t, w, stopRecord())
	mark()
	closeWriter(t, w)
	if data, err = os.ReadFile(path); err != nil {
		t.Fatal(err)
	}
	return data, frames
}

// TestCutAnywhere: what was whole before the cut is read, and the rest is reported.
func TestCutAnywhere(t *testing.T) {
	plain, _ := recording(t, "a.jsonl", 50, 10)
	for at := range len(plain) {
		if at%37 != 0 {
			continue
		}
		list, skipped, err := readBytes(plain[:at])
		whole := bytes.Count(plain[:at], []byte("\n"))
		cut := at > 0 && plain[at-1] != '\n'
		if whole == 0 {
			if cut && err == nil {
				t.Errorf("cut at %d: no error though nothing could be read", at)
			}
			continue
		}
		if cut && plain[at] == '\n' {
			whole++ // only the line feed is missing
			cut = false
		}
		if err != nil || len(list) != whole || (skipped.Lines == 1) != cut {
			t.Errorf("cut at %d: got %d records, %v, %v; want %d", at, len(list), &skipped, err, whole)
		}
	}
	packed, ends := recording(t, "a.jsonl.zst", 50, 10)
	for at := 7; at < len(packed); at += 37 {
		list, skipped, err := readBytes(packed[:at])
		least := 0
		for i, end := range ends {
			if at >= end {
				least = min(1+10*i, 51)
			}
		}
		if least > 0 && (err != nil || len(list) < least) {
			t.Errorf("zstd cut at %d: got %d records, %v, want at least the %d of whole frames", at, len(list), err, least)
		}
		if least < len(list) && skipped.Frames == 0 {
			t.Errorf("zstd cut at %d: the cut is not told", at)
		}
	}
}

// endless gives n bytes of a line.
type endless struct{ n int64 }

func (e *endless) Read(p []byte) (int, error) {
	if e.n == 0 {
		return 0, io.EOF
	}
	n := int(min(e.n, int64(len(p))))
	for i := range p[:n] {
		p[i] = 'x'
	}
	e.n -= int64(n)
	return n, nil
}

func TestHugeLineInBoundedMemory(t *testing.T) {
	rec := numbered(7)
	good := Append(nil, &rec)
	in := io.MultiReader(bytes.NewReader(good), &endless{100 << 20}, strings.NewReader("\n"), bytes.NewReader(good))
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	list, skipped, err := readFrom(in)
	runtime.ReadMemStats(&after)
	if err != nil || len(list) != 2 || skipped.Lines != 1 || skipped.Bytes != 100<<20+1 {
		t.Fatalf("got %d records, %v, %v", len(list), &skipped, err)
	}
	if got, want := skipped.First[0].String(), fmt.Sprintf("line 2, byte %d: longer than 4194304 bytes", len(good)); got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if used := after.TotalAlloc - before.TotalAlloc; used > 32<<20 {
		t.Errorf("allocated %d bytes for a line of 100 MB", used)
	}
}

func TestZstdBombInBoundedMemory(t *testing.T) {
	z, err := zstd.NewWriter(nil, zstd.WithWindowSize(1<<20))
	if err != nil {
		t.Fatal(err)
	}
	zeros := make([]byte, 256<<20)
	zeros[len(zeros)-1] = '\n'
	bomb := z.EncodeAll(zeros, nil)
	rec := numbered(7)
	data := z.EncodeAll(Append(nil, &rec), bomb)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	list, skipped, err := readBytes(data)
	runtime.ReadMemStats(&after)
	if !errors.Is(err, errGrowth) || len(list) != 0 {
		t.Errorf("got %d records, %v, %v, want %v", len(list), &skipped, err, errGrowth)
	}
	if used := after.TotalAlloc - before.TotalAlloc; used > 64<<20 {
		t.Errorf("allocated %d bytes for %d bytes that unpack to 256 MiB", used, len(bomb))
	}
}

func TestReadErrorIsTold(t *testing.T) {
	data, _ := recording(t, "a.jsonl", 10, 5)
	broken := errors.New("disk on fire")
	list, _, err := readFrom(io.MultiReader(bytes.NewReader(data), iotest.ErrReader(broken)))
	if !errors.Is(err, broken) || len(list) != 12 {
		t.Errorf("got %d records and %v, want 12 and the reader's error", len(list), err)
	}
	for _, small := range []io.Reader{iotest.OneByteReader(bytes.NewReader(data)), iotest.DataErrReader(bytes.NewReader(data))} {
		if list, skipped, err := readFrom(small); err != nil || len(list) != 12 || skipped.Any() {
			t.Errorf("got %d records, %v, %v, want 12", len(list), &skipped, err)
		}
	}
	packed, _ := recording(t, "a.jsonl.zst", 10, 5)
	if list, skipped, err := readFrom(iotest.OneByteReader(bytes.NewReader(packed))); err != nil || len(list) != 12 || skipped.Any() {
		t.Errorf("zstd byte by byte: got %d records, %v, %v, want 12", len(list), &skipped, err)
	}
}

func TestEndedAndProgress(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a.jsonl")
	data, _ := recording(t, "b.jsonl", 10, 5)
	for _, cut := range []bool{false, true} {
		if cut {
			data = data[:len(data)-1]
			data = data[:bytes.LastIndexByte(data, '\n')+1]
		}
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
		r, err := Open(path)
		if err != nil {
			t.Fatal(err)
		}
		for range r.Records() {
		}
		if r.Ended() == cut {
			t.Errorf("cut %v: Ended says %v", cut, r.Ended())
		}
		if done, size := r.Progress(); done != int64(len(data)) || size != done {
			t.Errorf("got progress %d of %d, want %d", done, size, len(data))
		}
		r.Close()
	}
}

func TestRejudge(t *testing.T) {
	r := sample()
	if _, changed := Rejudge(&r); changed {
		t.Error("a record that was just judged changes")
	}
	var d Decoder
	var again model.Record
	if err := d.Decode(Append(nil, &r), &again); err != nil {
		t.Fatal(err)
	}
	if now, changed := Rejudge(&again); changed {
		t.Errorf("after a round trip: %v", Differences(&again, &now))
	}
	again.Teardown.Verdict, again.Teardown.Rule = model.Silent, "an-old-rule"
	now, changed := Rejudge(&again)
	got := strings.Join(Differences(&again, &now), "; ")
	want := "verdict silent -> abortive; rule an-old-rule -> " + now.Teardown.Rule
	if !changed || got != want {
		t.Errorf("got %v, %q, want %q", changed, got, want)
	}
	if _, changed := Rejudge(&model.Record{Kind: model.KindLoss}); changed {
		t.Error("a loss changes")
	}
}

// TestRejudgeRetracts: an old version did not retract a linger timeout that it had
// inferred from its timer, though the FIN was then acknowledged in time.
func TestRejudgeRetracts(t *testing.T) {
	old := sample()
	old.Kind = model.KindOutcome
	f := &old.Teardown.Facts
	f.Linger.On, f.Linger.Seconds = model.Some(true), model.Some(2)
	f.Evidence.Wait = model.LingerWait{Began: true, Left: model.Some(time.Second), TimerExpired: true}
	again := model.NewEvent(old.Kind, *f)
	old = again.Judged()
	if !old.Retracts {
		t.Fatalf("a wait of 1 s of 2 s was judged %+v", old.Teardown.Judgement)
	}
	old.Teardown.PeerCause = model.CauseUnreadData
	if _, changed := Rejudge(&old); changed {
		t.Error("an outcome that was just judged changes")
	}
	old.Retracts = false
	now, changed := Rejudge(&old)
	if now.Teardown.PeerCause != model.CauseUnreadData {
		t.Errorf("got peer cause %v, want the one of the recording", now.Teardown.PeerCause)
	}
	if got := Differences(&old, &now); !changed || len(got) != 1 || got[0] != "retracts false -> true" {
		t.Errorf("got %v, %q, want that it retracts", changed, got)
	}
}
