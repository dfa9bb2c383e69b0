package record

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"errors"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/closetrace/closetrace/model"
)

// TestCSVAgreesWithTheLine compares each cell with the member of that name of
// the record's whole line.
func TestCSVAgreesWithTheLine(t *testing.T) {
	r := random{rand.New(rand.NewPCG(21, 22))}
	var out bytes.Buffer
	c := NewCSV(&out)
	var lines []map[string]any
	for range 500 {
		rec := r.record()
		if err := c.Write(&rec); err != nil {
			t.Fatal(err)
		}
		switch rec.Kind {
		case model.KindTeardown, model.KindOutcome, model.KindCloseFailed, model.KindStray, model.KindCounts:
			lines = append(lines, tree(t, standardLine(t, &rec)))
		}
	}
	if err := c.Flush(); err != nil {
		t.Fatal(err)
	}
	rows, err := csv.NewReader(&out).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	if len(rows) != len(lines)+1 {
		t.Fatalf("got %d rows, want %d and a head", len(rows), len(lines))
	}
	for i, line := range lines {
		for k, name := range rows[0] {
			want, _ := member(line, name)
			if got := strings.TrimPrefix(rows[i+1][k], "'"); got != strings.TrimPrefix(harmless(want), "'") {
				t.Fatalf("row %d, %s: got %q, want %q", i, name, got, want)
			}
		}
	}
}

// member returns a member by its path with dots.
func member(line map[string]any, path string) (string, bool) {
	var v any = line
	for name := range strings.SplitSeq(path, ".") {
		object, ok := v.(map[string]any)
		if !ok || object[name] == nil {
			return "", false
		}
		v = object[name]
	}
	switch v := v.(type) {
	case string:
		return v, true
	case json.Number:
		return v.String(), true
	case bool:
		return strconv.FormatBool(v), true
	}
	return "", false
}

// TestCSVOfNothing: a file without a row has its head line, and one only.
func TestCSVOfNothing(t *testing.T) {
	var out bytes.Buffer
	c := NewCSV(&out)
	for range 2 {
		if err := c.Flush(); err != nil {
			t.Fatal(err)
		}
	}
	rows, err := csv.NewReader(&out).ReadAll()
	if err != nil || len(rows) != 1 || !slices.Contains(rows[0], "verdict") {
		t.Errorf("got %v, %v, want the names of the columns", rows, err)
	}
	if err := NewCSV(fullDisk{}).Flush(); err == nil {
		t.Error("a head line that could not be written is no error")
	}
}

// fullDisk fails every write.
type fullDisk struct{}

func (fullDisk) Write([]byte) (int, error) { return 0, errors.New("no space left on device") }

func TestCSVIsHarmless(t *testing.T) {
	for name, want := range map[string]string{
		"a\u202egnp.exe": "a\ufffdgnp.exe", "\u009b2J": "\ufffd2J", "a\u2028b": "a\ufffdb",
		"=cmd|' /C calc'!A0": "'=cmd|' /C calc'!A0", "+1+1": "'+1+1", "-2": "-2", "-2+3": "'-2+3", "@SUM(A1)": "'@SUM(A1)",
		"\t=1": "\ufffd=1", "a\r\nb": "a\ufffd\ufffdb", "nginx": "nginx", "\xff": "\ufffd",
	} {
		if got := harmless(name); got != want {
			t.Errorf("%q: got %q, want %q", name, got, want)
		}
	}
}
