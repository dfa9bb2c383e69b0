package ledger

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"testing"

	"github.com/closetrace/closetrace/model"
)

func told(kind model.Kind, id string, v model.Verdict, c model.Cause) *model.Record {
	r := &model.Record{Kind: kind}
	r.Teardown.ID, r.Teardown.Verdict, r.Teardown.Cause = id, v, c
	return r
}

// TestLedgerAgainstMap: the last Remembered ends of each verdict are known, with
// what was remembered last, and no others.
func TestLedgerAgainstMap(t *testing.T) {
	var l Ledger[int]
	if l.Of("x") != nil {
		t.Error("an empty ledger knows an end")
	}
	random := rand.New(rand.NewPCG(1, 2))
	common := 0
	rare := map[string]int{}
	for i := range 2*Remembered + 1000 {
		if random.IntN(1000) == 0 {
			id := fmt.Sprint("rare-", i)
			rare[id] = i
			l.Add(told(model.KindTeardown, id, model.LingerTimeout, 0), i)
		}
		l.Add(told(model.KindTeardown, fmt.Sprint(i), model.Graceful, 0), i)
		common++
	}
	for i := range common {
		got := l.Of(fmt.Sprint(i))
		if want := i >= common-Remembered; (got != nil) != want || want && *got != i {
			t.Fatalf("end %d of %d: got %v, want known %v", i, common, got, want)
		}
	}
	for id, i := range rare {
		if got := l.Of(id); got == nil || *got != i {
			t.Errorf("%s: got %v, want %d: common ends have pushed it out", id, got, i)
		}
	}
	last := fmt.Sprint(common - 1)
	c := l.Clone()
	*l.Of(last) = -1
	if got := *c.Of(last); got != common-1 {
		t.Errorf("a change shows in a copy: got %d", got)
	}
	l.Add(told(model.KindTeardown, last, model.Silent, 0), 5)
	l.Add(told(model.KindTeardown, last, model.Graceful, 0), 7)
	if got := *l.Of(last); got != 7 {
		t.Errorf("of two ends with one ID: got %d, want the later one, 7", got)
	}
}

func TestEnds(t *testing.T) {
	graceful, reset := Ending{model.Graceful, model.CauseFIN}, Ending{model.Abortive, model.CauseDataAfterClose}
	expired := Ending{model.LingerTimeout, model.CauseLingerExpired}
	record := func(kind model.Kind, id string, how Ending) *model.Record {
		return told(kind, id, how.Verdict, how.Cause)
	}
	retracted := record(model.KindOutcome, "c", graceful)
	retracted.Retracts = true
	var e Ends
	for i, step := range []struct {
		r     *model.Record
		isNew bool
		want  map[Ending]uint64
	}{
		{record(model.KindStart, "", Ending{}), false, nil},
		{record(model.KindTeardown, "a", graceful), true, map[Ending]uint64{graceful: 1}},
		{record(model.KindTeardown, "b", graceful), true, map[Ending]uint64{graceful: 2}},
		{record(model.KindOutcome, "b", reset), false, map[Ending]uint64{graceful: 1, reset: 1}},
		{record(model.KindOutcome, "b", reset), false, map[Ending]uint64{graceful: 1, reset: 1}},
		{record(model.KindTeardown, "c", expired), true, map[Ending]uint64{graceful: 1, reset: 1, expired: 1}},
		{record(model.KindOutcome, "c", graceful), false, map[Ending]uint64{graceful: 1, reset: 1, expired: 1}},
		{retracted, false, map[Ending]uint64{graceful: 2, reset: 1}},
		{record(model.KindOutcome, "unknown", reset), true, map[Ending]uint64{graceful: 2, reset: 2}},
		{record(model.KindOutcome, "unknown", reset), false, map[Ending]uint64{graceful: 2, reset: 2}},
		{record(model.KindCloseFailed, "d", Ending{}), false, map[Ending]uint64{graceful: 2, reset: 2}},
	} {
		if isNew := e.Add(step.r); isNew != step.isNew || !maps.Equal(e.Counts(), step.want) {
			t.Errorf("step %d: got %v, new %v; want %v, %v", i, e.Counts(), isNew, step.want, step.isNew)
		}
	}
	if got := e.ByVerdict(); !maps.Equal(got, map[string]uint64{"graceful": 2, "abortive": 2}) {
		t.Errorf("got %v", got)
	}
	if got := e.Verdicts(); got != [model.NumVerdicts]uint64{model.Graceful: 2, model.Abortive: 2} {
		t.Errorf("got %v", got)
	}
}

// TestPassing: what an outcome's filter says of its teardown holds for it too.
func TestPassing(t *testing.T) {
	named := func(r *model.Record, name string) *model.Record {
		r.Teardown.Process.Name = name
		return r
	}
	graceful := func(id, name string) *model.Record {
		return named(told(model.KindTeardown, id, model.Graceful, model.CauseFIN), name)
	}
	reset := func(id, name string) *model.Record {
		return named(told(model.KindOutcome, id, model.Abortive, model.CauseDataAfterClose), name)
	}
	for _, test := range []struct {
		filter  string
		records []*model.Record
		want    []bool
	}{
		{``, []*model.Record{graceful("a", "nginx"), reset("a", "")}, []bool{true, true}},
		{`process.name == "nginx"`, []*model.Record{graceful("a", "nginx"), reset("a", "")}, []bool{true, true}},
		{`process.name == "nginx"`, []*model.Record{graceful("a", "curl"), reset("a", ""), reset("b", "nginx")}, []bool{false, false, true}},
		{`verdict == "abortive"`, []*model.Record{graceful("a", "nginx"), reset("a", "nginx")}, []bool{false, true}},
		{`verdict == "graceful"`, []*model.Record{graceful("a", "nginx"), reset("a", "nginx"), reset("b", "nginx")}, []bool{true, true, false}},
	} {
		filter, err := model.CompileFilter(test.filter)
		if err != nil {
			t.Fatal(err)
		}
		p := NewPassing(filter)
		for i, r := range test.records {
			if got := p.Match(r); got != test.want[i] {
				t.Errorf("%s: record %d passes: %v, want %v", test.filter, i, got, test.want[i])
			}
		}
	}
}
