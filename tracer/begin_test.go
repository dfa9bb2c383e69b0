//go:build linux

package tracer

import (
	"context"
	"net"
	"testing"

	"github.com/closetrace/closetrace/model"
)

// TestNothingBeforeLive: while the hooks are attached one after the other some of them
// see what others do not. Connections that begin or end then are not followed, and do not
// count as lost events.
func TestNothingBeforeLive(t *testing.T) {
	if missing := missingCapabilities(); len(missing) > 0 {
		t.Skip(&PrivilegeError{missing})
	}
	tr, err := Open(Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer tr.Close()
	live := tr.loaded.objects.Variables["live"]
	set := func(to bool) {
		if err := live.Set(to); err != nil {
			t.Fatal(err)
		}
	}
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	set(false)
	before := connected(t, l)
	closed := connected(t, l)
	closed.close()
	set(true)
	within := connected(t, l)
	within.close()
	before.close()

	told := map[uint16]model.Teardown{}
	ctx, cancel := context.WithCancel(t.Context())
	cancel() // what is in the ring is enough
	for r, err := range model.Judged(tr.Events(ctx)) {
		if err != nil {
			t.Fatal(err)
		}
		if r.Kind == model.KindTeardown && r.Teardown.TCP.Role != model.Passive {
			told[r.Teardown.Network.Local.Port] = r.Teardown
		}
	}
	if _, ok := told[closed.port()]; ok {
		t.Error("an end from before all hooks were live is told")
	}
	if end, ok := told[before.port()]; !ok || !end.TCP.Preexisting || end.Cause != model.CauseFIN {
		t.Errorf("a connection from before: told %v, preexisting %v, cause %v; want all, and fin", ok, end.TCP.Preexisting, end.Cause)
	}
	if end, ok := told[within.port()]; !ok || end.TCP.Preexisting || end.Cause != model.CauseFIN {
		t.Errorf("a connection after: told %v, preexisting %v, cause %v; want only the first, and fin", ok, end.TCP.Preexisting, end.Cause)
	}
}

// both are the two descriptors of a connection.
type both struct{ client, server net.Conn }

func connected(t *testing.T, l net.Listener) both {
	t.Helper()
	client, err := net.Dial("tcp4", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	server, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	return both{client, server}
}

func (b both) port() uint16 { return uint16(b.client.LocalAddr().(*net.TCPAddr).Port) }

// close ends the connection from the client's side first.
func (b both) close() {
	b.client.Close()
	b.server.Read(make([]byte, 1)) // returns at the client's FIN
	b.server.Close()
}
