package record

import (
	"bytes"
	"encoding/csv"
	"math/rand/v2"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/closetrace/closetrace/model"
)

// FuzzCSV: whatever a recording has, another parser reads as many cells as the head line
// has, none of them begins a formula, and none has a character that acts.
func FuzzCSV(f *testing.F) {
	r := random{rand.New(rand.NewPCG(33, 34))}
	for range 10 {
		rec := r.record()
		f.Add(Append(nil, &rec))
	}
	for _, name := range []string{`=cmd|' /C calc'!A0`, `\r\n=1+1,\"`, `\u001b[2J\u202e`, `\uff1d1`, `-1`, `+1`, `@x`, `,`, `\"`} {
		f.Add([]byte(`{"kind":"teardown","schema":"closetrace/1","process":{"pid":7,"name":"` + name + `","command_line":"` + name + `"}}`))
	}
	f.Fuzz(func(t *testing.T, lines []byte) {
		var out bytes.Buffer
		to, rows := NewCSV(&out), 1
		var d Decoder
		for line := range bytes.Lines(lines) {
			var rec model.Record
			if d.Decode(line, &rec) != nil {
				continue
			}
			switch rec.Kind {
			case model.KindTeardown, model.KindOutcome, model.KindCloseFailed, model.KindStray, model.KindCounts:
				rows++
			default:
			}
			if err := to.Write(&rec); err != nil {
				t.Fatal(err)
			}
		}
		if err := to.Flush(); err != nil {
			t.Fatal(err)
		}
		all, err := csv.NewReader(&out).ReadAll() // also refuses rows of other lengths
		if err != nil || len(all) != rows {
			t.Fatalf("%d rows, want %d (%v)", len(all), rows, err)
		}
		for _, row := range all {
			for _, cell := range row {
				first, _ := utf8.DecodeRuneInString(cell)
				number := strings.Trim(strings.TrimPrefix(cell, "-"), "0123456789") == ""
				if cell != "" && strings.ContainsRune("=+-@\uff1d\uff0b\uff0d\uff20", first) && !number {
					t.Errorf("a spreadsheet takes %q for a formula", cell)
				}
				if !utf8.ValidString(cell) || strings.ContainsFunc(cell, func(r rune) bool { return unicode.IsControl(r) || unicode.Is(unicode.Bidi_Control, r) }) {
					t.Errorf("a cell is %q", cell)
				}
			}
		}
	})
}
