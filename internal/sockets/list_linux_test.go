package sockets

import (
	"os"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/closetrace/closetrace/internal/lab/sourcetest"
	"github.com/closetrace/closetrace/model"
)

// required reports whether a skip for want of a privilege must be a failure.
func required() bool { return strings.Contains(os.Getenv("CLOSETRACE_REQUIRE"), "bpf") }

// needRoot skips a test that needs root.
func needRoot(t *testing.T) {
	t.Helper()
	if os.Getuid() == 0 {
		return
	}
	if required() {
		t.Fatal("needs root")
	}
	t.Skip("needs root")
}

// inNamespace runs f on a thread in a network namespace of its own, whose
// loopback is up. The thread ends with f.
func inNamespace(t *testing.T, f func()) {
	t.Helper()
	needRoot(t)
	done := make(chan error)
	go func() {
		var err error
		defer func() { done <- err }()
		if err = enterNew(); err == nil {
			f()
		}
	}()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
}

// enterNew moves the calling goroutine's thread for good.
func enterNew() error {
	lockThread()
	if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
		return err
	}
	return sourcetest.LoopbackUp()
}

// TestEach: it counts what List lists, and keeps no more than one socket.
func TestEach(t *testing.T) {
	keep := manyConnections(t, 64)
	defer keep()
	got, want, at := map[model.State]int{}, map[model.State]int{}, map[*Conn]bool{}
	var queue, limit uint32
	if err := Each(func(c *Conn) {
		got[c.State]++
		at[c] = true
		if c.State == model.Listen {
			queue, limit = max(queue, c.Queue.Receive), max(limit, c.Queue.Send)
		}
	}); err != nil {
		t.Fatal(err)
	}
	all, err := List(t.Context(), Options{Scope: Everything})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range all {
		want[c.State]++
	}
	for state, n := range want {
		if d := got[state] - n; d < -8 || d > 8 { // others open and close too
			t.Errorf("%d sockets in %v, want %d", got[state], state, n)
		}
	}
	if len(at) != 1 || queue < 3 || limit < 128 {
		t.Errorf("%d sockets in memory, want 1; a listener's queue has %d of %d, want 3 and more", len(at), queue, limit)
	}
}
