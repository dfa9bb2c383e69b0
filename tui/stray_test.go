package tui

import (
	"strings"
	"testing"
	"time"

	"github.com/closetrace/closetrace/model"
)

// TestStrayInOrder: resets without a connection are reported late, and stand among the
// ends by their time, also when older records are dropped.
func TestStrayInOrder(t *testing.T) {
	r := newRig(t, 120, 24, nil, func(c *Config) { c.Keep = chunkSize })
	records := feed(3*chunkSize, at, 100*time.Millisecond)
	for i := range records {
		r.add(records[i])
		if i%10 == 9 {
			late := model.Record{Kind: model.KindStray, Stray: model.Stray{Count: 1, Why: model.StrayNotOurs}}
			late.Teardown.Time = records[i-5].Time().Add(50 * time.Millisecond)
			r.add(late)
		}
	}
	d, last, strays := r.in.deck, model.Time(0), 0
	for i := range d.hits.len() {
		seq := d.hits.at(i)
		if seq < d.journal.first {
			t.Fatalf("record %d was dropped and is shown", seq)
		}
		now := d.journal.at(seq)
		if now.Time() < last {
			t.Fatalf("row %d is earlier than the one before", i)
		}
		if now.Kind == model.KindStray {
			strays++
		}
		if last = now.Time(); d.index(seq) != i {
			t.Fatalf("record %d is found at %d, want %d", seq, d.index(seq), i)
		}
	}
	if strays < chunkSize/20 {
		t.Errorf("%d rows are strays", strays)
	}
	r.tick(frame)
	if text := r.text(); !strings.Contains(text, "stray-reset") {
		t.Errorf("no stray in\n%s", text)
	}
}
