package incidents

import (
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/closetrace/closetrace/model"
)

// Incidents of servers at a limit of theirs, and of what is between.

// redisBehind starts redis, and HAProxy before it, whose listen section ends with more lines.
func (s *scene) redisBehind(lines string) (redis int) {
	s.t.Helper()
	server := s.start("a", "redis-server", "--port", "6390", "--bind", "127.0.0.1", "--save", "")
	s.listening("a", 6390)
	s.start("a", "haproxy", "-f", s.file("haproxy.cfg", `defaults
 mode tcp
 timeout connect 2s
 timeout client 10m
 timeout server 10m
listen l
 bind 127.0.0.1:6380
`+lines))
	s.listening("a", 6380)
	return server.Process.Pid
}

// TestBackendIsMarkedDown: haproxy/haproxy "on-marked-down shutdown-sessions" (the manual, 5.2): a
// backend that hangs fails its checks, and all sessions with it are closed, however long idle.
func TestBackendIsMarkedDown(t *testing.T) {
	s := newScene(t, []string{"a"}, "haproxy", "redis-server")
	redis := s.redisBehind(` option tcp-check
 tcp-check send PING\r\n
 tcp-check expect string +PONG
 server r 127.0.0.1:6390 check inter 500ms fall 2 on-marked-down shutdown-sessions
`)
	var pool []net.Conn
	for range 6 {
		c := s.dial("a", "127.0.0.1:6380")
		if text, err := ask(c, "PING\r\n"); err != nil {
			t.Fatal(text, err)
		}
		pool = append(pool, c)
		time.Sleep(300 * time.Millisecond) // they are idle for different times
	}
	s.must("kill", "-STOP", fmt.Sprint(redis))
	t.Cleanup(func() { s.must("kill", "-CONT", fmt.Sprint(redis)) })
	s.closed(pool)
	time.Sleep(300 * time.Millisecond) // it closes some ms after its FIN
	for _, c := range pool {
		_, _ = c.Write([]byte("PING\r\n"))
	}
	s.says("process-restart", "haproxy (port 6380)", "at one moment", "6 requests", "shutdown-sessions")
}

// slowServer answers after 4 s.
const slowServer = `import http.server, time
class H(http.server.BaseHTTPRequestHandler):
    def do_GET(s):
        time.sleep(4); s.send_response(200); s.send_header('Content-Length', '2'); s.end_headers(); s.wfile.write(b'ok')
http.server.ThreadingHTTPServer(('127.0.0.1', 8081), H).serve_forever()
`

// TestProxyIsFull: "HAProxy maxconn reached, connections time out": above maxconn it does not accept,
// its queue fills, and then SYNs have no answer.
func TestProxyIsFull(t *testing.T) {
	s := newScene(t, []string{"a"}, "haproxy", "curl", "python3")
	s.start("a", "python3", s.file("up.py", slowServer))
	s.listening("a", 8081)
	s.start("a", "haproxy", "-f", s.file("haproxy.cfg", `defaults
 mode http
 timeout connect 20s
 timeout client 20s
 timeout server 20s
listen l
 bind 127.0.0.1:8080
 maxconn 2
 server up 127.0.0.1:8081
`))
	s.listening("a", 8080)
	s.run("a", "curl", "-sS", "http://127.0.0.1:8080/") // counters are read where something has ended
	time.Sleep(1500 * time.Millisecond)
	ended := make(chan string, 8)
	for range cap(ended) {
		go func() { ended <- s.run("a", "curl", "-sS", "-m", "3", "http://127.0.0.1:8080/") }()
	}
	for range cap(ended) {
		if text := <-ended; !strings.Contains(text, "timed out") {
			t.Errorf("a client got %q", text)
		}
	}
	s.also = []string{"gave-up-waiting"} // those that were accepted, or queued
	s.says("accept-queue-overflow", "The accept queue of haproxy", "was full", "had no answer", "maxconn")
}

// TestRequestIsNeverComplete: nginx client_header_timeout ("client timed out while reading client
// request headers"): half a request, and the rest of it comes too late.
func TestRequestIsNeverComplete(t *testing.T) {
	s := newScene(t, []string{"a"}, "nginx")
	s.nginx("a", "client_header_timeout 1s; server{ listen 127.0.0.1:8080; }", 8080)
	var pool []net.Conn
	for range 3 {
		c := s.dial("a", "127.0.0.1:8080")
		_, _ = io.WriteString(c, "GET / HTTP/1.1\r\nHost: x\r\nX-Slow: ")
		pool = append(pool, c)
	}
	s.closed(pool)
	for _, c := range pool {
		_, _ = io.WriteString(c, "1\r\n\r\n")
	}
	s.says("request-lost", "nginx (port 8080) closed 3 connections", "without a byte of answer", "client_header_timeout")
}

// TestReloadOfEquallyIdle: as TestReloadOfNginx, but all had been idle for one time, which is no
// multiple of half a second; nothing comes after the reload.
func TestReloadOfEquallyIdle(t *testing.T) {
	s := newScene(t, []string{"a"}, "nginx")
	s.file("www/index.html", "x")
	server := s.nginx("a", "keepalive_timeout 65; server{ listen 127.0.0.1:8080; root $DIR/www; }", 8080)
	for range 5 {
		pool := s.keepAlive("a", "127.0.0.1:8080", 8, 0)
		time.Sleep(2200 * time.Millisecond)
		s.must("kill", "-HUP", fmt.Sprint(server.Process.Pid))
		s.askTooLate(pool)
		end := s.found("nginx's", func(t *model.Teardown) bool { return t.TCP.Role == model.Passive })
		if over := end.TCP.Idle.Or(0) % (500 * time.Millisecond); over > 120*time.Millisecond && over < 460*time.Millisecond {
			break
		}
		t.Log("again: the machine was late") // the idle time is one that might have been set
		s.begin()
	}
	s.says("process-restart", "nginx (port 8080)", "at one moment", "8 requests", "reload")
}

// TestNATForgetsAndTheListenerAnswers: docker/for-linux and kubernetes reports of "connection reset by
// peer" after conntrack -D or a full table: packets pass a NAT untranslated, and reach the server's
// listener as a connection that it does not know.
func TestNATForgetsAndTheListenerAnswers(t *testing.T) {
	s := newScene(t, []string{"client", "nat", "server"}, "nft", "redis-server")
	s.link("client", "10.44.1.2", "nat", "10.44.1.1")
	s.link("nat", "10.44.2.1", "server", "10.44.2.2")
	s.must("ip", "-n", s.names["client"], "route", "add", "default", "via", "10.44.1.1")
	s.must("ip", "-n", s.names["server"], "route", "add", "default", "via", "10.44.2.1")
	s.run("nat", "sysctl", "-qw", "net.ipv4.ip_forward=1")
	s.nft("nat", "table ip t {\n chain post { type nat hook postrouting priority 100; ip daddr 10.44.2.2 masquerade; }\n}\n")
	s.run("nat", "sysctl", "-qw", "net.netfilter.nf_conntrack_tcp_timeout_established=2", "net.netfilter.nf_conntrack_tcp_loose=0")
	s.start("server", "redis-server", "--port", "6390", "--bind", "10.44.2.2", "--protected-mode", "no", "--save", "")
	s.listening("server", 6390)
	var pool []net.Conn
	for range 3 {
		c := s.dial("client", "10.44.2.2:6390")
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
	s.says("middlebox-reset", "3 connections", "neither end", "a NAT or firewall that forgot")
}

// flood sends SYNs from addresses that never answer.
const flood = `import random, socket, struct
def checksum(b):
    n = sum(struct.unpack('!%dH' % (len(b)//2), b)); n = (n >> 16) + (n & 65535); return ~(n + (n >> 16)) & 65535
r = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW); to = socket.inet_aton('10.45.0.2')
for i in range(400):
    source = bytes([198, 51, 100, i % 250 + 1])
    t = struct.pack('!HHIIBBHHH', 1024 + i, 6390, random.getrandbits(32), 0, 5 << 4, 2, 64000, 0, 0)
    t = t[:16] + struct.pack('!H', checksum(source + to + struct.pack('!HH', 6, len(t)) + t)) + t[18:]
    r.sendto(struct.pack('!BBHHHBBH', 0x45, 0, 20 + len(t), i, 0, 64, 6, 0) + source + to + t, ('10.45.0.2', 0))
`

// TestFloodOfSYNs: "possible SYN flooding on port. Sending cookies": no connection shows it.
func TestFloodOfSYNs(t *testing.T) {
	s := newScene(t, []string{"client", "server"}, "redis-server", "python3")
	s.link("client", "10.45.0.1", "server", "10.45.0.2")
	s.must("ip", "-n", s.names["server"], "route", "add", "default", "via", "10.45.0.1")
	s.start("server", "redis-server", "--port", "6390", "--bind", "10.45.0.2", "--protected-mode", "no", "--save", "", "--tcp-backlog", "16")
	s.listening("server", 6390)
	s.dial("client", "10.45.0.2:6390").Close() // counters are read where something has ended
	time.Sleep(1500 * time.Millisecond)
	s.run("client", "python3", s.file("flood.py", flood))
	if !s.counted() {
		lacks(t, "this tracer reports no counters")
	}
	s.says("syn-flood", "The SYN queue of a listener (perhaps redis-server's) was full", "only 0 handshakes")
}
