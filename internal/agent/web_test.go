package agent

import (
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"
)

// TestManyScrapers: a user who opens connections and asks for nothing, or for nothing
// more, gets no more than a bound of them, and who comes after him gets the page.
func TestManyScrapers(t *testing.T) {
	a := newTest(t, Options{MetricsListen: "127.0.0.1:0"})
	for _, request := range []string{"", "GET", "GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n"} {
		var held []net.Conn
		for range 4 * mostScrapers {
			c, err := net.Dial("tcp", a.MetricsAddress())
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			if _, err := io.WriteString(c, request); err != nil {
				t.Logf("closed at once: %v", err)
			}
			held = append(held, c)
		}
		alive := func() (n int) {
			for _, c := range held {
				_ = c.SetReadDeadline(time.Now().Add(time.Millisecond))
				if _, err := io.Copy(io.Discard, c); errors.Is(err, os.ErrDeadlineExceeded) {
					n++
				}
			}
			return n
		}
		eventually(t, "most are closed", func() bool { return alive() <= mostScrapers })
		client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
		answer, err := client.Get("http://" + a.MetricsAddress() + "/metrics")
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(answer.Body)
		answer.Body.Close()
		if err != nil || answer.StatusCode != http.StatusOK || !strings.Contains(string(body), "closetrace_") {
			t.Errorf("after %q: status %d, %v", request, answer.StatusCode, err)
		}
		for _, c := range held {
			c.Close()
		}
	}
}
