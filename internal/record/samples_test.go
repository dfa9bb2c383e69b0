package record

import (
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/closetrace/closetrace/model"
)

// lacking skips a test for want of something, or fails it if
// CLOSETRACE_REQUIRE, a list of words, has this one.
func lacking(t *testing.T, word string, what ...any) {
	t.Helper()
	if slices.Contains(strings.Split(os.Getenv("CLOSETRACE_REQUIRE"), ","), word) {
		t.Fatal(what...)
	}
	t.Skip(what...)
}

// need is lacking, if any of the programs is not installed.
func need(t *testing.T, word string, programs ...string) {
	t.Helper()
	for _, p := range programs {
		if _, err := exec.LookPath(p); err != nil {
			lacking(t, word, err)
		}
	}
}

// records returns n random records between a start and a stop.
func records(seed uint64, n int) []model.Record {
	r := random{rand.New(rand.NewPCG(seed, seed))}
	list := []model.Record{startRecord()}
	for len(list) <= n {
		if rec := cleaned(r.record()); rec.Kind != model.KindStart && rec.Kind != model.KindStop {
			list = append(list, rec)
		}
	}
	return append(list, stopRecord())
}

func startRecord() model.Record {
	return model.Record{Kind: model.KindStart, Start: model.Start{
		Time: 1795195380123456789, Tool: model.Tool{Version: "1.0.0"}, Host: model.Host{Name: "web-1"},
		OS: model.OS{Type: "linux", Version: "6.18.44"}, Backend: "tracepoint", BootID: "b",
	}}
}

func stopRecord() model.Record {
	return model.Record{Kind: model.KindStop, Stop: model.Stop{Time: 1795195390123456789, Reason: "signal"}}
}

// numbered returns the nth teardown of a series; its ID is n. Records differ enough not
// to compress to nothing.
func numbered(n int) model.Record {
	r := sample()
	r.Teardown.ID = fmt.Sprint(n)
	noise := rand.New(rand.NewPCG(uint64(n), 0))
	for range 10 {
		r.Teardown.Process.CommandLine += strconv.FormatUint(noise.Uint64(), 36)
	}
	return r
}

func write(t testing.TB, w *Writer, list ...model.Record) {
	t.Helper()
	for i := range list {
		if err := w.Write(&list[i]); err != nil {
			t.Fatalf("write record %d: %v", i, err)
		}
	}
}

func closeWriter(t testing.TB, w *Writer) {
	t.Helper()
	if err := w.Close(); err != nil {
		t.Fatalf("close: %v", err)
	}
}

// read returns all records of a file, which must have no error.
func read(t testing.TB, path string) []model.Record {
	t.Helper()
	list, skipped, err := readAll(t, path)
	if err != nil || skipped.Any() {
		t.Fatalf("read %s: %v, %v %v", path, err, &skipped, skipped.First)
	}
	return list
}

func readAll(t testing.TB, path string) (list []model.Record, skipped Skipped, err error) {
	t.Helper()
	r, err := Open(path)
	if err != nil {
		return nil, Skipped{}, err
	}
	defer r.Close()
	for rec, failed := range r.Records() {
		if failed != nil {
			err = failed
			break
		}
		list = append(list, rec)
	}
	return list, r.Skipped(), err
}
