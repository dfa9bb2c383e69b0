package record

import (
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/closetrace/closetrace/model"
)

// TestMain makes the test program the writer that another test kills.
func TestMain(m *testing.M) {
	if path := os.Getenv("CLOSETRACE_TEST_WRITER"); path != "" {
		os.Exit(writeUntilKilled(path))
	}
	os.Exit(m.Run())
}

// writeUntilKilled records teardowns 0, 1, 2 ... and prints each on standard output
// before the next, with the time.
func writeUntilKilled(path string) int {
	signal.Ignore(syscall.SIGPIPE)
	rotate, _ := strconv.ParseInt(os.Getenv("CLOSETRACE_TEST_ROTATE"), 10, 64)
	w, err := Create(path, Options{RotateSize: rotate})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	if err := w.Write(ptr(startRecord())); err != nil {
		return 1
	}
	for n := 0; ; n++ {
		if err := w.Write(ptr(numbered(n))); err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		if n%10 == 0 {
			fmt.Println(n, time.Now().UnixNano())
			time.Sleep(2 * time.Millisecond) // a busy host, not a benchmark
		}
	}
}

// TestKill kills a writer at random moments. What it had accepted more than a second
// before is there; every line but a cut last one is whole; nothing is there twice.
func TestKill(t *testing.T) {
	moments := 50
	if testing.Short() {
		moments = 10
	}
	random := rand.New(rand.NewPCG(uint64(time.Now().UnixNano()), 0))
	var wait sync.WaitGroup
	slots := make(chan struct{}, 10)
	for i := range moments {
		after := time.Duration(random.Int64N(int64(4 * time.Second)))
		name, rotate := "a.jsonl", 0
		if i%2 == 1 {
			name += ".zst"
		}
		if i%4 > 1 {
			rotate = 64 << 10
		}
		slots <- struct{}{}
		wait.Go(func() {
			defer func() { <-slots }()
			killed(t, name, rotate, after)
		})
	}
	wait.Wait()
}

func killed(t *testing.T, name string, rotate int, after time.Duration) {
	folder := t.TempDir()
	c := exec.Command(os.Args[0])
	c.Env = append(os.Environ(), "CLOSETRACE_TEST_WRITER="+filepath.Join(folder, name), "CLOSETRACE_TEST_ROTATE="+strconv.Itoa(rotate))
	out, err := c.StdoutPipe()
	if err == nil {
		err = c.Start()
	}
	if err != nil {
		t.Error(err)
		return
	}
	timer := time.AfterFunc(after, func() { c.Process.Kill() })
	defer timer.Stop()
	told, _ := io.ReadAll(out)
	c.Wait()

	// Half a second more than is promised: the machine may be busy.
	sure := -1
	var last int64
	for _, line := range slices.Backward(strings.Split(strings.TrimSpace(string(told)), "\n")) {
		var n int
		var at int64
		if k, _ := fmt.Sscan(line, &n, &at); k < 2 {
			continue
		}
		if last == 0 {
			last = at
		}
		if last-at > int64(flushEvery+500*time.Millisecond) {
			sure = n
			break
		}
	}
	next := 0
	files := recordings(t, folder)
	for i, file := range files {
		list, skipped, err := readAll(t, file)
		if cut := skipped.Lines + skipped.Frames; err != nil && len(list) > 0 || cut > 2 || cut > 0 && i < len(files)-1 {
			t.Errorf("%s killed after %v: %v, %v %v", name, after, err, &skipped, skipped.First)
		}
		for _, r := range list {
			if r.Kind != model.KindTeardown {
				continue
			}
			if r.Teardown.ID != strconv.Itoa(next) {
				t.Errorf("%s killed after %v: got teardown %s, want %d", name, after, r.Teardown.ID, next)
				return
			}
			next++
		}
	}
	if next <= sure {
		t.Errorf("%s killed after %v: %d teardowns in %d files, but %d was accepted a second earlier", name, after, next, len(files), sure)
	}
}
