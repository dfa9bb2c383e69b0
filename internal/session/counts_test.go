package session

import (
	"errors"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/closetrace/closetrace/internal/findings"
	"github.com/closetrace/closetrace/internal/record"
	"github.com/closetrace/closetrace/model"
)

func named(kind model.Kind, id string) model.Record {
	r := model.Record{Kind: kind}
	r.Teardown.ID = id
	return r
}

// TestCounts: what the source has seen is counted before the filter, and of the tables the
// fullest is kept.
func TestCounts(t *testing.T) {
	filter, err := model.CompileFilter(`id == "a"`)
	if err != nil {
		t.Fatal(err)
	}
	records := []model.Record{
		named(model.KindTeardown, "a"), named(model.KindTeardown, "b"), named(model.KindOutcome, "a"),
		{Kind: model.KindCounts, Counted: model.Counted{Ends: 5, TakenBack: 2}},
		{Kind: model.KindTable, Table: model.Table{Held: 3, Max: 1}},
		{Kind: model.KindTable, Table: model.Table{Held: 5, Max: 2}},
		{Kind: model.KindTable, Table: model.Table{Held: 5, Max: 3}},
		{Kind: model.KindTable, Table: model.Table{Held: 4, Max: 4}},
	}
	found := findings.New()
	s := New(&script{records: records, err: errors.New("over")}, Options{Rest: filter, Found: found, Cost: func() model.Cost { return model.Cost{Maps: 9} }})
	var stop model.Stop
	for r, err := range s.Records(t.Context()) {
		if err == nil {
			stop = r.Stop
		}
	}
	if s.Seen() != 5 {
		t.Errorf("%d seen, want 2 ends and 3 that were only counted", s.Seen())
	}
	if want := (model.Table{Held: 5, Max: 2}); stop.Table != want || stop.Cost.Maps != 9 || stop.Time == 0 {
		t.Errorf("got %+v, want the first of the fullest tables", stop)
	}
	found.Finish()
	if got := found.Report().Connections; got != 1 {
		t.Errorf("findings have %d connections, want 1", got)
	}
	if cost := New(&script{}, Options{}).Cost(); cost != (model.Cost{}) {
		t.Errorf("nobody knows the cost: got %+v", cost)
	}
}

// TestAfterTheCount: of what comes after the last end that was asked for, only what belongs
// to the earlier ones is passed on.
func TestAfterTheCount(t *testing.T) {
	records := []model.Record{
		named(model.KindTeardown, "a"), named(model.KindTeardown, "b"), named(model.KindTeardown, "c"),
		named(model.KindOutcome, "d"), named(model.KindOutcome, "a"),
		{Kind: model.KindLoss},
	}
	var got []string
	for r, err := range New(&script{records: records, err: errors.New("over")}, Options{Count: 2}).Records(t.Context()) {
		if err == nil {
			got = append(got, r.Kind.String()+" "+r.Teardown.ID)
		}
	}
	if want := []string{"start ", "teardown a", "teardown b", "outcome a", "loss ", "stop "}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

// recorded returns the lines of a recording by their kinds, and its last line.
func recorded(t *testing.T, path string) (kinds []model.Kind, stop model.Stop) {
	t.Helper()
	r, err := record.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	for line, err := range r.Records() {
		if err != nil {
			t.Fatal(err)
		}
		kinds, stop = append(kinds, line.Kind), line.Stop
	}
	return kinds, stop
}

// TestPart: a recording that begins and ends while the session goes on has a first and a
// last line of its own.
func TestPart(t *testing.T) {
	path := filepath.Join(t.TempDir(), "part.jsonl")
	before := model.TimeOf(time.Now())
	p, err := BeginPart(path, record.Options{}, model.Start{Time: 1, Backend: "fentry"})
	if err != nil {
		t.Fatal(err)
	}
	loss := model.Record{Kind: model.KindLoss, Loss: model.Loss{Count: 7, Where: "ring-buffer"}}
	for _, r := range []model.Record{{Kind: model.KindStart}, named(model.KindTeardown, "a"), loss, {Kind: model.KindStop}} {
		if err := p.Write(&r); err != nil {
			t.Error(err)
		}
	}
	if err := p.Close(); err != nil {
		t.Error(err)
	}
	kinds, stop := recorded(t, path)
	if want := []model.Kind{model.KindStart, model.KindTeardown, model.KindLoss, model.KindStop}; !slices.Equal(kinds, want) {
		t.Errorf("got %v, want %v", kinds, want)
	}
	if stop.Reason != "signal" || stop.Lost != 7 || stop.Losses.Ends != 7 || stop.Time < before/1000*1000 {
		t.Errorf("got %+v, want 7 ends lost, ended now", stop)
	}
	r, err := record.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	for line := range r.Records() {
		if line.Start.Time < before/1000*1000 || line.Start.Backend != "fentry" {
			t.Errorf("begun: %+v, want now", line.Start)
		}
		break
	}
	if _, err := BeginPart(path, record.Options{}, model.Start{}); err == nil {
		t.Error("the file was overwritten")
	}
}

// TestRecordUntilFull: a recording that has reached its size ends with a stop line that says so, and the
// losses until then; a record that has no line ends nothing.
func TestRecordUntilFull(t *testing.T) {
	path := filepath.Join(t.TempDir(), "full.jsonl")
	w, err := record.Create(path, record.Options{MaxSize: record.MinSize})
	if err != nil {
		t.Fatal(err)
	}
	records := []model.Record{{Kind: model.KindLoss, Loss: model.Loss{Count: 7, Where: "late-evidence"}}, {Kind: model.KindUnknown}}
	for range 1000 {
		records = append(records, named(model.KindTeardown, "a"))
	}
	seen := 0
	if err := New(&script{records: records}, Options{}).Record(t.Context(), w, func(*model.Record) { seen++ }); err != nil {
		t.Error(err)
	}
	if err := w.Close(); err != nil {
		t.Error(err)
	}
	kinds, stop := recorded(t, path)
	if stop.Reason != "size" || stop.Lost != 7 || stop.Losses.Late != 7 || len(kinds) < 10 || seen < len(kinds)-1 {
		t.Errorf("%d lines, %d seen, ended by %+v", len(kinds), seen, stop)
	}
}
