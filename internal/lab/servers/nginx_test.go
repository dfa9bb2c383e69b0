//go:build linux

package servers_test

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"

	"github.com/closetrace/closetrace/model"
)

func nginxServers() []server {
	nginx := func(name string, play func(b *bench, worker party), more ...string) server {
		return server{"nginx/" + name, append(more, "nginx"), func(b *bench) { play(b, startNginx(b)) }}
	}
	return []server{
		nginx("keepalive-timeout", nginxKeepaliveTimeout),
		nginx("connect-only", nginxConnectOnly),
		nginx("client-header-timeout", nginxHeaderTimeout),
		nginx("client-body-timeout", nginxBodyTimeout),
		nginx("send-timeout", nginxSendTimeout),
		nginx("send-timeout-without-reset", nginxSendTimeoutFIN),
		nginx("return-444", nginx444),
		nginx("return-444-reset", nginx444Reset),
		nginx("return-444-unread-body", nginx444Unread),
		nginx("lingering-close", nginxLingering),
		nginx("lingering-timeout", nginxLingeringTimeout),
		nginx("worker-killed", nginxKilled),
		nginx("worker-killed-unread", nginxKilledUnread),
		nginx("killed-before-accept", nginxKilledUnaccepted),
		nginx("curl", curlNormal, "curl"),
		nginx("curl-max-time", curlMaxTime, "curl"),
		nginx("curl-max-time-slow-reader", curlSlowReader, "curl"),
	}
}

// startNginx returns the worker; the master called listen().
func startNginx(b *bench) party {
	b.Helper()
	b.copy("nginx.conf")
	html := filepath.Join(b.dir, "html")
	b.check(os.Mkdir(html, 0o755))
	b.check(os.WriteFile(filepath.Join(html, "index.html"), []byte("hello\n"), 0o644))
	b.check(os.WriteFile(filepath.Join(html, "big"), nil, 0o644))
	b.check(os.Truncate(filepath.Join(html, "big"), 32<<20))
	master := b.start("nginx", "-p", b.dir+"/", "-c", "nginx.conf", "-e", "stderr")
	b.listens(8005)
	worker := party{name: "nginx", listener: master.pid}
	b.eventually("the worker", func() bool {
		worker.pid = b.child(master.pid)
		return worker.pid != 0
	})
	return worker
}

// child returns a child of a process, or 0.
func (b *bench) child(parent int) int {
	b.Helper()
	files, err := filepath.Glob("/proc/[0-9]*/stat")
	b.check(err)
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			continue // it has exited
		}
		// proc_pid_stat(5): "pid (name) state ppid"; a name may hold anything.
		fields := bytes.Fields(text[bytes.LastIndexByte(text, ')')+1:])
		if string(fields[1]) == fmt.Sprint(parent) {
			pid, err := strconv.Atoi(filepath.Base(filepath.Dir(file)))
			b.check(err)
			return pid
		}
	}
	return 0
}

// "Timed out keep-alive connections are closed normally", says the
// documentation of reset_timedout_connection, which is on here.
func nginxKeepaliveTimeout(b *bench, worker party) {
	b.expect(8002, b.self(), worker, serverCloses)
	conn := b.dial(8002, 0)
	b.send(conn, getRoot)
	b.answer(conn, "hello")
	b.readOut(conn)
}

// Without a request there is nothing to reset: ngx_http_wait_request_handler
// closes the connection.
func nginxConnectOnly(b *bench, worker party) {
	b.expect(8002, b.self(), worker, serverCloses)
	b.readOut(b.dial(8002, 0))
}

// ngx_http_free_request sets SO_LINGER {1,0} on what has timed out.
func nginxHeaderTimeout(b *bench, worker party) {
	b.expect(8002, b.self(), worker, serverLingerZero)
	conn := b.dial(8002, 0)
	b.send(conn, "GET / HTTP/1.1\r\nHost:")
	b.readOut(conn)
}

func nginxBodyTimeout(b *bench, worker party) {
	b.expect(8002, b.self(), worker, serverLingerZero)
	conn := b.dial(8002, 0)
	b.send(conn, "POST /body HTTP/1.1\r\nHost: test\r\nContent-Length: 100\r\n\r\nhalf")
	b.readOut(conn)
}

// The client does not read: nginx gives up and throws away what it had to send.
func nginxSendTimeout(b *bench, worker party) {
	b.expect(8002, b.self(), worker, serverLingerZero)
	conn := b.dial(8002, 4096)
	b.send(conn, "GET /big HTTP/1.1\r\nHost: test\r\n\r\n")
	b.gone(8002)
	conn.Close()
}

// Without reset_timedout_connection the kernel goes on alone: nginx's FIN
// waits behind data that the client never takes, and never leaves.
func nginxSendTimeoutFIN(b *bench, worker party) {
	s := clientUnread
	s.server.call = model.CallClose
	b.expect(8003, b.self(), worker, s)
	conn := b.dial(8003, 4096)
	b.send(conn, "GET /big HTTP/1.1\r\nHost: test\r\n\r\n")
	b.await("the orphan", func(s socket) bool { return s.localPort == 8003 && s.state == stateFinWait1 })
	conn.Close()
}

// 444 closes without an answer.
func nginx444(b *bench, worker party) {
	b.expect(8001, b.self(), worker, serverCloses)
	conn := b.dial(8001, 0)
	b.send(conn, "GET /444 HTTP/1.1\r\nHost: test\r\n\r\n")
	b.readOut(conn)
}

// Since 1.15.2 reset_timedout_connection holds for 444 too.
func nginx444Reset(b *bench, worker party) {
	b.expect(8002, b.self(), worker, serverLingerZero)
	conn := b.dial(8002, 0)
	b.send(conn, "GET /444 HTTP/1.1\r\nHost: test\r\n\r\n")
	b.readOut(conn)
}

// The body is longer than client_header_buffer_size (1k), and 444 reads none.
func nginx444Unread(b *bench, worker party) {
	b.expect(8001, b.self(), worker, serverUnread)
	conn := b.dial(8001, 0)
	b.send(conn, "POST /444 HTTP/1.1\r\nHost: test\r\nContent-Length: 8000\r\n\r\n"+strings.Repeat("x", 8000))
	b.readOut(conn)
}

// upload is the begin of a request that client_max_body_size refuses.
const (
	upload     = "POST / HTTP/1.1\r\nHost: test\r\nContent-Length: 1000000\r\n\r\n"
	uploadSize = 1_000_000
)

// lingering_close: nginx answers and reads on until the client has sent what it
// announced; it shuts down its side and waits for the client.
func nginxLingering(b *bench, worker party) {
	b.expect(8004, b.self(), worker, serverShutsDown)
	conn := b.dial(8004, 0)
	b.send(conn, upload)
	b.answer(conn, "413")
	b.send(conn, strings.Repeat("x", uploadSize))
	b.readOut(conn)
}

// lingering_timeout: the client pauses for longer. What it still sends then is
// answered by the kernel, where TIME_WAIT has taken over.
func nginxLingeringTimeout(b *bench, worker party) {
	b.expect(8005, b.self(), worker, story{
		wire:   "server FIN, server RST",
		client: end{cause: model.CausePeerReset},
		server: end{cause: model.CauseFIN, call: model.CallClose, outcome: model.CauseDataAfterClose, afterRST: true},
	})
	conn := b.dial(8005, 0)
	b.send(conn, upload)
	b.answer(conn, "413")
	io.Copy(io.Discard, conn)
	b.await("the server's FIN to be acknowledged", func(s socket) bool {
		return s.localPort == 8005 && s.state == stateFinWait2
	})
	b.send(conn, "late")
	b.gone(8005)
	conn.Close()
}

func nginxKilled(b *bench, worker party) {
	b.expect(8001, b.self(), worker, exits(serverCloses, 9))
	conn := b.dial(8001, 0)
	b.send(conn, getRoot)
	b.answer(conn, "hello")
	b.signal(worker.pid, syscall.SIGKILL)
	b.readOut(conn)
}

func nginxKilledUnread(b *bench, worker party) {
	b.expect(8001, b.self(), worker, exits(serverUnread, 9))
	conn := b.dial(8001, 0)
	b.send(conn, getRoot)
	b.answer(conn, "hello")
	b.signal(worker.pid, syscall.SIGSTOP)
	b.send(conn, getRoot)
	b.await("the request", func(s socket) bool {
		return s.localPort == 8001 && s.state == stateEstablished && s.unread > 0
	})
	b.signal(worker.pid, syscall.SIGKILL)
	b.readOut(conn)
}

// nginxKilledUnaccepted: a connection that no worker has accepted belongs to
// the listener, which the master opened; the worker is the last to let it go.
func nginxKilledUnaccepted(b *bench, worker party) {
	worker.neverAccepted = true
	s := exits(serverUnread, 9)
	s.server.cause = model.CauseListenerClosed
	b.expect(8001, b.self(), worker, s)
	b.signal(worker.pid, syscall.SIGSTOP)
	conn := b.dial(8001, 0)
	b.send(conn, getRoot)
	b.signal(worker.listener, syscall.SIGKILL)
	b.readOut(conn)
}

func curlNormal(b *bench, worker party) {
	client := b.run("curl", "-s", "http://127.0.0.1:8001/")
	b.expect(8001, client, worker, clientCloses)
}

// The server is slow (limit_rate), so that curl has read everything when its
// time is up: it closes in order, and nginx, which watches for that
// (ngx_http_test_reading), follows. On a busy machine curl may not have come
// to reading.
func curlMaxTime(b *bench, worker party) {
	client := b.run("curl", "-s", "-o", "/dev/null", "--max-time", "0.6", "http://127.0.0.1:8001/slow")
	b.expect(8001, client, worker, clientCloses, clientUnread)
}

// The client is slow: its socket is full when its time is up.
func curlSlowReader(b *bench, worker party) {
	client := b.run("curl", "-s", "-o", "/dev/null", "--limit-rate", "50k", "--max-time", "2",
		"http://127.0.0.1:8001/big")
	b.expect(8001, client, worker, clientUnread)
}
