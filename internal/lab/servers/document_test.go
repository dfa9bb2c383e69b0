//go:build linux

package servers_test

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/closetrace/closetrace/model"
)

const serversDocument = "../../../docs/servers.md"

// testDocument checks the table of docs/servers.md against what was expected,
// and captured, of each connection. The words of its third column are free.
func testDocument(t *testing.T, plays []*play) {
	text, err := os.ReadFile(serversDocument)
	if err != nil {
		t.Fatal(err)
	}
	rows := map[string][]string{}
	for row := range strings.Lines(string(text)) {
		cells := strings.Split(strings.TrimSpace(row), " | ")
		if name, ok := strings.CutPrefix(cells[0], "| `"); ok && len(cells) == 6 {
			name = strings.TrimSuffix(name, "`")
			rows[name] = append(rows[name], strings.Join([]string{cells[1], cells[3], cells[4], cells[5]}, " | "))
		}
	}
	for _, p := range plays {
		if !p.failed {
			p.documented(t, rows[p.name])
		}
		delete(rows, p.name)
	}
	for name := range rows {
		if !t.Failed() && len(plays) == len(servers()) {
			t.Errorf("%s: no such server", name)
		}
	}
}

// documented compares the connections with rows. Where chance chooses between
// stories, the first is in the document.
func (p *play) documented(t *testing.T, rows []string) {
	t.Helper()
	for i, c := range p.seen {
		s := &c.want.stories[0]
		want := fmt.Sprintf("%s to %s | %s | %s | %s |",
			c.want.client.name, c.serverName(), s.wire, s.client.text(), s.server.text())
		want = strings.ReplaceAll(want, clientName(t), "client")
		if i >= len(rows) || rows[i] != want {
			t.Errorf("%s: %s lacks for connection %d: %s", p.name, serversDocument, i+1, want)
		}
	}
	if len(rows) > len(p.seen) {
		t.Errorf("%s: %s has %d rows, want %d", p.name, serversDocument, len(rows), len(p.seen))
	}
}

func clientName(t *testing.T) string {
	t.Helper()
	self := (&bench{T: t}).self()
	return self.name
}

func (c *connection) serverName() string {
	if c.want.server.name == "" {
		return "nobody"
	}
	return c.want.server.name
}

// text is the end as the document has it: cause, call and signal, outcome.
func (e *end) text() string {
	if e.cause == model.CauseUnknown {
		return "-"
	}
	text := "`" + e.cause.String() + "`"
	if e.call != model.CallUnknown {
		text += ", " + e.call.String()
	}
	if e.signal != 0 {
		text += fmt.Sprintf(", signal %d", e.signal)
	}
	if e.outcome != model.CauseUnknown {
		text += "; later `" + e.outcome.String() + "`"
	}
	return text
}
