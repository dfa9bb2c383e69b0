package incidents

import (
	"bytes"
	"fmt"
	"net"
	"strings"
	"testing"
	"time"
)

// More incidents, of the kinds that the first ones do not have.

// TestRedisTimeout: redis/redis#1810 and many pools' "Connection reset by peer": the server's
// timeout is shorter than the pool's idle time, and the next command is reset.
func TestRedisTimeout(t *testing.T) {
	s := newScene(t, []string{"a"}, "redis-server")
	s.start("a", "redis-server", "--port", "6390", "--bind", "127.0.0.1", "--save", "", "--timeout", "2")
	s.listening("a", 6390)
	var pool []net.Conn
	for range 6 {
		c := s.dial("a", "127.0.0.1:6390")
		if text, err := ask(c, "PING\r\n"); err != nil || !strings.HasPrefix(text, "+PONG") {
			t.Fatal(text, err)
		}
		pool = append(pool, c)
	}
	s.closed(pool) // redis looks at its clients now and then
	for _, c := range pool {
		_, _ = c.Write([]byte("PING\r\n"))
	}
	s.says("keepalive-race", "redis-server", "6 requests")
}

// TestNATForgets: a NAT's entry is gone after its idle time, and the host that translates answers
// the next packet itself, with RST (Azure and AWS NAT "connection reset after 350 s").
func TestNATForgets(t *testing.T) {
	s := newScene(t, []string{"client", "nat", "server"}, "nft", "redis-server")
	s.link("client", "10.22.1.2", "nat", "10.22.1.1")
	s.link("nat", "10.22.2.1", "server", "10.22.2.2")
	s.must("ip", "-n", s.names["server"], "route", "add", "default", "via", "10.22.2.1")
	s.run("nat", "sysctl", "-qw", "net.ipv4.ip_forward=1")
	s.nft("nat", "table ip t {\n chain pre { type nat hook prerouting priority -100; ip daddr 10.22.1.1 tcp dport 6379 dnat to 10.22.2.2:6390; }\n}\n")
	s.run("nat", "sysctl", "-qw", "net.netfilter.nf_conntrack_tcp_timeout_established=2", "net.netfilter.nf_conntrack_tcp_loose=0")
	s.start("server", "redis-server", "--port", "6390", "--bind", "10.22.2.2", "--protected-mode", "no", "--save", "")
	s.listening("server", 6390)
	var pool []net.Conn
	for range 3 {
		c := s.dial("client", "10.22.1.1:6379")
		if text, err := ask(c, "PING\r\n"); err != nil {
			t.Fatal(text, err)
		}
		pool = append(pool, c)
	}
	time.Sleep(4 * time.Second)
	for _, c := range pool {
		if text, err := ask(c, "PING\r\n"); err == nil {
			t.Fatalf("the NAT has not forgotten: %q", text)
		}
	}
	s.says("middlebox-reset", "3 connections", "neither end")
}

// TestNoPortIsFree: a client without keep-alive uses up its ports (nginx "cannot assign requested
// address while connecting to upstream").
func TestNoPortIsFree(t *testing.T) {
	s := newScene(t, []string{"a"}, "nginx", "python3")
	s.run("a", "sysctl", "-qw", "net.ipv4.ip_local_port_range=40000 40019", "net.ipv4.tcp_tw_reuse=0")
	s.file("www/x", "x")
	s.nginx("a", "server{ listen 127.0.0.1:8080; root $DIR/www; }", 8080)
	s.run("a", "python3", s.file("client.py", `import socket
for i in range(60):
    try:
        s = socket.create_connection(('127.0.0.1', 8080)); s.sendall(b'GET /x HTTP/1.1\r\nHost: x\r\n\r\n'); s.recv(999); s.close()
    except OSError as e: print(e)
`))
	s.says("no-local-port", "python3", "127.0.0.1")
}

// TestRetriesWithoutBackOff: a client tries again at once where nobody listens.
func TestRetriesWithoutBackOff(t *testing.T) {
	s := newScene(t, []string{"a"}, "python3")
	s.run("a", "python3", s.file("client.py", `import socket, time
for i in range(50):
    try: socket.create_connection(('127.0.0.1', 5433), 1)
    except OSError: time.sleep(.02)
`))
	s.says("refused-loop", "python3", "127.0.0.1:5433", "50 times")
}

// TestSubscriberDoesNotRead: redis client-output-buffer-limit: a subscriber that does not read is
// dropped by the server.
func TestSubscriberDoesNotRead(t *testing.T) {
	s := newScene(t, []string{"a"}, "redis-server")
	s.start("a", "redis-server", "--port", "6390", "--bind", "127.0.0.1", "--save", "", "--client-output-buffer-limit", "pubsub", "1mb", "1mb", "1")
	s.listening("a", 6390)
	slow := s.dial("a", "127.0.0.1:6390")
	if _, err := ask(slow, "SUBSCRIBE x\r\n"); err != nil {
		t.Fatal(err)
	}
	publisher := s.dial("a", "127.0.0.1:6390")
	for range 200 {
		if _, err := ask(publisher, fmt.Sprintf("*3\r\n$7\r\nPUBLISH\r\n$1\r\nx\r\n$100000\r\n%s\r\n", bytes.Repeat([]byte("y"), 100000))); err != nil {
			t.Fatal(err)
		}
		time.Sleep(10 * time.Millisecond)
	}
	time.Sleep(2 * time.Second)
	slow.Close()
	s.says("slow-reader", "redis-server")
}

// TestWorkerTimeout: gunicorn "WORKER TIMEOUT": the arbiter aborts a worker that is busy for longer
// than --timeout, and the worker closes its connection when SIGABRT comes (workers/base.py).
func TestWorkerTimeout(t *testing.T) {
	s := newScene(t, []string{"a"}, "gunicorn", "curl")
	s.file("app.py", strings.Replace(hello, "    start", "    import time; time.sleep(20)\n    start", 1))
	s.start("a", "gunicorn", "-b", "127.0.0.1:8000", "--timeout", "2", "app:app")
	s.listening("a", 8000)
	s.run("a", "curl", "-sS", "-m", "15", "http://127.0.0.1:8000/")
	s.says("process-killed", "gunicorn", "SIGABRT from gunicorn", "1 request", "--timeout")
}

// TestServerResetsOnPurpose: "Connection reset by peer" of servers that set SO_LINGER {1,0} to
// have no TIME_WAIT: what the client has not read is gone.
func TestServerResetsOnPurpose(t *testing.T) {
	s := newScene(t, []string{"a"}, "python3")
	s.start("a", "python3", s.file("server.py", `import socket, struct
l = socket.create_server(('127.0.0.1', 7004))
l.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack('ii', 1, 0))
while True:
    s, _ = l.accept(); s.recv(99); s.sendall(b'x'*5000); s.close()
`))
	s.listening("a", 7004)
	for range 3 {
		c := s.dial("a", "127.0.0.1:7004")
		_, _ = ask(c, request)
		defer c.Close() // not before the server
	}
	s.await("all are reset", "ip", "netns", "exec", s.names["a"], "sh", "-c",
		"test $(ss -Htn state established dport = :7004 | wc -l) -eq 0")
	s.says("abort-on-close", "python3", "3 connections", "SO_LINGER")
}

// TestServerRestart: idle connections of a pool end when redis is restarted.
func TestServerRestart(t *testing.T) {
	s := newScene(t, []string{"a"}, "redis-server")
	server := s.start("a", "redis-server", "--port", "6390", "--bind", "127.0.0.1", "--save", "")
	s.listening("a", 6390)
	for range 8 {
		if _, err := ask(s.dial("a", "127.0.0.1:6390"), "PING\r\n"); err != nil {
			t.Fatal(err)
		}
	}
	time.Sleep(time.Second)
	s.must("kill", "-9", fmt.Sprint(server.Process.Pid))
	s.says("process-restart", "redis-server", "8 connections")
}

// TestPoolerDropsIdleClients: PgBouncer says why it closes, so that the connection is not idle at
// its end (client_login_timeout, client_idle_timeout).
func TestPoolerDropsIdleClients(t *testing.T) {
	s := newScene(t, []string{"a"}, "pgbouncer")
	s.must("chmod", "777", s.dir)
	s.start("a", "su", "postgres", "-s", "/bin/sh", "-c", "exec pgbouncer "+s.file("pgb.ini", `[databases]
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = 6432
unix_socket_dir =
auth_type = any
client_login_timeout = 5
`))
	s.listening("a", 6432)
	for range 5 {
		c := s.dial("a", "127.0.0.1:6432")
		_, _ = c.Write([]byte{0, 0, 0, 8, 4, 210, 22, 47}) // SSLRequest
		if _, err := c.Read(make([]byte, 1)); err != nil {
			t.Fatal(err)
		}
	}
	s.says("idle-timeout", "pgbouncer")
}

// TestServerDropsIdleConnections: nginx keepalive_timeout, and clients that notice.
func TestServerDropsIdleConnections(t *testing.T) {
	s := newScene(t, []string{"a"}, "nginx")
	s.file("www/x", "x")
	s.nginx("a", "keepalive_timeout 2s; server{ listen 127.0.0.1:8080; root $DIR/www; }", 8080)
	for range 4 {
		c := s.dial("a", "127.0.0.1:8080")
		if _, err := ask(c, "GET /x HTTP/1.1\r\nHost: x\r\n\r\n"); err != nil {
			t.Fatal(err)
		}
		go func() { _, _ = c.Read(make([]byte, 1)); c.Close() }()
		time.Sleep(100 * time.Millisecond)
	}
	time.Sleep(2500 * time.Millisecond)
	s.says("idle-timeout", "nginx", "idle for 2", "so far")
}

// TestReloadWithReusePort: HAProxy and nginx with SO_REUSEPORT: a worker that ends takes the
// connections of its own queue with it.
func TestReloadWithReusePort(t *testing.T) {
	s := newScene(t, []string{"a"}, "python3")
	s.start("a", "python3", s.file("server.py", `import os, socket, time
def listen():
    l = socket.socket(); l.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1); l.bind(('127.0.0.1', 7003)); l.listen(64); return l
if os.fork() == 0:
    l = listen(); time.sleep(6); os._exit(0)
l = listen()
while True:
    s, _ = l.accept(); s.recv(99); s.sendall(b'ok'); s.close()
`))
	s.listening("a", 7003)
	time.Sleep(300 * time.Millisecond)
	for range 16 {
		c := s.dial("a", "127.0.0.1:7003")
		_, _ = c.Write([]byte(request))
	}
	s.says("backlog-dropped", "python3")
}

// TestResponseTooSlow: nginx send_timeout and a client that stopped reading.
func TestClientStopsReading(t *testing.T) {
	s := newScene(t, []string{"client", "server"}, "nginx")
	s.link("client", "10.23.0.1", "server", "10.23.0.2")
	s.file("www/big", strings.Repeat("x", 20_000_000))
	s.nginx("server", "send_timeout 2s; server{ listen 10.23.0.2:80; root $DIR/www; }", 80)
	c := s.dial("client", "10.23.0.2:80")
	if _, err := ask(c, "GET /big HTTP/1.1\r\nHost: x\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	time.Sleep(8 * time.Second)
	c.Close()
	s.says("slow-reader", "nginx")
}

// TestUpstreamTimesOut: HAProxy "timeout server": it answers 504 and gives up the backend, whose
// answer comes too late. No finding blames the backend's keep-alive.
func TestUpstreamTimesOut(t *testing.T) {
	s := newScene(t, []string{"a"}, "haproxy", "python3", "curl")
	s.start("a", "python3", s.file("up.py", `import http.server, time
class H(http.server.BaseHTTPRequestHandler):
    def do_GET(s):
        time.sleep(3); s.send_response(200); s.send_header('Content-Length', '2'); s.end_headers(); s.wfile.write(b'ok'); time.sleep(.1); s.wfile.write(b'ok')
http.server.ThreadingHTTPServer(('127.0.0.1', 8081), H).serve_forever()
`))
	s.listening("a", 8081)
	s.start("a", "haproxy", "-f", s.file("haproxy.cfg", `defaults
 mode http
 timeout connect 2s
 timeout client 10s
 timeout server 1s
listen f
 bind 127.0.0.1:8080
 server up 127.0.0.1:8081
`))
	s.listening("a", 8080)
	for range 4 {
		s.run("a", "curl", "-sS", "http://127.0.0.1:8080/")
	}
	time.Sleep(4 * time.Second)
	s.says("gave-up-waiting", "haproxy", "4 requests", "no answer after 1")
}

// TestServerCrashes: a segmentation fault in the middle of a request.
func TestServerCrashes(t *testing.T) {
	s := newScene(t, []string{"a"}, "redis-server")
	s.start("a", "redis-server", "--port", "6390", "--bind", "127.0.0.1", "--save", "", "--enable-debug-command", "yes")
	s.listening("a", 6390)
	for range 3 {
		if _, err := ask(s.dial("a", "127.0.0.1:6390"), "PING\r\n"); err != nil {
			t.Fatal(err)
		}
	}
	c := s.dial("a", "127.0.0.1:6390")
	_, _ = c.Write([]byte("DEBUG SEGFAULT\r\n"))
	time.Sleep(time.Second)
	s.says("process-killed", "redis-server", "SIGSEGV")
}

// TestTLSKeepalive: the same race on TLS, where the server says farewell when it closes.
func TestTLSKeepalive(t *testing.T) {
	s := newScene(t, []string{"a"}, "node", "openssl", "python3")
	s.must("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", s.dir+"/k.pem", "-out", s.dir+"/c.pem", "-days", "2", "-subj", "/CN=localhost")
	s.start("a", "node", s.file("server.js", `const fs = require('fs');
const s = require('https').createServer({key: fs.readFileSync('$DIR/k.pem'), cert: fs.readFileSync('$DIR/c.pem')}, (q, r) => r.end('ok\n'));
s.keepAliveTimeout = 1000; s.listen(8443, '127.0.0.1');
`))
	s.listening("a", 8443)
	s.run("a", "python3", s.file("client.py", `import http.client, select, ssl, time
for i in range(4):
    c = http.client.HTTPSConnection('127.0.0.1', 8443, context=ssl._create_unverified_context())
    c.request('GET', '/x'); print(c.getresponse().read()); time.sleep(3); select.select([c.sock], [], [], 30); time.sleep(.2)
    try: c.request('GET', '/x'); print(c.getresponse().read())
    except Exception as e: print(repr(e))
`))
	s.says("keepalive-race", "node", "4 requests")
}

// TestRouterResetsAll: a rule of a router resets 20 clients; the server knows nothing of it.
func TestRouterResetsAll(t *testing.T) {
	s := newScene(t, []string{"client", "router", "server"}, "nft", "redis-server")
	s.link("client", "10.24.1.2", "router", "10.24.1.1")
	s.link("router", "10.24.2.1", "server", "10.24.2.2")
	s.run("router", "sysctl", "-qw", "net.ipv4.ip_forward=1")
	s.must("ip", "-n", s.names["client"], "route", "add", "default", "via", "10.24.1.1")
	s.must("ip", "-n", s.names["server"], "route", "add", "default", "via", "10.24.2.1")
	s.start("server", "redis-server", "--port", "6390", "--bind", "10.24.2.2", "--protected-mode", "no", "--save", "")
	s.listening("server", 6390)
	var pool []net.Conn
	for range 20 {
		c := s.dial("client", "10.24.2.2:6390")
		if _, err := ask(c, "PING\r\n"); err != nil {
			t.Fatal(err)
		}
		pool = append(pool, c)
	}
	s.nft("router", "table ip t {\n chain f {\n type filter hook forward priority 0;\n tcp dport 6390 reject with tcp reset\n }\n}\n")
	for _, c := range pool {
		_, _ = c.Write([]byte("PING\r\n"))
	}
	time.Sleep(time.Second)
	s.says("middlebox-reset", "20 connections", "incidents.test")
}
