package report

import (
	"cmp"
	"container/heap"
	"slices"

	"github.com/closetrace/closetrace/model"
)

// How many ends are kept whole: some of each cause, so that a common one does
// not hide the others, and how many of them the page shows.
const (
	keptOfCause  = 60
	shownOfCause = 5
	shownWorst   = 200
)

// worst keeps the worst ends of each cause.
type worst struct {
	causes  [model.NumCauses]ends
	dropped bool // there were more than are kept
}

// ends is a heap with the least bad end at its root.
type ends []model.Teardown

func (e ends) Len() int           { return len(e) }
func (e ends) Less(i, j int) bool { return compare(&e[i], &e[j]) > 0 }
func (e ends) Swap(i, j int)      { e[i], e[j] = e[j], e[i] }

// Push and Pop implement [heap.Interface].
func (e *ends) Push(x any) { *e = append(*e, *x.(*model.Teardown)) }

// Pop removes the last one.
func (e *ends) Pop() any { *e = (*e)[:len(*e)-1]; return nil }

func (w *worst) add(t *model.Teardown) {
	if int(t.Cause) >= len(w.causes) || t.Verdict == model.Graceful && t.CloseBlocked.Or(0) == 0 && t.TCP.Bytes.Lost() == 0 {
		return
	}
	e := &w.causes[t.Cause]
	switch {
	case len(*e) < keptOfCause:
		heap.Push(e, t)
		return
	case compare(t, &(*e)[0]) < 0:
		(*e)[0] = *t
		heap.Fix(e, 0)
	}
	w.dropped = true
}

// amend puts what an end was after its outcome in the place of what was said
// before. An end that was not bad enough to be kept may be so now: its outcome
// stands alone.
func (w *worst) amend(outcome *model.Record) {
	for i := range w.causes {
		e := &w.causes[i]
		for j := range *e {
			if t := (*e)[j]; t.ID == outcome.Teardown.ID && t.ID != "" {
				heap.Remove(e, j)
				t.Amend(outcome)
				w.add(&t)
				return
			}
		}
	}
	if outcome.Overrules() {
		w.add(&outcome.Teardown)
	}
}

// compare orders by how bad an end is, the worst first: what it lost, how long
// it kept its process waiting, whether it was graceful; among equals the
// first, so that a page says how it began.
func compare(a, b *model.Teardown) int {
	return cmp.Or(
		cmp.Compare(b.TCP.Bytes.Lost(), a.TCP.Bytes.Lost()),
		cmp.Compare(b.CloseBlocked.Or(0), a.CloseBlocked.Or(0)),
		cmp.Compare(grade(b), grade(a)),
		cmp.Compare(b.TCP.Retransmits.Or(0), a.TCP.Retransmits.Or(0)),
		cmp.Compare(a.Time, b.Time),
		cmp.Compare(a.ID, b.ID),
	)
}

func grade(t *model.Teardown) int {
	switch t.Verdict {
	case model.Abortive, model.LingerTimeout:
		return 3
	case model.Silent, model.VerdictUnknown:
		return 2
	case model.FailedOpen:
		return 1
	case model.Graceful:
	}
	return 0
}

// list returns the ends to show, the worst first: the worst of each cause for
// certain, and then whatever is worst. It also reports whether there are no more.
func (w *worst) list() (list []*model.Teardown, all bool) {
	var sure, rest []*model.Teardown
	for i := range w.causes {
		var all []*model.Teardown
		for j := range w.causes[i] {
			all = append(all, &w.causes[i][j])
		}
		slices.SortFunc(all, compare)
		n := min(shownOfCause, len(all))
		sure, rest = append(sure, all[:n]...), append(rest, all[n:]...)
	}
	slices.SortFunc(rest, compare)
	shown := min(len(rest), shownWorst-len(sure))
	list = append(sure, rest[:shown]...)
	slices.SortFunc(list, compare)
	return list, !w.dropped && shown == len(rest)
}
