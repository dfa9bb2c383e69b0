package processtest

import (
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"
)

// SleeperName is the name of what [Sleeper] starts: exec takes the last element
// of the path.
const SleeperName = "exe"

// sleeperVariable makes a copy of the test program sleep.
const sleeperVariable = "CLOSETRACE_TEST_SLEEP"

// Main plays the sleeper, and returns in all other processes. It is called by
// the TestMain of the packages that use [Sleeper].
func Main() {
	if os.Getenv(sleeperVariable) != "" {
		_, _ = io.Copy(io.Discard, os.Stdin)
		os.Exit(0)
	}
}

// Sleeper starts a process that does nothing, a copy of the test program because a guest
// has no other, and returns its PID when it is known by its own name. c says what is
// special about it; the zero value works. The process ends with the test.
func Sleeper(t *testing.T, c *exec.Cmd) (pid int) {
	t.Helper()
	c.Path = "/proc/self/exe"
	c.Args = append([]string{c.Path}, c.Args...)
	c.Env = append(os.Environ(), sleeperVariable+"=1")
	if _, err := c.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Process.Kill(); c.Wait() })
	await(t, "the sleeper to be executed", func() bool {
		line, _ := os.ReadFile("/proc/" + strconv.Itoa(c.Process.Pid) + "/comm")
		return strings.TrimSpace(string(line)) == SleeperName
	})
	return c.Process.Pid
}

// StartTicks reads when a process started, in hundredths of a second since boot, in
// another way than the code under test.
func StartTicks(t *testing.T, pid int) uint64 {
	t.Helper()
	text, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	if err != nil {
		t.Fatal(err)
	}
	after := string(text[strings.LastIndex(string(text), ") ")+2:])
	var ticks uint64
	if _, err = fmt.Sscan(strings.Split(after, " ")[19], &ticks); err != nil {
		t.Fatal(err)
	}
	return ticks
}

// await polls until the kernel has done something for which there is no event.
func await(t *testing.T, what string, done func() bool) {
	t.Helper()
	for deadline := time.Now().Add(5 * time.Second); !done(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("waited 5 s for %s", what)
		}
	}
}
