package incidents

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"testing"
	"time"

	"github.com/closetrace/closetrace/internal/findings"
	"github.com/closetrace/closetrace/model"
)

// TestQuiet: healthy mixed traffic raises no alarm; what is benign is labelled. It runs for
// a few seconds, or for the time in CLOSETRACE_QUIET (make quiet: an hour).
func TestQuiet(t *testing.T) {
	s := newScene(t, []string{"a"}, "nginx", "redis-server", "haproxy", "openssl", "curl")
	last := 8 * time.Second
	if text := os.Getenv("CLOSETRACE_QUIET"); text != "" {
		var err error
		if last, err = time.ParseDuration(text); err != nil {
			t.Fatal(err)
		}
	}
	s.must("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", s.dir+"/k.pem", "-out", s.dir+"/c.pem", "-days", "2", "-subj", "/CN=localhost")
	s.file("www/x", "x")
	s.nginx("a", `keepalive_timeout 2; root $DIR/www; server{ listen 127.0.0.1:8080; }
server{ listen 127.0.0.1:8443 ssl; ssl_certificate $DIR/c.pem; ssl_certificate_key $DIR/k.pem; }`, 8443)
	s.start("a", "redis-server", "--port", "6390", "--bind", "127.0.0.1", "--save", "")
	s.listening("a", 6390)
	s.start("a", "haproxy", "-f", s.file("haproxy.cfg", `defaults
 mode tcp
 timeout connect 2s
 timeout client 30s
 timeout server 30s
listen l
 bind 127.0.0.1:6380
 server redis 127.0.0.1:6390 check inter 1s
`))
	s.listening("a", 6380)
	client := &http.Client{Timeout: 10 * time.Second, Transport: &http.Transport{
		TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, IdleConnTimeout: time.Second,
		DialContext: func(_ context.Context, _, address string) (net.Conn, error) { return s.tryDial("a", address) },
	}}
	pool := s.dial("a", "127.0.0.1:6380")
	end := time.Now().Add(last)
	for i := 0; time.Now().Before(end); i++ {
		for _, url := range []string{"http://127.0.0.1:8080/x", "https://127.0.0.1:8443/x"} {
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
		if i%5 == 0 {
			s.run("a", "curl", "-sk", "https://127.0.0.1:8443/x", "http://127.0.0.1:8080/x")
			c := s.dial("a", "127.0.0.1:6390")
			if _, err := ask(c, "PING\r\n"); err != nil {
				t.Fatal(err)
			}
			c.Close()
		}
		if i%15 == 14 { // longer than all idle times
			time.Sleep(2500 * time.Millisecond)
		}
		time.Sleep(50 * time.Millisecond)
	}
	time.Sleep(time.Second)
	r := s.diagnose(func(*model.Record) bool { return true })
	for _, f := range r.Findings {
		if f.Harm >= findings.Medium {
			text, _ := json.MarshalIndent(f, "", " ")
			t.Errorf("an alarm in healthy traffic: %s", text)
		}
		t.Logf("%v %s", f.Harm, f.Title)
	}
	if r.Connections < 10 {
		s.tell()
		t.Errorf("got %s only", fmt.Sprint(r.Connections))
	}
}
