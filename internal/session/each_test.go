package session

import (
	"errors"
	"iter"
	"testing"

	"github.com/closetrace/closetrace/internal/ledger"
	"github.com/closetrace/closetrace/model"
)

func sequence(failed error, records ...model.Record) iter.Seq2[model.Record, error] {
	return func(yield func(model.Record, error) bool) {
		for _, r := range records {
			if !yield(r, nil) {
				return
			}
		}
		if failed != nil {
			yield(model.Record{}, failed)
		}
	}
}

// TestEach: what passes is handed over in order; the first error ends it, whoever's it is.
func TestEach(t *testing.T) {
	filter, err := model.CompileFilter("process.pid != 2")
	if err != nil {
		t.Fatal(err)
	}
	broken, full := errors.New("broken file"), errors.New("disk full")
	for name, c := range map[string]struct {
		source, sink error
		want         []int
		failed       error
	}{
		"all is well":      {nil, nil, []int{1, 3}, nil},
		"the file is cut":  {broken, nil, []int{1, 3}, broken},
		"the sink is full": {nil, full, []int{1}, full},
		"both, one by one": {broken, full, []int{1}, full},
	} {
		var got []int
		err := Each(sequence(c.source, end(1), end(2), end(3)), ledger.NewPassing(filter), func(r *model.Record) error {
			got = append(got, r.Teardown.Process.PID)
			return c.sink
		})
		if !errors.Is(err, c.failed) || len(got) != len(c.want) {
			t.Errorf("%s: got %v, %v, want %v, %v", name, got, err, c.want, c.failed)
		}
	}
	n := 0
	if err := Each(sequence(nil, end(1), end(2)), All(), func(*model.Record) error { n++; return nil }); err != nil || n != 2 {
		t.Errorf("without a filter: %d records, %v", n, err)
	}
}
