package flow_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/closetrace/closetrace/internal/lab"
)

func TestMain(m *testing.M) {
	lab.Main()
	os.Exit(m.Run())
}

// TestJudgeLab compares the reading of the laboratory's captures, one of tcpdump for each
// scenario, with tshark's, as TestJudge does with public ones.
func TestJudgeLab(t *testing.T) {
	for _, tool := range []string{"tcpdump", "tshark"} {
		if _, err := exec.LookPath(tool); err != nil {
			if slices.Contains(strings.Split(os.Getenv("CLOSETRACE_REQUIRE"), ","), "captures") {
				t.Fatal(err)
			}
			t.Skip(err)
		}
	}
	if os.Geteuid() != 0 {
		t.Skip("needs root: makes network namespaces")
	}
	folder := t.TempDir()
	t.Setenv(lab.CaptureEnv, folder)
	results, err := lab.Run(t.Context(), lab.Scenarios(), 4)
	if err != nil {
		t.Fatal(err)
	}
	var paths []string
	for i := range results {
		path := filepath.Join(folder, results[i].Name+".pcap")
		if info, err := os.Stat(path); results[i].Error == "" && err == nil && info.Size() <= judgedSize {
			paths = append(paths, path)
		}
	}
	said, err := tsharks(paths)
	if err != nil {
		t.Fatal(err)
	}
	streams, explained := 0, map[string]int{}
	for i, path := range paths {
		streams += judge(t, path, said[i], explained)
	}
	t.Logf("%d scenarios, %d connections", len(paths), streams)
	for what, n := range explained {
		t.Logf("%d times another number: %s", n, what)
	}
	if len(paths) < 100 || streams < 100 {
		t.Errorf("%d scenarios with %d connections: the test shows little", len(paths), streams)
	}
}
