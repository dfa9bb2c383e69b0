package main

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"io"
	"net/netip"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"golang.org/x/net/html"

	"github.com/closetrace/closetrace/internal/record"
	"github.com/closetrace/closetrace/model"
)

// hostileNames are what a tenant may call a process, an interface, a control group, a unit
// or a container, so far as each of them lets him.
var hostileNames = map[string]string{
	"escape sequences":   "n\x1b[2J\x1b]0;owned\x07\u009b31m",
	"lines":              "n\nteardown\r\nx\u2028y\u2029z",
	"quotes":             `n"'` + "`" + `\"\\`,
	"HTML":               `</script><script>alert(1)</script><img src=x onerror="alert(1)"><!--`,
	"an attribute":       `" onmouseover="alert(1)" x='`,
	"a formula":          "=cmd|' /C calc'!A0",
	"a formula, wide":    "\uff1dcmd|' /C calc'!A0",
	"Markdown":           "n | x | [link](javascript:alert(1)) ![i](http://x/) ```",
	"labels of a metric": `n",process="root"} 1` + "\n# HELP x",
	"no UTF-8":           "n\xff\xfe\xc0\xaf\xed\xa0\x80",
	"another direction":  "n\u202egnp.exe\u2066\u200f",
	"a template":         "{{.}}${jndi:ldap://x}$(reboot)`reboot`;reboot",
	"NUL":                "n\x00\x01\x7f",
	"very long":          strings.Repeat("n\u0301", 1<<10),
}

// TestHostileNamesInEverySink gives each such name to all that has a text in a recording,
// and reads what the commands print by other parsers: they find as many lines, cells,
// members, elements and attributes as with an ordinary name.
func TestHostileNamesInEverySink(t *testing.T) {
	ordinary := hostileRecording(t, "ordinary")
	want := map[string][]string{}
	sinks := sinksOf(t)
	for name, sink := range sinks {
		want[name] = sink(t, ordinary)
		if len(want[name]) == 0 {
			t.Fatalf("%s: nothing was read", name)
		}
	}
	for what, name := range hostileNames {
		t.Run(what, func(t *testing.T) {
			path := hostileRecording(t, name)
			for sink, read := range sinks {
				if got := read(t, path); !slices.Equal(got, want[sink]) {
					i := 0
					for i < min(len(got), len(want[sink])) && got[i] == want[sink][i] {
						i++
					}
					t.Errorf("%s: %d parts, want %d; the first that differs is %q", sink, len(got), len(want[sink]), append(got[i:], "")[0])
				}
			}
		})
	}
}

// hostileRecording writes a recording in which each text is a name.
func hostileRecording(t *testing.T, name string) string {
	t.Helper()
	var lines []byte
	lines = append(lines, fiveLines[:strings.IndexByte(fiveLines, '\n')+1]...)
	for i := range 12 {
		reader := record.NewReader(io.NopCloser(strings.NewReader(fiveLines)), "five lines")
		for r, err := range reader.Records() {
			if err != nil {
				t.Fatal(err)
			}
			if r.Kind != model.KindTeardown {
				continue
			}
			r.Teardown.ID, r.Teardown.Network.Peer.Port = "a-"+string(rune('a'+i)), uint16(20000+i)
			rename(reflect.ValueOf(&r.Teardown).Elem(), name)
			lines = record.Append(lines, &r)
		}
	}
	lines = append(lines, fiveLines[strings.LastIndex(fiveLines, `{"kind":"stop"`):]...)
	path := filepath.Join(t.TempDir(), "hostile.jsonl")
	if err := os.WriteFile(path, lines, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// rename gives a name to all that is a free text, also to the interface in an address.
func rename(v reflect.Value, name string) {
	if address, ok := v.Addr().Interface().(*netip.Addr); ok {
		*address = netip.MustParseAddr("fe80::1").WithZone(name)
		return
	}
	switch v.Kind() {
	case reflect.Struct:
		for i := range v.NumField() {
			field := v.Type().Field(i)
			if field.Name != "ID" && field.Name != "Rule" && field.IsExported() {
				rename(v.Field(i), name)
			}
		}
	case reflect.String:
		if v.Type() == reflect.TypeFor[string]() {
			v.SetString(name)
		}
	default:
	}
}

// sinksOf are the commands that print a recording, each with what another parser makes of
// the output: texts that do not depend on names.
func sinksOf(t *testing.T) map[string]func(*testing.T, string) []string {
	t.Helper()
	of := func(read func(*testing.T, string) []string, arguments ...string) func(*testing.T, string) []string {
		return func(t *testing.T, path string) []string {
			t.Helper()
			var out bytes.Buffer
			with := slices.Clone(arguments)
			for i := range with {
				with[i] = strings.ReplaceAll(with[i], "FILE", path)
			}
			if code := run(with, nil, &out, os.Stderr); code != exitOK {
				t.Errorf("%q: exit %d", with, code)
			}
			if !utf8.ValidString(out.String()) {
				t.Errorf("%q: the output is no UTF-8", with)
			}
			return read(t, out.String())
		}
	}
	return map[string]func(*testing.T, string) []string{
		"text":          of(readLines, "replay", "FILE", "--format", "text"),
		"JSON":          of(readJSON, "replay", "FILE", "--format", "json"),
		"CSV":           of(readCSV, "replay", "FILE", "--format", "csv"),
		"summary":       of(readLines, "summary", "FILE"),
		"summary JSON":  of(readJSON, "summary", "FILE", "--json"),
		"diff":          of(readLines, "diff", "FILE", "FILE"),
		"join":          of(readLines, "join", "FILE", "FILE"),
		"diff JSON":     of(readJSON, "diff", "FILE", "FILE", "--json"),
		"diagnose JSON": of(readJSON, "diagnose", "FILE", "--json"),
		"report":        of(readHTML, "report", "FILE", "-o", "-"),
	}
}

// readLines returns how many lines there are. None has a character that acts on a terminal.
func readLines(t *testing.T, text string) (lines []string) {
	t.Helper()
	for line := range strings.Lines(text) {
		for _, r := range strings.TrimSuffix(line, "\n") {
			if unicode.In(r, unicode.C, unicode.Zl, unicode.Zp) {
				t.Errorf("a line has %U", r)
			}
		}
		lines = append(lines, "line")
	}
	return lines
}

// readJSON returns the names of all members.
func readJSON(t *testing.T, text string) (names []string) {
	t.Helper()
	var walk func(any)
	walk = func(v any) {
		switch v := v.(type) {
		case map[string]any:
			own := make([]string, 0, len(v))
			for name := range v {
				own = append(own, name)
			}
			slices.Sort(own)
			for _, name := range own {
				names = append(names, name)
				walk(v[name])
			}
		case []any:
			for _, below := range v {
				walk(below)
			}
		}
	}
	decoder := json.NewDecoder(strings.NewReader(text))
	for decoder.More() {
		var v any
		if err := decoder.Decode(&v); err != nil {
			t.Fatal(err)
		}
		walk(v)
	}
	return names
}

// readCSV returns how many cells each row has. None begins as a formula does.
func readCSV(t *testing.T, text string) (rows []string) {
	t.Helper()
	all, err := csv.NewReader(strings.NewReader(text)).ReadAll()
	if err != nil {
		t.Error(err)
	}
	for _, row := range all {
		for _, cell := range row {
			if cell != "" && strings.ContainsAny(cell[:1], "=+@\t\r") || strings.HasPrefix(cell, "\uff1d") {
				t.Errorf("a spreadsheet takes %q for a formula", cell)
			}
		}
		rows = append(rows, strings.Repeat(",", len(row)))
	}
	return rows
}

// readHTML returns the elements and their attributes.
func readHTML(t *testing.T, text string) (elements []string) {
	t.Helper()
	for page := html.NewTokenizer(strings.NewReader(text)); ; {
		switch page.Next() {
		case html.ErrorToken:
			return elements
		case html.StartTagToken, html.SelfClosingTagToken, html.EndTagToken, html.CommentToken:
			token := page.Token()
			name := token.Type.String() + " " + token.DataAtom.String()
			for _, a := range token.Attr {
				name += " " + a.Key
			}
			elements = append(elements, name)
		default:
		}
	}
}
