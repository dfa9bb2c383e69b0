//go:build linux

package tracer_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"
)

// serverVariable tells the test's own program that it is a server.
const serverVariable = "CLOSETRACE_TEST_SERVER"

// goServer is the test's own program under another name.
const goServer = "go-server"

// find returns where a program is. Debian's python3 is wanted, not a wrapper
// that happens to be in front of it; servers are where only root looks.
func find(program string) (string, error) {
	for _, directory := range []string{"/usr/bin", "/usr/sbin"} {
		if path, err := exec.LookPath(filepath.Join(directory, program)); err == nil {
			return path, nil
		}
	}
	return exec.LookPath(program)
}

// installed skips the test if a program is missing.
func installed(t *testing.T, programs []string) {
	t.Helper()
	for _, program := range slices.Concat([]string{"tcpdump"}, programs) {
		if _, err := find(program); err == nil {
			continue
		}
		if required("servers") {
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
	path, err := find(program)
	b.check(err)
	return path
}

// copy puts a file of testdata/servers into the bench's directory.
func (b *bench) copy(name string) {
	b.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", "servers", name))
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
