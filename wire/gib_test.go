package wire_test

import (
	"bufio"
	"os"
	"os/exec"
	"runtime"
	"testing"
	"time"

	"github.com/closetrace/closetrace/model"
	"github.com/closetrace/closetrace/wire"
	"github.com/closetrace/closetrace/wire/wiretest"
)

// gibFile names the capture that TestGiB makes if it is not there.
const gibFile = "CLOSETRACE_GIB"

// TestGiB reads a capture of 1 GiB on one processor, and lets tshark read it.
func TestGiB(t *testing.T) {
	path := os.Getenv(gibFile)
	if path == "" {
		t.Skip("make bench-captures")
	}
	if _, err := os.Stat(path); err != nil {
		makeGiB(t, path)
	}
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	in, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	f, _, err := wire.Open(in, path, wire.Options{})
	if err != nil {
		t.Fatal(err)
	}
	began, ends := time.Now(), 0
	for r, err := range model.Judged(f.Events(t.Context())) {
		if err != nil {
			t.Fatal(err)
		}
		if r.Kind == model.KindTeardown {
			ends++
		}
	}
	took := time.Since(began)
	var memory runtime.MemStats
	runtime.ReadMemStats(&memory)
	t.Logf("closetrace: %d packets, %d ends, %v, %.0f MB/s, %d MB of memory", f.Stats().Packets, ends, took.Round(time.Millisecond),
		float64(f.Stats().Bytes)/took.Seconds()/1e6, memory.Sys>>20)
	if _, err := exec.LookPath("tshark"); err != nil {
		return
	}
	began = time.Now()
	if out, err := exec.Command("tshark", "-r", path, "-q", "-z", "conv,tcp").CombinedOutput(); err != nil {
		t.Errorf("tshark: %v\n%s", err, out)
	}
	t.Logf("tshark -z conv,tcp: %v", time.Since(began).Round(time.Millisecond))
}

func makeGiB(t *testing.T, path string) {
	t.Helper()
	file, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	out := bufio.NewWriterSize(file, 1<<20)
	m := wiretest.New(out, begin)
	m.Traffic(1 << 30)
	if err := out.Flush(); err != nil || m.Err != nil {
		t.Fatal(err, m.Err)
	}
	if err := file.Close(); err != nil {
		t.Fatal(err)
	}
}
