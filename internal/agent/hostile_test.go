package agent

import (
	"io"
	"net/http"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/closetrace/closetrace/model"
)

// TestHostileLabels: whatever a process calls itself, it makes one line of the page of
// metrics, as a label, and no metric of its own.
func TestHostileLabels(t *testing.T) {
	a := newTest(t, Options{MetricsListen: "127.0.0.1:0"})
	hostile := []string{
		"a\nclosetrace_forged 1", "a\r\nclosetrace_forged 1", `a"} 1` + "\nclosetrace_forged{x=\"", `a\`, `a\n`, "a\xff\nclosetrace_forged 2",
		"# HELP closetrace_forged x", "a\x00b", "a\u2028closetrace_forged 1", `",process="root`, "\x1b]0;x\a",
	}
	for n, name := range hostile {
		a.Add(end(n, func(t *model.Teardown) { t.Process.Name, t.Network.Local.Port = name, uint16(1000+n) }))
	}
	answer, err := http.Get("http://" + a.MetricsAddress() + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	if err != nil || !utf8.Valid(body) {
		t.Fatalf("the page is no UTF-8 (%v)", err)
	}
	lines := 0
	for line := range strings.Lines(string(body)) {
		switch {
		case strings.HasPrefix(line, "closetrace_connections_ended_total{"):
			lines++
			if !strings.HasSuffix(line, "\"} 1\n") || strings.Count(line, `",process="`) != 1 {
				t.Errorf("a line is %q", line)
			}
		case strings.Contains(line, "closetrace_forged") && !strings.Contains(line, `process="`):
			t.Errorf("a name made the line %q", line)
		}
	}
	if strings.ContainsAny(string(body), "\x1b\x00\r") {
		t.Error("a name sends control characters to who reads the page on a terminal")
	}
	if lines != len(hostile) {
		t.Errorf("%d lines, want %d", lines, len(hostile))
	}
}
