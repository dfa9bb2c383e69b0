package sockets

import (
	"errors"
	"io"
	"io/fs"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/closetrace/closetrace/internal/services"
	"github.com/closetrace/closetrace/model"
)

// connected returns both ends of a connection of this process.
func connected(t *testing.T, network, address string) (near, far net.Conn) {
	t.Helper()
	l, err := net.Listen(network, address)
	if err != nil {
		t.Skipf("no %s here: %v", network, err)
	}
	defer l.Close()
	if near, err = net.Dial(network, l.Addr().String()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { near.Close() })
	if far, err = l.Accept(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { far.Close() })
	return near, far
}

func listed(t *testing.T, end net.Conn) *Conn {
	t.Helper()
	all, err := List(t.Context(), Options{})
	if err != nil {
		t.Fatal(err)
	}
	local, peer := end.LocalAddr().(*net.TCPAddr).AddrPort(), end.RemoteAddr().(*net.TCPAddr).AddrPort()
	for i := range all {
		if n := all[i].Network; n.Local.AddrPort() == unmapped(local) && n.Peer.AddrPort() == unmapped(peer) {
			return &all[i]
		}
	}
	return nil
}

func unmapped(a netip.AddrPort) netip.AddrPort {
	return netip.AddrPortFrom(a.Addr().Unmap(), a.Port())
}

func TestListHasBothEndsOfOwnConnections(t *testing.T) {
	for network, address := range map[string]string{"tcp4": "127.0.0.1:0", "tcp6": "[::1]:0"} {
		t.Run(network, func(t *testing.T) {
			near, far := connected(t, network, address)
			for _, end := range []net.Conn{near, far} {
				c := listed(t, end)
				if c == nil {
					t.Fatalf("%v -> %v is not listed", end.LocalAddr(), end.RemoteAddr())
				}
				if c.Process.PID != os.Getpid() || c.State != model.Established {
					t.Errorf("got process %d, %v; want %d, ESTABLISHED", c.Process.PID, c.State, os.Getpid())
				}
			}
		})
	}
}

// Kill ends the connection, or says why not; it never claims more than the
// table and the sockets show. Wine does nothing and says that it did.
func TestKillSaysWhatBecameOfTheConnection(t *testing.T) {
	near, far := connected(t, "tcp4", "127.0.0.1:0")
	c := listed(t, near)
	if c == nil {
		t.Fatal("the connection is not listed")
	}
	done, err := new(Killer).Kill(c)
	ended := listed(t, near) == nil
	t.Logf("kill: %v, %v; the connection ended: %v", done, err, ended)
	switch {
	case errors.Is(err, fs.ErrPermission) && !ended:
	case err != nil:
		t.Errorf("kill: %v", err)
	case done == DoneEnded && ended:
		if _, err := io.ReadAll(far); err == nil {
			t.Error("the peer read the end of the stream, want a reset")
		}
	case done == DoneNothing && !ended:
		if err := done.Why(c); !errors.Is(err, errStillThere) {
			t.Errorf("why: %v, want %v", err, errStillThere)
		}
	default:
		t.Errorf("kill says %v, and the connection ended: %v", done, ended)
	}
}

func TestKillLeavesTheNextConnectionAlone(t *testing.T) {
	near, _ := connected(t, "tcp4", "127.0.0.1:0")
	c := listed(t, near)
	if c == nil {
		t.Fatal("the connection is not listed")
	}
	c.ID = "another-one"
	if _, err := new(Killer).Kill(c); !errors.Is(err, ErrGone) {
		t.Errorf("kill of one that is gone: %v, want %v", err, ErrGone)
	}
	c.Network.Peer.Address = netip.IPv6Loopback()
	if _, err := new(Killer).Kill(c); !errors.Is(err, errors.ErrUnsupported) {
		t.Errorf("kill over IPv6: %v, want that it is not possible", err)
	}
}

// The list of processes has the names of those that may not be opened as well.
func TestListOfProcessesHasTheirNames(t *testing.T) {
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	if got, want := snapshot()[os.Getpid()], filepath.Base(program); !strings.EqualFold(got, want) {
		t.Errorf("this process is %q, want %q", got, want)
	}
}

// A process that runs services is named with them, whether or not it may be
// opened; this one runs none.
func TestListNamesServices(t *testing.T) {
	all := []Conn{{Process: model.Process{PID: os.Getpid()}}}
	running := services.ByProcess()
	for pid := range running {
		all = append(all, Conn{Process: model.Process{PID: pid}})
	}
	describeAll(all)
	for i := range all {
		if p := all[i].Process; p.Service != running[p.PID] {
			t.Errorf("process %d runs %q, want %q", p.PID, p.Service, running[p.PID])
		}
	}
	t.Logf("%d processes run services", len(running))
}
