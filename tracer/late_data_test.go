//go:build linux

package tracer

import (
	"errors"
	"io"
	"net"
	"testing"
	"time"

	"github.com/closetrace/closetrace/internal/lab/sourcetest"
	"github.com/closetrace/closetrace/model"
)

// TestLateData: a server closes its sending side; what the client says pause later is late at
// the server, and nothing is late at the client, which spoke before it closed.
func TestLateData(t *testing.T) {
	tr := OpenOrSkip(t, Options{})
	jiffy := time.Second / time.Duration(max(tr.asm.hertz, 100))
	var port uint16
	var waited time.Duration
	records := sourcetest.RecordWhile(t, tr, func() { port, waited = speakTooLate(t) })
	ends := 0
	for i := range records {
		d := &records[i].Teardown
		server := d.Network.Local.Port == port
		if records[i].Kind != model.KindTeardown || !server && d.Network.Peer.Port != port {
			continue
		}
		ends++
		late, known := d.TCP.LateData.Get()
		if known != server || server && (late-waited).Abs() > 2*jiffy+50*time.Millisecond {
			t.Errorf("server %v: data came %v after the begin of the end (%v); it was sent after %v", server, late, known, waited)
		}
		if idle := d.TCP.Idle.Or(0); server && (idle < pause-2*jiffy || idle > pause+time.Second) {
			t.Errorf("the server was idle for %v when it began to close, want about %v", idle, pause)
		}
	}
	if ends != 2 {
		t.Errorf("got %d ends, want 2", ends)
	}
}

// speakTooLate returns the server's port and how long after its FIN the client spoke.
func speakTooLate(t *testing.T) (port uint16, waited time.Duration) {
	t.Helper()
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	client, err := net.Dial("tcp4", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	conn, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	server := conn.(*net.TCPConn)
	say := func(from, to net.Conn) {
		_, err := from.Write([]byte("hello"))
		if _, read := io.ReadFull(to, make([]byte, 5)); err != nil || read != nil {
			t.Fatal(err, read)
		}
	}
	say(client, server)
	say(server, client)
	<-time.After(pause)
	err = server.CloseWrite()
	began := time.Now()
	<-time.After(pause)
	say(client, server)
	waited = time.Since(began)
	if err := errors.Join(err, server.Close(), client.Close()); err != nil {
		t.Fatal(err)
	}
	return l.Addr().(*net.TCPAddr).AddrPort().Port(), waited
}
