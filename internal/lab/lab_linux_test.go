package lab

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/closetrace/closetrace/model"
)

// requireRoot skips where namespaces cannot be made, unless CLOSETRACE_REQUIRE
// says that the kernel part must run.
func requireRoot(t *testing.T) {
	t.Helper()
	if os.Geteuid() == 0 {
		return
	}
	if strings.Contains(os.Getenv("CLOSETRACE_REQUIRE"), "bpf") {
		t.Fatal("root is needed to make network namespaces")
	}
	t.Skip("needs root to make network namespaces")
}

func TestScenarios(t *testing.T) {
	requireRoot(t)
	start := time.Now()
	results, err := Run(t.Context(), Scenarios(), 8)
	if err != nil {
		t.Fatal(err)
	}
	ends := 0
	for i := range results {
		r := &results[i]
		ends += len(r.Ends)
		t.Run(r.Name, func(t *testing.T) {
			t.Logf("%s took %v", r.Name, r.Stop.Sub(r.Start))
			if r.Skipped != "" {
				t.Skip(r.Skipped)
			}
			if r.Error != "" {
				t.Fatal(r.Error)
			}
			checkPackets(t, r)
			checkCounters(t, r)
			if t.Failed() {
				t.Logf("packets: %+v", r.Packets)
			}
		})
	}
	checkQuick(t, results)
	t.Logf("%d scenarios, %d ends in %v", len(results), ends, time.Since(start))
}

// checkQuick: the demonstration must show every verdict.
func checkQuick(t *testing.T, results []Result) {
	t.Helper()
	shown := map[model.Verdict]bool{}
	for _, sc := range Quick() {
		i := slices.IndexFunc(results, func(r Result) bool { return r.Name == sc.Name })
		for _, e := range results[i].Ends {
			shown[e.Truth.Verdict] = true
		}
	}
	for _, v := range []model.Verdict{model.Graceful, model.Abortive, model.LingerTimeout, model.FailedOpen, model.Silent} {
		if !shown[v] {
			t.Errorf("no quick scenario shows %v", v)
		}
	}
}

// A cancelled run leaves nothing behind.
func TestRunCancelled(t *testing.T) {
	requireRoot(t)
	// It takes seconds: all are still at it when the last one begins.
	slow := slices.DeleteFunc(Scenarios(), func(sc Scenario) bool { return sc.Name != "linger-expired-orphan-times-out" })
	slow = slices.Repeat(slow, 4)
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		defer cancel()
		for len(labProcesses(t)) < 2*len(slow) && t.Context().Err() == nil {
			time.Sleep(time.Millisecond) // no event tells that a process has started
		}
	}()
	results, err := Run(ctx, slow, len(slow))
	if !errors.Is(err, context.Canceled) || len(results) != len(slow) {
		t.Errorf("got %d results and %v, want %d and %v", len(results), err, len(slow), context.Canceled)
	}
	if left := labProcesses(t); len(left) != 0 {
		t.Errorf("processes are left: %v", left)
	}
}

// labProcesses returns the other processes that run this program.
func labProcesses(t *testing.T) (found []string) {
	self, err := os.Readlink("/proc/self/exe")
	if err != nil {
		t.Error(err)
	}
	paths, _ := filepath.Glob("/proc/[0-9]*/exe")
	for _, path := range paths {
		pid := filepath.Base(filepath.Dir(path))
		if exe, err := os.Readlink(path); err == nil && exe == self && pid != strconv.Itoa(os.Getpid()) {
			found = append(found, pid)
		}
	}
	return found
}
