package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// memoryOf returns the memory in kB that a process and its children have for themselves
// alone (RssAnon of proc_pid_status(5)), and how many they are. Ring and maps are the
// kernel's and are not in it.
func memoryOf(t *testing.T, pid int) (kB, processes int) {
	t.Helper()
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0, 0 // it has ended
	}
	if _, rest, found := strings.Cut(string(status), "RssAnon:"); found {
		kB, _ = strconv.Atoi(strings.Fields(rest)[0])
	}
	processes = 1
	lists, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", pid))
	for _, list := range lists {
		children, _ := os.ReadFile(list)
		for _, child := range strings.Fields(string(children)) {
			id, _ := strconv.Atoi(child)
			more, n := memoryOf(t, id)
			kB, processes = kB+more, processes+n
		}
	}
	return kB, processes
}

// crowds opens pairs of connected sockets in several network namespaces, with a table of
// descriptors for each, whose size is limited. They are closed when leave is.
func crowds(t *testing.T, spaces, pairs int, leave <-chan struct{}) (netns []string, left *sync.WaitGroup) {
	left = &sync.WaitGroup{}
	ready := make(chan string)
	for range spaces {
		left.Go(func() {
			runtime.LockOSThread() // and the thread ends with its table
			if err := unix.Unshare(unix.CLONE_FILES); err != nil {
				ready <- ""
				return
			}
			open := crowd(t, pairs)
			name, _ := os.Readlink("/proc/thread-self/ns/net")
			ready <- strings.Trim(name, "net:[]")
			<-leave
			closeAll(open)
		})
	}
	for range spaces {
		netns = append(netns, <-ready)
	}
	return netns, left
}

// TestMemoryOfManySockets: 80,000 open sockets, which end all at once, take record and
// its helpers no more than 64 MB, and each end is told.
func TestMemoryOfManySockets(t *testing.T) {
	if os.Getenv("CLOSETRACE_MANY_SOCKETS") == "" {
		t.Skip("takes half a minute: make many-sockets")
	}
	needCapabilities(t)
	const spaces, pairs, limit = 5, 8_000, 64_000
	leave := make(chan struct{})
	netns, left := crowds(t, spaces, pairs, leave)
	r := startRecorder(t, t.TempDir(), nil)
	most, processes := 0, 0
	watch := func(d time.Duration) {
		for end := time.Now().Add(d); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
			now, n := memoryOf(t, r.Process.Pid)
			most, processes = max(most, now), max(processes, n)
		}
	}
	watch(5 * time.Second)
	idle := most
	close(leave)
	watch(10 * time.Second)
	left.Wait()
	_ = r.Process.Signal(syscall.SIGINT)
	if code := r.end(t); code != 0 {
		t.Errorf("exit code %d: %s", code, &r.errors)
	}
	text, err := os.ReadFile(filepath.Join(r.folder, "a.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	ends := 0
	for line := range bytes.Lines(text) {
		for _, n := range netns {
			if bytes.Contains(line, []byte(`"kind":"teardown"`)) && bytes.Contains(line, []byte(`"netns":`+n)) {
				ends++
			}
		}
	}
	const sockets = 2 * spaces * pairs
	t.Logf("%d sockets: %d kB while they are open, %d kB at most, of %d processes; %d ends; %q", sockets, idle, most, processes, ends, &r.errors)
	if most > limit || most == 0 {
		t.Errorf("%d kB, want at most %d", most, limit)
	}
	if ends != sockets {
		t.Errorf("%d ends, want %d", ends, sockets)
	}
}
