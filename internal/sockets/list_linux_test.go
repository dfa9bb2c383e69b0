package sockets

import (
	"os"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/closetrace/closetrace/internal/lab/sourcetest"
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
