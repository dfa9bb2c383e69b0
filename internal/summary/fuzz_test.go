package summary

import (
	"bytes"
	"math"
	"os"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/charmbracelet/x/ansi"

	"github.com/closetrace/closetrace/internal/record"
	"github.com/closetrace/closetrace/model"
)

// FuzzText: whatever a recording has, the summary fits its screen and has no character
// that acts on a terminal; and each end is counted once.
func FuzzText(f *testing.F) {
	golden, err := os.ReadFile("../record/testdata/closetrace-1.jsonl")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(golden, uint8(0), false)
	for i, name := range []string{`\u001b[2J`, `\r\n`, `\u202e\u2066`, strings.Repeat(`\u4e16`, 300), strings.Repeat(`e\u0301`, 200), `\ud83d\udc68\u200d\ud83d\udc69`} {
		f.Add([]byte(strings.Repeat(`{"kind":"teardown","schema":"closetrace/1","time_unix_nano":"1795893606143066829","id":"b-2","verdict":"abortive","cause":"peer-reset",`+
			`"network":{"local":{"address":"10.0.0.1","port":443},"peer":{"address":"10.0.0.2","port":9000}},"process":{"pid":7,"name":"`+name+`"},`+
			`"container":{"name":"`+name+`"},"k8s":{"pod":{"name":"`+name+`"},"namespace":{"name":"`+name+`"}}}`+"\n", i+1)), uint8(40*i), i%2 == 0)
	}
	f.Fuzz(func(t *testing.T, lines []byte, width uint8, ascii bool) {
		s, ends := New(), uint64(0)
		var d record.Decoder
		for line := range bytes.Lines(lines) {
			var r model.Record
			if d.Decode(line, &r) != nil {
				continue
			}
			s.Add(&r)
			if r.Kind == model.KindTeardown {
				ends++
			}
		}
		if got := s.Total.Total(); got < ends && got < math.MaxUint32 && !bytes.Contains(lines, []byte(`"counts"`)) && !bytes.Contains(lines, []byte(`"outcome"`)) {
			t.Errorf("%d ends are counted, want %d", got, ends)
		}
		var out bytes.Buffer
		if err := s.Text(&out, TextOptions{Width: int(width), ASCII: ascii}); err != nil {
			t.Fatal(err)
		}
		if !utf8.Valid(out.Bytes()) {
			t.Error("no UTF-8")
		}
		for line := range strings.Lines(out.String()) {
			line = strings.TrimSuffix(line, "\n")
			for _, r := range line {
				if unicode.In(r, unicode.C, unicode.Zl, unicode.Zp) {
					t.Errorf("a line has %U: %q", r, line)
				}
			}
			if w := ansi.StringWidth(line); w > max(int(width), 80) {
				t.Errorf("a line is %d wide: %q", w, line)
			}
		}
	})
}
