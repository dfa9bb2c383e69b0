package record

import (
	"bytes"
	"encoding/json"
	"maps"
	"os"
	"testing"

	"github.com/closetrace/closetrace/internal/record/recordtest"
	"github.com/closetrace/closetrace/model"
)

// golden is a recording of version 1 that must stay readable for ever. Never regenerate
// it: a new version of the format gets a file of its own. It holds the ends of a run of
// the lab on Linux 6.18, and made-up lines with every member and with hostile strings.
const golden = "testdata/closetrace-1.jsonl"

func TestGoldenRecording(t *testing.T) {
	data, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if n, err := recordtest.Check(bytes.NewReader(data)); err != nil || n != 67 {
		t.Errorf("schema: %d lines, %v", n, err)
	}
	list := read(t, golden)
	lines := bytes.SplitAfter(data, []byte("\n"))
	if len(list) != 67 {
		t.Fatalf("got %d records, want 67", len(list))
	}
	counted := map[string]uint64{} // the writer of that time did not count outcomes
	for _, e := range teardowns(list) {
		counted[e.Verdict.String()]++
	}
	if stop := list[len(list)-1].Stop; !maps.Equal(stop.Teardowns, counted) {
		t.Errorf("stop line: got %v, want %v", stop.Teardowns, counted)
	}
	for i := range list {
		if again := Append(nil, &list[i]); !bytes.Equal(again, lines[i]) {
			t.Errorf("line %d is written as\n%s instead of\n%s", i+1, again, lines[i])
		}
		if list[i].Kind != model.KindTeardown {
			continue
		}
		var want teardownLine // what encoding/json makes of the line
		if err := json.Unmarshal(lines[i], &want); err != nil {
			t.Fatal(err)
		}
		if got, want := list[i].Teardown.Rule, want.Rule; got != want {
			t.Errorf("line %d: got rule %s, want %s", i+1, got, want)
		}
		if got, want := list[i].Teardown.Evidence.Wait, want.Evidence.Wait; got != want {
			t.Errorf("line %d: got %+v, want %+v", i+1, got, want)
		}
	}
}

// TestGoldenCompressed reads the same file in zstd frames.
func TestGoldenCompressed(t *testing.T) {
	want := read(t, golden)
	path := t.TempDir() + "/a.jsonl.zst"
	w, err := Create(path, Options{})
	if err != nil {
		t.Fatal(err)
	}
	write(t, w, want...)
	closeWriter(t, w)
	got := read(t, path)
	checkTally(t, got)
	last := &got[len(got)-1].Stop
	if last.Losses != (model.Losses{Events: 3}) {
		t.Errorf("the stop line has losses %+v, the file a loss of 3 events", last.Losses)
	}
	last.Losses = model.Losses{}                      // the golden file is older
	last.Teardowns = want[len(want)-1].Stop.Teardowns // written by a version that did not count outcomes
	if d := difference(got, want); d != "" {
		t.Error(d)
	}
}
