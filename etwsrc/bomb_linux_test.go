package etwsrc

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/closetrace/closetrace/etwsrc/etltest"
	"github.com/closetrace/closetrace/model"
)

// bombFile, if set, is the trace that the test program reads instead of
// running tests: the memory of a process of its own can be measured.
const bombFile = "CLOSETRACE_TEST_BOMB"

func TestMain(m *testing.M) {
	path := os.Getenv(bombFile)
	if path == "" {
		os.Exit(m.Run())
	}
	f, err := OpenFile(path)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	ends := 0
	for r, err := range model.Judged(f.Events(context.Background())) {
		if err != nil {
			fmt.Println(err)
		}
		if r.Kind == model.KindTeardown {
			ends++
		}
	}
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	for line := range strings.Lines(string(status)) {
		if peak, ok := strings.CutPrefix(line, "VmHWM:"); ok {
			fmt.Println(ends, "ends of", f.events, "events")
			fmt.Println(strings.Fields(peak)[0]) // kB, last
		}
	}
}

// replayed reads a trace in a process of its own.
func replayed(t *testing.T, path string) (rss int64, took time.Duration, out []byte) {
	t.Helper()
	c := exec.CommandContext(t.Context(), os.Args[0])
	c.Env = append(os.Environ(), bombFile+"="+path)
	out, err := c.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	lines := bytes.Split(bytes.TrimSpace(out), []byte("\n"))
	last := len(lines) - 1
	rss, err = strconv.ParseInt(string(lines[last]), 10, 64)
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return rss << 10, c.ProcessState.UserTime() + c.ProcessState.SystemTime(), bytes.Join(lines[:last], []byte("; "))
}

// maxReplay is what reading any file may take.
const maxReplay = 200 << 20

// Traces that were made to exhaust the reader take bounded memory, and time by
// their size.
func TestBombsAreBounded(t *testing.T) {
	for _, bomb := range etltest.Bombs() {
		t.Run(bomb.Name, func(t *testing.T) {
			const larger = 4
			var times [2]time.Duration
			var sizes [2]int
			for i, n := range []int{1, larger} {
				data := bomb.Make(t, n*bomb.Size)
				path := filepath.Join(t.TempDir(), "bomb.etl")
				if err := os.WriteFile(path, data, 0o600); err != nil {
					t.Fatal(err)
				}
				rss, took, out := replayed(t, path)
				t.Logf("%d kB: %d MB, %v: %s", len(data)>>10, rss>>20, took.Round(time.Millisecond), out)
				if rss > maxReplay {
					t.Errorf("a file of %d kB takes %d MB", len(data)>>10, rss>>20)
				}
				times[i], sizes[i] = took, len(data)
			}
			growth := float64(sizes[1]) / float64(sizes[0])
			if limit := time.Duration(3 * growth * float64(max(times[0], 100*time.Millisecond))); times[1] > limit {
				t.Errorf("%.1f times the size takes %v, want at most %v: %v of the smaller", growth, times[1], limit, times[0])
			}
		})
	}
}

// A file of 5 GB is read buffer by buffer.
func TestLargeFilesAreStreamed(t *testing.T) {
	const size, buffer = 5 << 30, 1 << 20
	tr := busy(t, 20)
	tr.BufferSize = buffer
	data := tr.Bytes()
	count := len(data) / buffer
	path := filepath.Join(t.TempDir(), "large.etl")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for i := range size / buffer {
		b := data[min(i, 1+i%(count-1))*buffer:]
		filled := binary.LittleEndian.Uint32(b[0x30:]) // the rest is a hole
		if _, err := f.WriteAt(b[:filled], int64(i)*buffer); err != nil {
			t.Skipf("no room for a sparse file: %v", err)
		}
	}
	if err := f.Truncate(size); err != nil {
		t.Skipf("no sparse file of 5 GB here: %v", err)
	}
	rss, took, out := replayed(t, path)
	t.Logf("%d MB, %v: %s", rss>>20, took, out)
	if rss > maxReplay || took > time.Minute {
		t.Errorf("a file of 5 GB takes %d MB and %v", rss>>20, took)
	}
}
