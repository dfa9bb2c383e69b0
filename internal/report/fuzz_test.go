package report

import (
	"bytes"
	"os"
	"slices"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"golang.org/x/net/html"

	"github.com/closetrace/closetrace/internal/record"
	"github.com/closetrace/closetrace/model"
)

// parts returns the elements of a page with the names of their attributes, and what could
// act: scripts, and attributes that hold code or addresses.
func parts(t testing.TB, page []byte) (elements map[string]bool, acting []string) {
	t.Helper()
	elements = map[string]bool{}
	for z := html.NewTokenizer(bytes.NewReader(page)); ; {
		switch z.Next() {
		case html.ErrorToken:
			return elements, acting
		case html.StartTagToken, html.SelfClosingTagToken:
			token := z.Token()
			elements[token.Data] = true
			if token.Data == "script" || token.Data == "iframe" || token.Data == "object" || token.Data == "base" || token.Data == "link" {
				acting = append(acting, token.Data)
			}
			for _, a := range token.Attr {
				if strings.HasPrefix(a.Key, "on") || (a.Key == "href" || a.Key == "src") && !strings.HasPrefix(a.Val, "#") || a.Key == "srcdoc" {
					acting = append(acting, token.Data+" "+a.Key)
				}
			}
		default:
		}
	}
}

// FuzzPage: whatever a recording has, the page has no element that another page has not, no
// other script, and nothing that acts.
func FuzzPage(f *testing.F) {
	golden, err := os.ReadFile("../record/testdata/closetrace-1.jsonl")
	if err != nil {
		f.Fatal(err)
	}
	line := func(name string) []byte {
		return []byte(strings.Repeat(`{"kind":"teardown","schema":"closetrace/1","time_unix_nano":"1795893606143066829","id":"b-2","verdict":"abortive","cause":"peer-reset",`+
			`"network":{"local":{"address":"10.0.0.1","port":443},"peer":{"address":"10.0.0.2","port":9000}},"process":{"pid":7,"name":"`+name+`","command_line":"`+name+`"},`+
			`"container":{"name":"`+name+`"},"confidence_reason":"`+name+`","tcp":{"error":"`+name+`"}}`+"\n", 3))
	}
	page := func(lines []byte, title string) []byte {
		r := New()
		var d record.Decoder
		for line := range bytes.Lines(lines) {
			var one model.Record
			if d.Decode(line, &one) == nil {
				r.Add(&one)
			}
		}
		var out bytes.Buffer
		if err := r.Write(&out, Options{Title: title, Version: title, Chosen: title, Warnings: []string{title}}); err != nil {
			f.Fatal(err)
		}
		return out.Bytes()
	}
	_, usual := parts(f, page(golden, "x"))
	f.Add(golden, "x")
	for _, name := range []string{`</script><script>alert(1)</script>`, `\" onmouseover=\"x`, `<!--`, `\u2028`, `\u001b[2J`, `\u202e`, `javascript:alert(1)`, `]]>`, `\u0000`} {
		f.Add(line(name), name)
	}
	f.Fuzz(func(t *testing.T, lines []byte, title string) {
		out := page(lines, title)
		elements, acting := parts(t, out)
		if !slices.Equal(acting, usual) {
			t.Errorf("what acts is %q, want %q", acting, usual)
		}
		for name := range elements {
			if !strings.Contains(known, " "+name+" ") {
				t.Errorf("an element <%s>", name)
			}
		}
		if !utf8.Valid(out) {
			t.Error("no UTF-8")
		}
		for _, r := range string(out) {
			if unicode.IsControl(r) && r != '\n' && r != '\t' && r != '\r' {
				t.Fatalf("the page has %U", r)
			}
		}
	})
}

// known are the elements of a page.
const known = ` html link head meta title style script body header main footer section h1 h2 h3 h4 p table thead tbody tfoot tr th td div span a code pre ul ol li dl dt dd b strong em i details summary svg path g rect line text circle button input label select option noscript caption small nav figure figcaption br hr colgroup col `
