//go:build linux

package process

import (
	"os/exec"
	"runtime"
	"strings"
	"testing"
	"time"
)

// TestLongCommandLine: a user's process may have arguments of megabytes. No more is read of
// them than a record may have.
func TestLongCommandLine(t *testing.T) {
	arguments := []string{"-c", "read line", "sh"}
	for range 16 {
		arguments = append(arguments, strings.Repeat("x", 100_000))
	}
	c := exec.Command("sh", arguments...)
	in, err := c.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	got := argumentsOf(c.Process.Pid)
	for began := time.Now(); got[0] == "" && time.Since(began) < 5*time.Second; got = argumentsOf(c.Process.Pid) {
		time.Sleep(time.Millisecond) // the exec has closed descriptors, and not set the arguments yet
	}
	runtime.ReadMemStats(&after)
	if n := len(strings.Join(got, " ")); n != commandLineMax || got[0] != "sh" {
		t.Errorf("%d bytes, want %d", n, commandLineMax)
	}
	if used := after.TotalAlloc - before.TotalAlloc; used > 16*commandLineMax {
		t.Errorf("reading took %d bytes of memory", used)
	}
	in.Close()
	if err := c.Wait(); err != nil && c.ProcessState.ExitCode() != 1 {
		t.Error(err)
	}
}
