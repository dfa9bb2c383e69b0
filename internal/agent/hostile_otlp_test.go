package agent

import (
	"fmt"
	"io"
	"net/http"
	"reflect"
	"slices"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
	logs "go.opentelemetry.io/proto/otlp/logs/v1"

	"github.com/closetrace/closetrace/internal/record"
	facts "github.com/closetrace/closetrace/model"
)

// hostileNames are what a tenant may call a process, a container or a unit.
var hostileNames = map[string]string{
	"escape sequences": "n\x1b[2J\x1b]0;owned\x07\u009b31m", "lines": "n\nclosetrace_forged 1\r\nx\u2028y", "quotes": `n"'\"\\`,
	"a label": `n",process="root"} 1` + "\n# HELP x", "no UTF-8": "n\xff\xfe\xc0\xaf\xed\xa0\x80", "another direction": "n\u202egnp.exe\u2066\u200f",
	"NUL": "n\x00\x01\x7f", "1 MB": strings.Repeat("n\u0301", 1<<19), "1 MB of no UTF-8": strings.Repeat("\xff", 1<<20), "spaces": " \t \u00a0 ", "an exemplar": `n # {a="b"} 1 1`,
}

// renamed gives a name to all that is a free text of an end.
func renamed(v reflect.Value, name string) {
	switch v.Kind() {
	case reflect.Struct:
		for i := range v.NumField() {
			if f := v.Type().Field(i); f.IsExported() && f.Name != "ID" && f.Name != "Rule" {
				renamed(v.Field(i), name)
			}
		}
	case reflect.String:
		if v.Type() == reflect.TypeFor[string]() {
			v.SetString(name)
		}
	default:
	}
}

// TestHostileNamesByOTLP: whatever the texts of a record are, it arrives, with the
// attributes of an ordinary one, and its body has no character that acts. None keeps the
// others of its batch from arriving: the protocol refuses what is no UTF-8.
func TestHostileNamesByOTLP(t *testing.T) {
	shape := func(name string) (keys []string, all []*logs.LogRecord) {
		s := newSink()
		s.keep = true
		a := newTest(t, Options{Endpoint: s.http(t)})
		a.Add(end(1))
		a.Add(end(2, func(t *facts.Teardown) { renamed(reflect.ValueOf(t).Elem(), name) }))
		a.Add(end(3))
		closed(t, a)
		if len(s.records) != 3 {
			t.Errorf("%d records arrived, want 3", len(s.records))
			return nil, nil
		}
		for _, one := range s.records[1].Attributes {
			keys = append(keys, one.Key)
		}
		return keys, s.records
	}
	want, _ := shape("ordinary")
	for what, name := range hostileNames {
		t.Run(what, func(t *testing.T) {
			keys, records := shape(name)
			if records == nil {
				return
			}
			if !slices.Equal(keys, want) {
				t.Errorf("attributes %q, want %q", keys, want)
			}
			body := records[1].Body.GetStringValue()
			if len(body) > 3*record.MaxString+200 || strings.ContainsFunc(body, func(r rune) bool { return unicode.In(r, unicode.C, unicode.Zl, unicode.Zp) }) {
				t.Errorf("the body has %d bytes: %.300q", len(body), body)
			}
			for _, one := range records[1].Attributes {
				text := one.Value.GetStringValue()
				if !utf8.ValidString(text) || len(text) > 3*record.MaxString {
					t.Errorf("%s has %d bytes: %.100q", one.Key, len(text), text)
				}
			}
			if got, clean := attributeOf(records[1], "process.name"), strings.ToValidUTF8(name, "\ufffd"); got != clean && !strings.HasPrefix(clean, strings.TrimRight(got, "\u2026\ufffd")) {
				t.Errorf("process.name is %.100q", got)
			}
		})
	}
}

// TestHostileNamesOnThePage: Prometheus's own parser finds the same families and as many
// series with hostile names as with ordinary ones, and the page stays small.
func TestHostileNamesOnThePage(t *testing.T) {
	shape := func(name func(i int) string) (families []string) {
		a := newTest(t, Options{MetricsListen: "127.0.0.1:0"})
		for i := range len(hostileNames) {
			a.Add(end(i, func(t *facts.Teardown) { renamed(reflect.ValueOf(t).Elem(), name(i)) }))
		}
		answer, err := http.Get("http://" + a.MetricsAddress() + "/metrics")
		if err != nil {
			t.Fatal(err)
		}
		defer answer.Body.Close()
		body, err := io.ReadAll(answer.Body)
		if err != nil {
			t.Fatal(err)
		}
		if len(body) > 128<<10 {
			t.Errorf("the page has %d bytes", len(body))
		}
		parser := expfmt.NewTextParser(model.LegacyValidation)
		page, err := parser.TextToMetricFamilies(strings.NewReader(string(body)))
		if err != nil {
			t.Fatalf("the page cannot be read: %v", err)
		}
		for name, family := range page {
			if strings.HasPrefix(name, "closetrace_") {
				families = append(families, fmt.Sprintf("%s %d", name, len(family.Metric)))
			}
		}
		slices.Sort(families)
		return families
	}
	names := make([]string, 0, len(hostileNames))
	for _, name := range hostileNames {
		names = append(names, name)
	}
	want := shape(func(i int) string { return fmt.Sprintf("ordinary-%d", i) })
	if got := shape(func(i int) string { return names[i] }); !slices.Equal(got, want) {
		t.Errorf("the page has %q, want %q", got, want)
	}
}
