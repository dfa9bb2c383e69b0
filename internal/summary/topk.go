package summary

import (
	"cmp"
	"slices"
)

// topK counts keys and keeps the most frequent ones: the space-saving
// algorithm on a heap with the least frequent key at its root.
type topK[K comparable] struct {
	size  int
	index map[K]int
	heap  []slot[K]
	// evicted is whether a key had to make room: counts may then be too high,
	// and keys may be missing.
	evicted bool
}

// slot is one key. Count is at most Over too high; the tally counts what was
// seen since the key came (back) in.
type slot[K comparable] struct {
	Key   K
	Count uint64
	Over  uint64
	Tally Tally
}

func newTopK[K comparable](size int) *topK[K] {
	return &topK[K]{size: size, index: make(map[K]int)}
}

// add counts key once and returns its tally, valid until the next call.
func (t *topK[K]) add(key K) *Tally {
	i, found := t.index[key]
	switch {
	case found:
		t.heap[i].Count++
	case len(t.heap) < t.size:
		i = len(t.heap)
		t.heap = append(t.heap, slot[K]{Key: key, Count: 1})
		t.index[key] = i
		return &t.heap[t.up(i)].Tally
	default:
		i = 0
		delete(t.index, t.heap[0].Key)
		least := t.heap[0].Count
		t.evicted = t.evicted || least > 0
		t.heap[0] = slot[K]{Key: key, Count: least + 1, Over: least}
		t.index[key] = 0
	}
	return &t.heap[t.down(i)].Tally
}

// take counts a key that is kept once less, with what e counted for it.
func (t *topK[K]) take(key K, e *counted) {
	i, found := t.index[key]
	if !found || t.heap[i].Count == 0 {
		return
	}
	t.heap[i].Count--
	t.heap[i].Tally.take(e)
	t.up(i)
}

func (t *topK[K]) up(i int) int {
	for i > 0 {
		parent := (i - 1) / 2
		if t.heap[parent].Count <= t.heap[i].Count {
			break
		}
		t.swap(i, parent)
		i = parent
	}
	return i
}

func (t *topK[K]) down(i int) int {
	for {
		least := i
		for child := 2*i + 1; child <= 2*i+2 && child < len(t.heap); child++ {
			if t.heap[child].Count < t.heap[least].Count {
				least = child
			}
		}
		if least == i {
			return i
		}
		t.swap(i, least)
		i = least
	}
}

func (t *topK[K]) swap(i, j int) {
	t.heap[i], t.heap[j] = t.heap[j], t.heap[i]
	t.index[t.heap[i].Key], t.index[t.heap[j].Key] = i, j
}

// list returns the kept keys that count, the most frequent first; equal ones in the order
// of their names, so that the same file always gives the same list.
func (t *topK[K]) list(name func(K) string) []slot[K] {
	list := slices.DeleteFunc(slices.Clone(t.heap), func(s slot[K]) bool { return s.Count == 0 })
	slices.SortFunc(list, func(a, b slot[K]) int {
		if c := cmp.Compare(b.Count, a.Count); c != 0 {
			return c
		}
		return cmp.Compare(name(a.Key), name(b.Key))
	})
	return list
}
