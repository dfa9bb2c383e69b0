package incidents

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
	"time"
)

// Incidents at the first and the last moment of a connection.

// TestFirewallDropsTheSYN: "Connection timed out" behind a security group: nothing comes back, and
// the program's own limit (curl --connect-timeout, a pool's) is shorter than the kernel's.
func TestFirewallDropsTheSYN(t *testing.T) {
	s := newScene(t, []string{"a"}, "nft", "curl")
	s.nft("a", "table ip t {\n chain i {\n type filter hook input priority 0;\n tcp dport 5432 drop\n }\n}\n")
	for range 2 {
		s.run("a", "curl", "-sS", "--connect-timeout", "2", "http://127.0.0.1:5432/")
	}
	s.says("path-dead", "curl could not connect to 127.0.0.1 port 5432", "2 attempts", "after 2")
}

// TestServerIsFull: redis "max number of clients reached", sshd MaxStartups, MySQL "Too many
// connections": the server says why and closes, and the request that is under way is reset.
func TestServerIsFull(t *testing.T) {
	s := newScene(t, []string{"a"}, "redis-server")
	s.start("a", "redis-server", "--port", "6390", "--bind", "127.0.0.1", "--save", "", "--maxclients", "2")
	s.listening("a", 6390)
	full := 0
	for range 6 {
		c := s.dial("a", "127.0.0.1:6390")
		if text, err := ask(c, "PING\r\n"); err != nil || strings.HasPrefix(text, "-ERR max") {
			full++
		}
	}
	s.says("turned-away", "redis-server", fmt.Sprintf("%d connections", full), "maxclients")
}

// TestDatabaseDropsIdleSessions: PostgreSQL's idle_session_timeout (or idle_in_transaction_...): the
// process of the session says farewell and exits, and the pool's next query is reset.
func TestDatabaseDropsIdleSessions(t *testing.T) {
	s := newScene(t, []string{"a"}, postgres, "psql")
	s.postgres("a", "127.0.0.1", 5432, "-c idle_session_timeout=3000")
	sessions := s.idleSessions(3)
	s.sockets("a", "close-wait", 5432, len(sessions))
	for _, in := range sessions {
		_, _ = io.WriteString(in, "select 2;\n")
	}
	s.says("keepalive-race", "postgres", "after 3", "3 requests of psql", "idle_session_timeout")
}

// TestWorkerIsKilledInAnAnswer: "transfer closed with bytes remaining to read": a worker of nginx gets
// SIGKILL while it sends.
func TestWorkerIsKilledInAnAnswer(t *testing.T) {
	s := newScene(t, []string{"a"}, "nginx", "curl")
	s.file("www/big", strings.Repeat("x", 5_000_000))
	server := s.nginx("a", "server{ listen 127.0.0.1:8080; root $DIR/www; limit_rate 300k; }", 8080)
	ended := make(chan string, 3)
	for range cap(ended) {
		go func() { ended <- s.run("a", "curl", "-sS", "-m", "9", "-o", "/dev/null", "http://127.0.0.1:8080/big") }()
	}
	s.sockets("a", "established", 8080, 2*cap(ended))
	time.Sleep(time.Second)
	s.must("kill", "-9", fmt.Sprint(s.worker(server)))
	for range cap(ended) {
		if text := <-ended; text == "" {
			t.Error("a client got all")
		}
	}
	s.says("process-restart", "nginx", "SIGKILL", "3 connections", "cut short")
}

// TestServerThrowsAwayLateRequests: "Remote end closed connection without response" (psf/requests#4664):
// lighttpd, as Apache, closes its sending side when a connection was idle, and still takes what
// comes: no RST shows that the next request is lost.
func TestServerThrowsAwayLateRequests(t *testing.T) {
	s := newScene(t, []string{"a"}, "lighttpd")
	s.file("www/x", "x")
	s.start("a", "lighttpd", "-D", "-f", s.file("l.conf", `server.document-root = "$DIR/www"
server.port = 8080
server.bind = "127.0.0.1"
server.max-keep-alive-idle = 1
`))
	s.listening("a", 8080)
	var pool []net.Conn
	for range 5 {
		c := s.dial("a", "127.0.0.1:8080")
		if text, err := ask(c, "GET /x HTTP/1.1\r\nHost: x\r\n\r\n"); err != nil || !strings.Contains(text, "200") {
			t.Fatal(text, err)
		}
		pool = append(pool, c)
	}
	s.closed(pool)
	time.Sleep(300 * time.Millisecond) // it waits 5 s for the clients' FIN
	for _, c := range pool {
		if text, err := ask(c, "GET /x HTTP/1.1\r\nHost: x\r\n\r\n"); !errors.Is(err, io.EOF) {
			t.Fatalf("not too late: %q %v", text, err)
		}
		c.Close()
	}
	s.says("keepalive-race", "lighttpd", "5 requests", "thrown away")
}

// Incidents of servers that end their connections on purpose, and of clients that do.

// keepAlive opens n connections, one after another, and asks once on each.
func (s *scene) keepAlive(ns, address string, n int, apart time.Duration) (pool []net.Conn) {
	s.t.Helper()
	for range n {
		c := s.dial(ns, address)
		if text, err := ask(c, request); err != nil || !strings.Contains(text, "200") {
			s.t.Fatal(text, err)
		}
		pool = append(pool, c)
		time.Sleep(apart)
	}
	return pool
}

// closed waits until the server has closed each connection.
func (s *scene) closed(pool []net.Conn) {
	s.t.Helper()
	for _, c := range pool {
		_ = c.SetReadDeadline(time.Now().Add(30 * time.Second))
		if _, err := io.Copy(io.Discard, c); err != nil {
			s.t.Fatalf("not closed: %v", err)
		}
	}
}

// askTooLate waits until the server has closed each connection, and sends one more request, as a
// client does that has not read its FIN.
func (s *scene) askTooLate(pool []net.Conn) {
	s.t.Helper()
	s.closed(pool)
	for _, c := range pool {
		if _, err := c.Write([]byte(request)); err != nil {
			s.t.Fatal(err)
		}
	}
}

// TestReloadOfNginx: "upstream prematurely closed" at each deployment (kubernetes/ingress-nginx#489 and
// the like): nginx -s reload closes what is idle, however long it was, and the next requests are reset.
func TestReloadOfNginx(t *testing.T) {
	s := newScene(t, []string{"a"}, "nginx")
	s.file("www/index.html", "x")
	server := s.nginx("a", "keepalive_timeout 65; server{ listen 127.0.0.1:8080; root $DIR/www; }", 8080)
	pool := s.keepAlive("a", "127.0.0.1:8080", 8, 300*time.Millisecond)
	s.must("kill", "-HUP", fmt.Sprint(server.Process.Pid))
	s.askTooLate(pool)
	s.says("process-restart", "nginx (port 8080)", "at one moment", "8 requests")
}

// TestReloadOfGunicorn: benoitc/gunicorn#1236 and the like. SIGHUP replaces the workers; what they have
// kept alive is closed, and the next requests are reset.
func TestReloadOfGunicorn(t *testing.T) {
	s := newScene(t, []string{"a"}, "gunicorn")
	s.file("app.py", hello)
	server := s.start("a", "gunicorn", "-k", "gthread", "--threads", "8", "--keep-alive", "60", "-b", "127.0.0.1:8000", "app:app")
	s.listening("a", 8000)
	pool := s.keepAlive("a", "127.0.0.1:8000", 6, 0)
	time.Sleep(time.Second) // all are idle for one time
	s.must("kill", "-HUP", fmt.Sprint(server.Process.Pid))
	s.askTooLate(pool)
	s.says("process-restart", fmt.Sprintf("SIGTERM from gunicorn[%d]", server.Process.Pid), "6 requests")
}

// TestDatabaseIsFull: "FATAL: sorry, too many clients already". PostgreSQL reads the login, says so and
// closes; no reset shows it.
func TestDatabaseIsFull(t *testing.T) {
	s := newScene(t, []string{"a"}, postgres)
	s.postgres("a", "127.0.0.1", 5432, "-c max_connections=5 -c superuser_reserved_connections=1")
	login := binary.BigEndian.AppendUint32(nil, 3<<16)
	login = append(login, "user\x00postgres\x00database\x00postgres\x00\x00"...)
	login = append(binary.BigEndian.AppendUint32(nil, uint32(len(login)+4)), login...)
	refused := 0
	for range 9 {
		c := s.dial("a", "127.0.0.1:5432")
		text, err := ask(c, string(login))
		if err != nil {
			t.Fatal(err)
		}
		if strings.HasPrefix(text, "E") {
			refused++
			c.Close()
		}
	}
	s.says("turned-away", "postgres (port 5432)", fmt.Sprintf("%d logins", refused), "max_connections")
}

// TestTLSVersionIsRefused: "tlsv1 alert protocol version": an old client at a server that takes TLS 1.3 only.
func TestTLSVersionIsRefused(t *testing.T) {
	s := newScene(t, []string{"a"}, "nginx", "openssl", "curl")
	s.must("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", s.dir+"/k.pem", "-out", s.dir+"/c.pem", "-days", "2", "-subj", "/CN=localhost")
	s.nginx("a", "server{ listen 127.0.0.1:8443 ssl; ssl_certificate $DIR/c.pem; ssl_certificate_key $DIR/k.pem; ssl_protocols TLSv1.3; }", 8443)
	for range 3 {
		if text := s.run("a", "curl", "-sSk", "--tls-max", "1.2", "https://127.0.0.1:8443/"); !strings.Contains(text, "alert protocol version") {
			t.Fatalf("not refused: %s", text)
		}
	}
	s.says("turned-away", "nginx (port 8443)", "3 TLS handshakes of curl", "7 B")
}

// TestClientLeavesASlowDownload: "curl: (28) Operation timed out": the client reads slowly, by its own
// --limit-rate, and its time limit ends the download.
func TestClientLeavesASlowDownload(t *testing.T) {
	s := newScene(t, []string{"a"}, "nginx", "curl")
	s.file("www/big", strings.Repeat("x", 30_000_000))
	s.nginx("a", "server{ listen 127.0.0.1:8080; root $DIR/www; }", 8080)
	for range 3 {
		s.run("a", "curl", "-sS", "-m", "3", "--limit-rate", "200k", "-o", "/dev/null", "http://127.0.0.1:8080/big")
	}
	s.says("left-halfway", "curl closed 3 connections to nginx port 8080", "time limit of the client")
}
