//go:build linux

package servers_test

import (
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/closetrace/closetrace/model"
)

func goServers() []server {
	program := func(way string, play func(b *bench, p *process)) server {
		return server{"go/" + way, nil, func(b *bench) { play(b, startGoServer(b, way)) }}
	}
	return []server{
		program("unread", goUnread),
		program("linger", goLinger),
		program("read-timeout", goReadTimeout),
		program("body", goBody),
		program("exit", goExit),
		program("backlog", goBacklog),
	}
}

const (
	goPort  = 9000
	webPort = 9001 // where HAProxy expects it
)

func startGoServer(b *bench, way string) *process {
	b.Helper()
	p := b.start(goServer, "-test.run=^TestGoServer$", way)
	b.listens(goServerPort(way))
	return p
}

func goServerPort(way string) uint16 {
	if way == "web" {
		return webPort
	}
	return goPort
}

// TestGoServer is not a test but a server, in a process that startGoServer made.
func TestGoServer(t *testing.T) {
	if os.Getenv(serverVariable) == "" {
		return
	}
	way := flag.Arg(0)
	listener, err := net.Listen("tcp4", fmt.Sprintf("127.0.0.1:%d", goServerPort(way)))
	if err != nil {
		t.Fatal(err)
	}
	if err := serveGo(listener, way); err != nil {
		t.Fatal(err)
	}
	os.Exit(0)
}

func serveGo(listener net.Listener, way string) error {
	hello := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "hello\n") })
	switch way {
	case "web":
		return (&http.Server{Handler: hello, IdleTimeout: 300 * time.Millisecond}).Serve(listener)
	case "read-timeout":
		return (&http.Server{Handler: hello, ReadTimeout: 700 * time.Millisecond}).Serve(listener)
	case "body":
		return (&http.Server{Handler: hello}).Serve(listener)
	case "backlog":
		_, err := io.Copy(io.Discard, os.Stdin)
		return err
	default:
		return endOne(listener, way)
	}
}

// endOne accepts one connection, reads a byte and ends it.
func endOne(listener net.Listener, way string) error {
	conn, err := listener.Accept()
	if err != nil {
		return err
	}
	if _, err := conn.Read(make([]byte, 1)); err != nil {
		return err
	}
	switch way {
	case "exit":
		os.Exit(0)
	case "linger":
		if err := conn.(*net.TCPConn).SetLinger(0); err != nil {
			return err
		}
	}
	if err := conn.Close(); err != nil {
		return err
	}
	_, err = io.Copy(io.Discard, os.Stdin)
	return err
}

// goUnread: Close without reading the request to its end.
func goUnread(b *bench, p *process) {
	b.expect(goPort, b.self(), p.party, serverUnread)
	conn := b.dial(goPort, 0)
	b.send(conn, getRoot)
	b.readOut(conn)
}

func goLinger(b *bench, p *process) {
	b.expect(goPort, b.self(), p.party, serverLingerZero)
	conn := b.dial(goPort, 0)
	b.send(conn, "x")
	b.readOut(conn)
}

// goReadTimeout: net/http does not answer a request that is not all there in
// time; it has read what there was.
func goReadTimeout(b *bench, p *process) {
	b.expect(goPort, b.self(), p.party, serverCloses)
	conn := b.dial(goPort, 0)
	b.send(conn, "GET / HTTP/1.1\r\nHost:")
	b.readOut(conn)
}

// goBody: net/http does not read a long body that the handler has not read.
// It shuts down, waits for 500 ms and closes (closeWriteAndWait).
func goBody(b *bench, p *process) {
	b.expect(goPort, b.self(), p.party, story{
		wire:   "server FIN, server RST",
		client: end{cause: model.CausePeerReset},
		server: end{cause: model.CauseUnreadData, call: model.CallClose},
	})
	conn := b.dial(goPort, 0)
	b.send(conn, upload+strings.Repeat("x", 60_000))
	b.answer(conn, "hello")
	b.gone(goPort)
	conn.Close()
}

func goExit(b *bench, p *process) {
	b.expect(goPort, b.self(), p.party, exits(serverUnread, 0))
	conn := b.dial(goPort, 0)
	b.send(conn, getRoot)
	b.readOut(conn)
}

// goBacklog: the server exits with a connection that it never accepted.
func goBacklog(b *bench, p *process) {
	p.neverAccepted = true
	b.expect(goPort, b.self(), p.party, story{
		wire:   "server RST",
		client: end{cause: model.CausePeerReset},
		server: end{cause: model.CauseListenerClosed, call: model.CallExit},
	})
	conn := b.dial(goPort, 0)
	b.send(conn, getRoot)
	b.hangUp(p)
	b.readOut(conn)
}
