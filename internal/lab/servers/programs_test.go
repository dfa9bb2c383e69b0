//go:build linux

package servers_test

import (
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/closetrace/closetrace/internal/lab/sourcetest"
)

// serverVariable tells the test's own program that it is a server.
const serverVariable = "CLOSETRACE_TEST_SERVER"

// goServer is the test's own program under another name.
const goServer = "go-server"

// installed skips the test if a program is missing.
func installed(t *testing.T, programs []string) {
	t.Helper()
	for _, program := range slices.Concat([]string{"tcpdump"}, programs) {
		if _, err := sourcetest.Find(program); err == nil {
			continue
		}
		if sourcetest.Required("servers") {
			t.Fatalf("%s is not installed", program)
		}
		t.Skipf("%s is not installed", program)
	}
}

func (b *bench) path(program string) string {
	b.Helper()
	if program == goServer {
		self, err := os.Executable()
		b.check(err)
		path := filepath.Join(b.dir, goServer)
		b.check(os.Symlink(self, path))
		return path
	}
	path, err := sourcetest.Find(program)
	b.check(err)
	return path
}

// copy puts a file of testdata into the bench's directory.
func (b *bench) copy(name string) {
	b.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", name))
	b.check(err)
	b.check(os.WriteFile(filepath.Join(b.dir, name), text, 0o644))
}

func (b *bench) check(err error) {
	b.Helper()
	if err != nil {
		b.Fatal(err)
	}
}

// listens waits until a server is ready, without a connection to it.
func (b *bench) listens(port uint16) {
	b.Helper()
	b.await("a listener", func(s socket) bool { return s.localPort == port && s.state == stateListen })
}

// gone waits until both ends of the connections to port have ended.
func (b *bench) gone(port uint16) {
	b.Helper()
	b.eventually("the connections to be gone", func() bool {
		return !slices.ContainsFunc(b.sockets(), func(s socket) bool {
			return (s.localPort == port || s.peerPort == port) && s.state != stateListen && s.state != stateTimeWait
		})
	})
}
