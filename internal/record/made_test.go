package record

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/closetrace/closetrace/internal/ledger/ledgertest"
	"github.com/closetrace/closetrace/model"
)

// writeMade writes a recording into files that rotate, and returns them, the oldest first.
func writeMade(t *testing.T, made *ledgertest.Recording, options Options) []string {
	t.Helper()
	folder := t.TempDir()
	w, err := Create(filepath.Join(folder, "a.jsonl"), options)
	if err != nil {
		t.Fatal(err)
	}
	write(t, w, made.Records...)
	stop := stopRecord()
	stop.Stop.Lost = made.Lost
	write(t, w, stop)
	closeWriter(t, w)
	files, err := filepath.Glob(filepath.Join(folder, "a*.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(files) // "a-2026..." before "a.jsonl"
	return files
}

// TestStopLinesOfMade: the stop line of each file counts the ends of that file as
// its lines leave them, though an outcome may be in the file after its teardown's.
func TestStopLinesOfMade(t *testing.T) {
	made := ledgertest.Make(11, 3000)
	files := writeMade(t, made, Options{RotateSize: 300 << 10})
	if len(files) < 4 {
		t.Fatalf("got %d files, want some", len(files))
	}
	line, lost, split := 1, uint64(0), 0 // line 0 is the start, which every file repeats
	for _, path := range files {
		list := read(t, path)
		first, n := line, len(list)-2
		line += n
		want := made.Count(func(i int) bool { return i >= first && i < first+n })
		stop := list[len(list)-1]
		if stop.Kind != model.KindStop || !maps.Equal(stop.Stop.Teardowns, want.Verdicts) {
			t.Errorf("%s: stop line %v, want %v", path, stop.Stop.Teardowns, want.Verdicts)
		}
		lost += stop.Stop.Lost
		split += int(want.Ends)
	}
	all := made.Count(ledgertest.All)
	if line != len(made.Records) || lost != made.Lost {
		t.Errorf("the files have %d records and %d lost events, want %d and %d", line, lost, len(made.Records), made.Lost)
	}
	if split <= int(all.Ends) {
		t.Error("no outcome is in another file than its teardown: the test shows less than it should")
	}
}

// finalQuery returns the query of the page that counts each end once.
func finalQuery(t *testing.T, language string) string {
	t.Helper()
	list := queriesOf(t, language+" final")
	if len(list) != 1 {
		t.Fatalf("docs/queries.md has %d such queries in %s, want 1", len(list), language)
	}
	return list[0]
}

// checkRows compares what a query says with how the recording was made.
func checkRows(t *testing.T, made *ledgertest.Recording, rows []map[string]any) {
	t.Helper()
	want := made.Count(ledgertest.All)
	verdicts, causes, lost := map[string]uint64{}, map[string]uint64{}, uint64(0)
	number := func(v any) uint64 {
		n, err := strconv.ParseUint(strings.TrimSuffix(fmt.Sprint(v), ".0"), 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	for _, r := range rows {
		verdicts[fmt.Sprint(r["verdict"])] += number(r["ends"])
		causes[fmt.Sprint(r["cause"])] += number(r["ends"])
		lost += number(r["lost"])
	}
	if !maps.Equal(verdicts, want.Verdicts) || !maps.Equal(causes, want.Causes) || lost != want.Lost {
		t.Errorf("got %v, %v and %d lost; want %v, %v and %d", verdicts, causes, lost, want.Verdicts, want.Causes, want.Lost)
	}
}

func madeIncident(t *testing.T) (*ledgertest.Recording, string) {
	made := ledgertest.Make(12, 2000)
	files := writeMade(t, made, Options{})
	folder := filepath.Dir(files[0])
	if err := os.Rename(files[0], filepath.Join(folder, "incident.jsonl")); err != nil {
		t.Fatal(err)
	}
	return made, folder
}

func TestJqCountsMade(t *testing.T) {
	need(t, "programs", "bash", "jq")
	made, folder := madeIncident(t)
	var rows []map[string]any
	for _, line := range shell(t, folder, finalQuery(t, "sh")) {
		var r map[string]any
		d := json.NewDecoder(strings.NewReader(line))
		d.UseNumber()
		if err := d.Decode(&r); err != nil {
			t.Fatal(err)
		}
		rows = append(rows, r)
	}
	checkRows(t, made, rows)
}

func TestDuckDBCountsMade(t *testing.T) {
	made, folder := madeIncident(t)
	checkRows(t, made, duck(t, folder, finalQuery(t, "sql")))
}
