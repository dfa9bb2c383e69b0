package incidents

import (
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
	says(t, s.expect("path-dead"), "curl could not connect to 127.0.0.1 port 5432", "2 attempts", "after 2")
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
	f := s.expect("turned-away")
	says(t, f, "redis-server", fmt.Sprintf("%d connections", full))
	if !strings.Contains(f.Advice, "maxclients") {
		t.Errorf("the advice is %q", f.Advice)
	}
}

// TestDatabaseDropsIdleSessions: PostgreSQL's idle_session_timeout (or idle_in_transaction_...): the
// process of the session says farewell and exits, and the pool's next query is reset.
func TestDatabaseDropsIdleSessions(t *testing.T) {
	s := newScene(t, []string{"a"}, postgres, "psql")
	s.postgres("a", "127.0.0.1", 5432, "-c idle_session_timeout=1500")
	for range 3 {
		c := s.command("a", "psql", "-h", "127.0.0.1", "-U", "postgres", "-qAt")
		in, err := c.StdinPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := c.Start(); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { in.Close(); _ = c.Wait() })
		_, _ = io.WriteString(in, "select 1;\n")
		go func() {
			time.Sleep(4 * time.Second)
			_, _ = io.WriteString(in, "select 2;\n")
		}()
	}
	time.Sleep(4500 * time.Millisecond)
	f := s.expect("keepalive-race")
	says(t, f, "postgres", "1.5", "3 requests of psql")
	if !strings.Contains(f.Advice, "idle_session_timeout") {
		t.Errorf("the advice is %q", f.Advice)
	}
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
	time.Sleep(1500 * time.Millisecond)
	s.must("kill", "-9", fmt.Sprint(s.worker(server)))
	for range cap(ended) {
		if text := <-ended; text == "" {
			t.Error("a client got all")
		}
	}
	says(t, s.expect("process-restart"), "nginx", "SIGKILL", "3 connections", "cut short")
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
	time.Sleep(2800 * time.Millisecond) // it looks once a second, and waits 5 s for the client's FIN
	for _, c := range pool {
		if text, err := ask(c, "GET /x HTTP/1.1\r\nHost: x\r\n\r\n"); !errors.Is(err, io.EOF) {
			t.Fatalf("not too late: %q %v", text, err)
		}
		c.Close()
	}
	f := s.expect("keepalive-race")
	says(t, f, "lighttpd", "5 requests", "thrown away")
}
