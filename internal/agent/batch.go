package agent

import (
	"bytes"
	"encoding/json"
	"time"

	"github.com/closetrace/closetrace/internal/findings"
	"github.com/closetrace/closetrace/internal/record"
	"github.com/closetrace/closetrace/model"
)

// batch collects what is sent in one request, as lines: those of a recording, and three
// kinds of its own.
type batch struct {
	lines []byte
	count int
	began time.Time
}

// parcel is a batch on its way.
type parcel struct {
	lines []byte
	count int

	fails     int    // times that it was refused while others were taken, or for good
	successes uint64 // of all parcels, when it failed last
	tried     bool
}

// extra is a line that is not of a recording.
type extra struct {
	Finding *findings.Finding `json:"finding,omitempty"`
	Note    string            `json:"note,omitempty"`
	Names   map[string]string `json:"names,omitempty"` // attributes of the next line
	Time    time.Time         `json:"time,omitzero"`
}

// add takes a record, and attributes that it does not have itself.
func (b *batch) add(r *model.Record, names map[string]string) {
	b.begin()
	if len(names) > 0 {
		b.line(extra{Names: names})
	}
	b.lines = record.Append(b.lines, r)
}

func (b *batch) addFinding(f *findings.Finding) { b.addExtra(extra{Finding: f, Time: f.Last.Go()}) }

func (b *batch) addNote(now time.Time, text string) { b.addExtra(extra{Note: text, Time: now}) }

func (b *batch) addExtra(x extra) {
	b.begin()
	b.line(x)
}

func (b *batch) line(x extra) {
	line, err := json.Marshal(x)
	if err != nil {
		return // no value of these types can fail
	}
	b.lines = append(append(b.lines, line...), '\n')
}

func (b *batch) begin() {
	if b.count == 0 {
		b.began = time.Now()
	}
	b.count++
}

func (b *batch) full() bool { return b.count >= batchSize || len(b.lines) >= batchBytes }

// take empties the batch.
func (b *batch) take() parcel {
	p := parcel{lines: bytes.Clone(b.lines), count: b.count}
	b.lines, b.count = b.lines[:0], 0
	return p
}

// isExtra reports whether a line is one of ours and not of a recording.
func isExtra(line []byte) bool {
	return bytes.HasPrefix(line, []byte(`{"finding":`)) || bytes.HasPrefix(line, []byte(`{"note":`)) || bytes.HasPrefix(line, []byte(`{"names":`))
}
