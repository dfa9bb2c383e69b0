package sandbox_test

import (
	"errors"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/closetrace/closetrace/internal/sandbox"
)

// TestNetworkSockets: a service in its sandbox listens and connects by IP, and makes
// no socket that leads to systemd, a container runtime or a hypervisor.
func TestNetworkSockets(t *testing.T) {
	if path := os.Getenv("SANDBOX_TEST_SOCKET"); path != "" {
		networkSockets(t, path)
		return
	}
	path := filepath.Join(t.TempDir(), "runtime.sock")
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	c := exec.Command(os.Args[0], "-test.run=^TestNetworkSockets$")
	c.Env = append(os.Environ(), "SANDBOX_TEST_SOCKET="+path)
	if out, err := c.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
}

func networkSockets(t *testing.T, path string) {
	if !sandbox.Seccomp() {
		t.Skip("this kernel has no seccomp")
	}
	box, err := sandbox.New(sandbox.Options{Network: true})
	if err != nil {
		t.Fatal(err)
	}
	if err := box.Enter(nil); err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	c, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	_ = errors.Join(c.Close(), l.Close())
	if _, err := net.InterfaceAddrs(); err != nil {
		t.Errorf("addresses of interfaces: %v", err)
	}
	if _, err := net.Dial("unix", path); !errors.Is(err, unix.EPERM) {
		t.Errorf("connect to a socket of Unix: %v, want EPERM", err)
	}
	if _, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_DGRAM, 0); !errors.Is(err, unix.EPERM) {
		t.Errorf("pair of Unix sockets: %v, want EPERM", err)
	}
	for _, family := range []int{unix.AF_VSOCK, unix.AF_PACKET, unix.AF_ALG} {
		if _, err := unix.Socket(family, unix.SOCK_DGRAM, 0); !errors.Is(err, unix.EPERM) {
			t.Errorf("socket of family %d: %v, want EPERM", family, err)
		}
	}
}
