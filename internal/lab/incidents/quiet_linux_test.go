package incidents

import (
	"bufio"
	"context"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/closetrace/closetrace/internal/findings"
)

// TestQuiet: healthy mixed traffic raises no alarm; what is benign is labelled. It runs for
// a few seconds, or for the time in CLOSETRACE_QUIET (make quiet: an hour).
func TestQuiet(t *testing.T) {
	s := newScene(t, []string{"a"}, "nginx", "redis-server", "haproxy", "openssl", "curl", "pgbouncer", postgres, "psql")
	last := 10 * time.Second
	if text := os.Getenv("CLOSETRACE_QUIET"); text != "" {
		var err error
		if last, err = time.ParseDuration(text); err != nil {
			t.Fatal(err)
		}
	}
	client := s.healthyServers()
	pool := s.dial("a", "127.0.0.1:6380")
	session := s.session()
	end := time.Now().Add(last)
	for i := 0; time.Now().Before(end); i++ {
		for _, url := range []string{"http://127.0.0.1:8080/x", "https://127.0.0.1:8443/x", "https://127.0.0.1:9443/x"} {
			answer, err := client.Get(url)
			if err != nil {
				t.Fatal(err)
			}
			_, _ = io.Copy(io.Discard, answer.Body)
			answer.Body.Close()
		}
		if text, err := ask(pool, "PING\r\n"); err != nil {
			t.Fatal(text, err)
		}
		if text := session("select 7;"); text != "7" {
			t.Fatalf("the database answered %q", text)
		}
		if i%8 == 0 {
			s.passingBy()
		}
		if i%20 == 19 { // longer than the client keeps what is idle, and far shorter than the servers
			time.Sleep(2500 * time.Millisecond)
		}
		time.Sleep(100 * time.Millisecond)
	}
	time.Sleep(time.Second)
	r := s.diagnose()
	for _, f := range r.Findings {
		if f.Harm >= findings.Medium {
			text, _ := json.MarshalIndent(f, "", " ")
			t.Errorf("an alarm in healthy traffic: %s", text)
		}
		t.Logf("%v %d %s", f.Harm, f.Count, f.Title)
	}
	if r.Connections < 10 {
		s.tell()
		t.Errorf("got %s only", fmt.Sprint(r.Connections))
	}
}

// healthyServers starts nginx, Go's server with TLS, redis, PostgreSQL with PgBouncer, and
// HAProxy with health checks, and returns a Go client with a pool.
func (s *scene) healthyServers() *http.Client {
	s.t.Helper()
	s.must("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", s.dir+"/k.pem", "-out", s.dir+"/c.pem", "-days", "2", "-subj", "/CN=localhost")
	s.file("www/x", "x")
	s.nginx("a", `keepalive_timeout 20; root $DIR/www; server{ listen 127.0.0.1:8080; }
server{ listen 127.0.0.1:8443 ssl; ssl_certificate $DIR/c.pem; ssl_certificate_key $DIR/k.pem; }`, 8443)
	s.start("a", "redis-server", "--port", "6390", "--bind", "127.0.0.1", "--save", "")
	s.listening("a", 6390)
	s.start("a", "haproxy", "-f", s.file("haproxy.cfg", `defaults
 mode tcp
 timeout connect 20s
 timeout check 20s
 timeout client 10m
 timeout server 10m
listen l
 bind 127.0.0.1:6380
 server redis 127.0.0.1:6390 check inter 1s
listen w
 bind 127.0.0.1:8081
 mode http
 option httpchk GET /x
 http-check send hdr Host localhost
 server nginx 127.0.0.1:8080 check inter 1s
`))
	s.listening("a", 6380)
	s.postgres("a", "127.0.0.1", 5432, "")
	s.start("a", "su", "postgres", "-s", "/bin/sh", "-c", "exec pgbouncer "+s.file("pgb.ini", `[databases]
t = host=127.0.0.1 port=5432 user=postgres dbname=postgres
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = 6432
unix_socket_dir =
auth_type = any
pool_mode = transaction
server_idle_timeout = 5
server_lifetime = 10
`))
	s.listening("a", 6432)
	var listener net.Listener
	if err := s.within("a", func() (err error) { listener, err = net.Listen("tcp", "127.0.0.1:9443"); return err }); err != nil {
		s.t.Fatal(err)
	}
	server := &http.Server{
		IdleTimeout: 20 * time.Second, ReadTimeout: time.Minute, ErrorLog: log.New(io.Discard, "", 0),
		Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "x") }),
	}
	go func() { _ = server.ServeTLS(listener, s.dir+"/c.pem", s.dir+"/k.pem") }()
	s.t.Cleanup(func() { server.Close() })
	return &http.Client{Timeout: time.Minute, Transport: &http.Transport{
		TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, IdleConnTimeout: time.Second, ForceAttemptHTTP2: true,
		DialContext: func(_ context.Context, _, address string) (net.Conn, error) { return s.tryDial("a", address) },
	}}
}

// session is a client of the pooler that stays; it returns what a query returns.
func (s *scene) session() func(query string) string {
	s.t.Helper()
	c := s.command("a", "psql", "-qAt", "-h", "127.0.0.1", "-p", "6432", "-U", "postgres", "t")
	in, err := c.StdinPipe()
	if err != nil {
		s.t.Fatal(err)
	}
	out, err := c.StdoutPipe()
	if err != nil {
		s.t.Fatal(err)
	}
	if err := c.Start(); err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { in.Close(); _ = c.Wait() })
	lines := bufio.NewReader(out)
	return func(query string) string {
		_, _ = io.WriteString(in, query+"\n")
		line, _ := lines.ReadString('\n')
		return strings.TrimSpace(line)
	}
}

// passingBy are clients that come, ask once and go.
func (s *scene) passingBy() {
	s.t.Helper()
	for _, c := range [][]string{
		{"curl", "-sk", "https://127.0.0.1:8443/x", "http://127.0.0.1:8080/x", "http://127.0.0.1:8081/x", "https://127.0.0.1:9443/x"},
		{"psql", "-qAt", "-h", "127.0.0.1", "-p", "6432", "-U", "postgres", "-c", "select 1", "t"},
	} {
		if out, err := s.command("a", c...).CombinedOutput(); err != nil {
			s.t.Fatalf("%s: %v %s", strings.Join(c, " "), err, out)
		}
	}
	c := s.dial("a", "127.0.0.1:6390")
	if _, err := ask(c, "PING\r\n"); err != nil {
		s.t.Fatal(err)
	}
	c.Close()
	idle := s.dial("a", "127.0.0.1:8080")
	if _, err := ask(idle, "GET /x HTTP/1.1\r\nHost: x\r\n\r\n"); err != nil {
		s.t.Fatal(err)
	}
	go func() { _, _ = io.Copy(io.Discard, idle); idle.Close() }() // nginx closes it
}
