package record

import (
	"bufio"
	"encoding/json"
	"os"
	"path/filepath"
	"runtime"
	"testing"

	"github.com/closetrace/closetrace/model"
)

// million writes a recording of n teardowns that differ.
func million(tb testing.TB, name string, n int) string {
	tb.Helper()
	path := filepath.Join(tb.TempDir(), name)
	w, err := Create(path, Options{})
	if err != nil {
		tb.Fatal(err)
	}
	r := sample()
	start, stop := startRecord(), stopRecord()
	_ = w.Write(&start)
	var id []byte
	for i := range n {
		id = appendHex(id[:0], uint64(i))
		r.Teardown.ID = string(id)
		r.Teardown.Time++
		r.Teardown.Network.Peer.Port = uint16(i)
		r.Teardown.TCP.Bytes.Sent = model.Some(uint64(i) * 7919 % 1e6)
		if err := w.Write(&r); err != nil {
			tb.Fatal(err)
		}
	}
	_ = w.Write(&stop)
	if err := w.Close(); err != nil {
		tb.Fatal(err)
	}
	return path
}

func appendHex(b []byte, v uint64) []byte {
	for shift := 28; shift >= 0; shift -= 4 {
		b = append(b, hex[v>>shift&15])
	}
	return b
}

// rejudgeFile reads and judges every record and returns how many there are and
// how many changed.
func rejudgeFile(tb testing.TB, path string) (records, changed int) {
	r, err := Open(path)
	if err != nil {
		tb.Fatal(err)
	}
	defer r.Close()
	var rec model.Record // one for all: the range's own would each move to the heap
	for next, err := range r.Records() {
		if err != nil {
			tb.Fatal(err)
		}
		records++
		rec = next
		if _, differs := Rejudge(&rec); differs {
			changed++
		}
	}
	if skipped := r.Skipped(); skipped.Any() {
		tb.Fatal(&skipped)
	}
	return records, changed
}

// TestRejudgeMemory: the heap stays far below the file's size.
func TestRejudgeMemory(t *testing.T) {
	if testing.Short() {
		t.Skip("writes 60 MB")
	}
	for _, name := range []string{"a.jsonl", "a.jsonl.zst"} {
		path := million(t, name, 40_000)
		runtime.GC()
		peak := heapPeak(func() { rejudgeFile(t, path) })
		if peak > 32<<20 {
			t.Errorf("%s: heap grew to %d bytes, want less than 32 MiB", name, peak)
		}
	}
}

// heapPeak samples the heap's size while work runs.
func heapPeak(work func()) uint64 {
	done := make(chan struct{})
	go func() { defer close(done); work() }()
	var peak uint64
	var m runtime.MemStats
	for {
		select {
		case <-done:
			return peak
		default:
			runtime.ReadMemStats(&m)
			peak = max(peak, m.HeapInuse)
			runtime.Gosched()
		}
	}
}

func BenchmarkRejudgeFile(b *testing.B) {
	const n = 100_000
	for _, name := range []string{"a.jsonl", "a.jsonl.zst"} {
		path := million(b, name, n)
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				if records, changed := rejudgeFile(b, path); records != n+2 || changed != 0 {
					b.Fatalf("got %d records, %d changed", records, changed)
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/n, "ns/record")
		})
	}
}

// rejudgeWithEncodingJSON is the yardstick: the same work with the standard
// decoder into the same struct.
func rejudgeWithEncodingJSON(tb testing.TB, path string) {
	file, err := os.Open(path)
	if err != nil {
		tb.Fatal(err)
	}
	defer file.Close()
	in := bufio.NewScanner(file)
	in.Buffer(nil, MaxLine)
	for in.Scan() {
		var l teardownLine
		if err := json.Unmarshal(in.Bytes(), &l); err != nil {
			tb.Fatal(err)
		}
		model.Judge(l.Facts)
	}
}

func BenchmarkRejudgeFileWithEncodingJSON(b *testing.B) {
	const n = 20_000
	path := million(b, "a.jsonl", n)
	for b.Loop() {
		rejudgeWithEncodingJSON(b, path)
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/n, "ns/record")
}

func BenchmarkWrite(b *testing.B) {
	for _, name := range []string{"a.jsonl", "a.jsonl.zst"} {
		b.Run(name, func(b *testing.B) {
			w, err := Create(filepath.Join(b.TempDir(), name), Options{})
			if err != nil {
				b.Fatal(err)
			}
			r := sample()
			b.ReportAllocs()
			for b.Loop() {
				r.Teardown.Time++
				if err := w.Write(&r); err != nil {
					b.Fatal(err)
				}
			}
			w.Close()
		})
	}
}
