// Package ledger remembers recent connection ends, so that an outcome amends its
// teardown wherever ends are counted.
//
//	model.Record ──► Ends.Add ──► counts by verdict and cause: stop lines, status, last words
//	                 Passing.Match ──► an outcome follows its teardown through a filter
//	                 Ledger[T] ──► whatever else counts: what it counted the end as
//
// An end counts once, under what finally happened (model.Record.Overrules). An
// outcome whose teardown was not counted, because a filter dropped it or another
// file has it, counts as an end of its own.
//
// Memory is bounded: the last Remembered ends of each verdict are known. All
// counters share that bound, so that they agree. At 2,000 ends a second it is
// longer than a TIME_WAIT lasts; linger timeouts, whose outcomes may take
// minutes, are too rare to reach it.
package ledger
