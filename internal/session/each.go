package session

import (
	"iter"

	"github.com/closetrace/closetrace/internal/ledger"
	"github.com/closetrace/closetrace/model"
)

// Each hands add the records that pass, of a file or of a trace, until one of the two
// fails. A record is valid during the call.
func Each(records iter.Seq2[model.Record, error], passing *ledger.Passing, add func(*model.Record) error) error {
	var last model.Record // one for all: the range's own would each move to the heap
	for r, err := range records {
		if err != nil {
			return err
		}
		if last = r; !passing.Match(&last) {
			continue
		}
		if err := add(&last); err != nil {
			return err
		}
	}
	return nil
}

// All is a filter that every record passes: what a [Session] yields has passed its own.
func All() *ledger.Passing { return ledger.NewPassing(nil) }
