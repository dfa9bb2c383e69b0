//go:build linux

package process

import (
	"net"
	"net/netip"
	"os"
	"testing"
)

// TestListening: the address of a listener is the one that it asked for, in both families.
func TestListening(t *testing.T) {
	want := map[netip.AddrPort]bool{}
	for _, address := range []string{"127.1.2.3:0", "0.0.0.0:0", "[::1]:0", "[::]:0"} {
		l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", address)
		if err != nil {
			t.Logf("listen at %s: %v", address, err) // a host without IPv6
			continue
		}
		defer l.Close()
		want[l.Addr().(*net.TCPAddr).AddrPort()] = true
	}
	Listening(os.Getpid(), func(local netip.AddrPort, inode uint64) {
		if inode == 0 {
			t.Errorf("%v without an inode", local)
		}
		delete(want, local)
	})
	if len(want) > 0 {
		t.Errorf("not found: %v", want)
	}
}

// TestListeningHostile: no line makes it fail.
func TestListeningHostile(t *testing.T) {
	for _, line := range []string{
		"", "0:", "a b c d e f g h i j", "0: 0100007F:0016 0:0 0A 0 0 0 0 0 x", "0: 0100007:0016 0:0 0A 0 0 0 0 0 1",
		"0: 010000:0016 0:0 0A 0 0 0 0 0 1", "0: 0100007F:10016 0:0 0A 0 0 0 0 0 1", "0: :0016 0:0 0A 0 0 0 0 0 1",
	} {
		if local, _, ok := listening([]byte(line)); ok {
			t.Errorf("%q is %v", line, local)
		}
	}
}
