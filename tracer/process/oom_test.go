//go:build linux

package process

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/closetrace/closetrace/internal/procstat"
	"github.com/closetrace/closetrace/model"
)

// TestKillsAreOfTheirGroup: only the group whose own counter has moved is reported, for
// three seconds; nothing is known of a group that is gone.
func TestKillsAreOfTheirGroup(t *testing.T) {
	root := t.TempDir()
	write := func(path, text string) {
		t.Helper()
		path = filepath.Join(root, path)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	write("vmstat", "pgfault 7\noom_kill 3\n")
	write("g/a/memory.events", "low 0\noom 3\noom_kill 3\noom_group_kill 0\n")
	write("g/b/memory.events", "oom_kill 0\n")
	write("g/b/leaf/cgroup.procs", "") // no memory controller of its own
	now := time.Unix(1000, 0)
	k := &kills{root: filepath.Join(root, "g"), file: "memory.events", vmstat: filepath.Join(root, "vmstat"), host: 3, moved: map[string]time.Time{}, now: func() time.Time { return now }}
	k.scan()
	check := func(group string, want model.Opt[bool]) {
		t.Helper()
		if got := k.killed(group); got != want {
			t.Errorf("%s: got %v, want %v", group, got, want)
		}
	}
	check("/a", model.Some(false)) // its kills are old
	write("vmstat", "oom_kill 5\n")
	write("g/b/memory.events", "oom_kill 1\n")
	write("g/new/memory.events", "oom_kill 1\n")
	now = now.Add(time.Second)
	check("/a", model.Some(false))
	check("/b", model.Some(true))
	check("/b/leaf", model.Some(true))
	check("/new", model.Some(true))
	check("/gone", model.Opt[bool]{})
	now = now.Add(4 * time.Second)
	check("/b", model.Some(false))
}

// TestKillsBelowALink: the hierarchy of a process alone is reached by a link in /proc/self/fd.
func TestKillsBelowALink(t *testing.T) {
	root := t.TempDir()
	write := func(path, text string) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(root, path), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.MkdirAll(filepath.Join(root, "g/a"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(filepath.Join(root, "g"), filepath.Join(root, "link")); err != nil {
		t.Fatal(err)
	}
	write("vmstat", "oom_kill 0\n")
	write("g/a/memory.events", "oom_kill 0\n")
	now := time.Unix(1000, 0)
	k := &kills{root: filepath.Join(root, "link"), file: "memory.events", vmstat: filepath.Join(root, "vmstat"), moved: map[string]time.Time{}, now: func() time.Time { return now }}
	k.scan()
	write("vmstat", "oom_kill 1\n")
	write("g/a/memory.events", "oom_kill 1\n")
	now = now.Add(time.Second)
	if got := k.killed("/a"); got != model.Some(true) {
		t.Errorf("got %v", got)
	}
	// A search that took long is not repeated at once, and nothing is claimed meanwhile.
	k.rest = now.Add(time.Minute)
	write("vmstat", "oom_kill 2\n")
	now = now.Add(4 * time.Second)
	if got := k.killed("/a"); got.Known() {
		t.Errorf("while nothing is searched: got %v", got)
	}
	write("g/a/memory.events", "oom_kill 2\n")
	now = now.Add(time.Minute)
	if got := k.killed("/a"); got != model.Some(true) {
		t.Errorf("after the rest: got %v", got)
	}
}

// TestGroupOfAZombie: what /proc says of the cgroup v1 of a process that is ending is not
// where it was.
func TestGroupOfAZombie(t *testing.T) {
	if mounts, _ := os.ReadFile("/proc/self/cgroup"); !strings.Contains(string(mounts), ":memory:") {
		t.Skip("no memory controller of cgroup v1")
	}
	c := exec.Command("true")
	if err := c.Start(); err != nil {
		t.Skip(err)
	}
	defer func() { _ = c.Wait() }()
	for end := time.Now().Add(10 * time.Second); ; time.Sleep(time.Millisecond) {
		text, err := os.ReadFile(procPath(c.Process.Pid, "stat"))
		if err != nil {
			t.Fatal(err)
		}
		if stat, _ := procstat.Parse(text); stat.Ended() {
			break
		}
		if time.Now().After(end) {
			t.Fatal("it did not end")
		}
	}
	if got := cgroupsOf(c.Process.Pid).memory; got != "" {
		t.Errorf("of a zombie: %q", got)
	}
	if got := cgroupsOf(1).memory; got == "" {
		t.Error("nothing is known of a process that runs")
	}
}
