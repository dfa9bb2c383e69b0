package tui

import (
	"slices"

	"github.com/closetrace/closetrace/model"
)

// journal keeps the last records, packed. A record's sequence number is its identity
// for ever: the n-th record that came has the number n, from 0.
//
// One goroutine appends. A snapshot may be read by another goroutine at the
// same time, because a chunk that a snapshot holds is never used again.
type journal struct {
	chunks []*chunk
	held   int      // snapshots that are still read
	spare  []*chunk // dropped, free for use
	heldTo uint64   // chunks that begin before this number are held
	first  uint64   // the oldest record that is kept
	next   uint64   // the number that the next record gets
	limit  int      // in chunks
	one    *unpacked
	passed *unpacked
	// dropped gets the records that are not kept any more, if it is set.
	dropped func(*model.Record)
}

// maxJournal bounds the bytes of what is kept: records of hosts whose names and command
// lines are long and differ are fewer.
const maxJournal = 16 << 20

// newJournal returns a journal that keeps at least keep records, if maxJournal allows, and
// at most one chunk more.
func newJournal(keep int) journal {
	return journal{limit: (max(keep, 1)+chunkSize-1)/chunkSize + 1, one: new(unpacked), passed: &unpacked{reuse: true}}
}

// at returns the record with number seq, which must be one of [first, next).
// It is valid until at is called again.
func (j *journal) at(seq uint64) *model.Record {
	j.chunks[(seq-j.first)/chunkSize].at(seq%chunkSize, j.one)
	return &j.one.record
}

// peek is at, for searches: the texts of its record too are valid only until peek is
// called again.
func (j *journal) peek(seq uint64) *model.Record {
	j.chunks[(seq-j.first)/chunkSize].at(seq%chunkSize, j.passed)
	return &j.passed.record
}

// add appends a copy of r and returns its number.
func (j *journal) add(r *model.Record) uint64 {
	if j.next%chunkSize == 0 {
		j.grow()
	}
	seq := j.next
	j.next++
	j.chunks[(seq-j.first)/chunkSize].add(r)
	return seq
}

// grow makes room for the next chunk and drops the oldest if there are too many.
func (j *journal) grow() {
	var last *chunk
	if n := len(j.chunks); n > 0 {
		last = j.chunks[n-1]
		last.known = nil // nothing is added to it any more
	}
	for len(j.chunks) >= j.limit || len(j.chunks) > 1 && j.size() > maxJournal {
		j.drop()
	}
	if n := len(j.spare); n > 0 {
		j.chunks = append(j.chunks, j.spare[n-1])
		j.spare = j.spare[:n-1]
		return
	}
	j.chunks = append(j.chunks, newChunk(last))
}

// drop forgets the oldest chunk.
func (j *journal) drop() {
	oldest := j.chunks[0]
	if j.dropped != nil {
		for seq := j.first; seq < j.first+chunkSize; seq++ {
			j.dropped(j.at(seq))
		}
	}
	if (j.held == 0 || j.first >= j.heldTo) && len(j.spare) == 0 {
		oldest.clear()
		j.spare = append(j.spare, oldest)
	}
	copy(j.chunks, j.chunks[1:])
	j.chunks[len(j.chunks)-1] = nil
	j.chunks = j.chunks[:len(j.chunks)-1]
	j.first += chunkSize
}

// size is the memory of what is kept.
func (j *journal) size() (bytes int) {
	for _, c := range j.chunks {
		bytes += c.size()
	}
	return bytes
}

// snapshot returns the records that are kept now, for reading. It costs the
// journal nothing but that these chunks are not used again until release.
func (j *journal) snapshot() journal {
	j.held++
	j.heldTo = j.next
	chunks := append([]*chunk(nil), j.chunks...)
	if n := len(chunks); n > 0 {
		chunks[n-1] = chunks[n-1].view() // it is still appended to
	}
	return journal{
		chunks: chunks,
		first:  j.first, next: j.next, limit: j.limit, one: new(unpacked), passed: &unpacked{reuse: true},
	}
}

// reader returns the same records for another goroutine; j is a snapshot.
func (j *journal) reader() journal {
	c := *j
	c.one, c.passed = new(unpacked), &unpacked{reuse: true}
	return c
}

// release says that a snapshot is not read any more.
func (j *journal) release() { j.held = max(j.held-1, 0) }

// numbers is a queue of sequence numbers. They ascend, except those of resets that were
// reported late, which stand at most maxLate places further ahead.
type numbers struct {
	all  []uint64
	head int
}

const maxLate = 1024

func (n *numbers) len() int { return len(n.all) - n.head }

func (n *numbers) at(i int) uint64 { return n.all[n.head+i] }

// insert puts seq at place i, which is the end or at most maxLate before it.
func (n *numbers) insert(i int, seq uint64) { n.all = slices.Insert(n.all, n.head+i, seq) }

// dropBefore removes the numbers below first, and what stands between them.
func (n *numbers) dropBefore(first uint64) {
	for i := n.head; i < min(n.head+maxLate, len(n.all)); i++ {
		if n.all[i] < first {
			n.head = i + 1
		}
	}
	if n.head > len(n.all)/2 {
		n.all = n.all[:copy(n.all, n.all[n.head:])]
		n.head = 0
	}
}

// search returns the index of seq, or of a number near it if it is gone.
func (n *numbers) search(seq uint64) int {
	all := n.all[n.head:]
	if i := slices.Index(all, seq); i >= 0 {
		return i
	}
	i, _ := slices.BinarySearch(all, seq)
	return i
}

func (n *numbers) copy() numbers {
	return numbers{all: slices.Clone(n.all[n.head:])}
}
