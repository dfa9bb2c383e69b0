//go:build cgo

package etwsrc

import (
	"bytes"
	"testing"

	"github.com/closetrace/closetrace/etwsrc/etltest"
	"github.com/closetrace/closetrace/etwsrc/internal/etl"
	"github.com/closetrace/closetrace/etwsrc/internal/join"
	"github.com/closetrace/closetrace/etwsrc/internal/raw"
	"github.com/closetrace/closetrace/model"
)

// consumed delivers the events of one connection as a session would that then
// ends, having lost that many events.
func consumed(t *testing.T, lost uint32) []model.Event {
	b := etltest.NewBuilder(t, etltest.Releases()[7])
	c := connection(b, 0)
	c.PID = 0 // no process of this machine
	c.Connect(0)
	graceful(c, 100*ms)
	data := b.Trace().Bytes()
	r, err := etl.New(bytes.NewReader(data), int64(len(data)))
	if err != nil {
		t.Fatal(err)
	}
	s := &Session{receiver: newReceiver(256), joiner: join.New(), owners: newOwners()}
	var e raw.Event
	for r.Next(&e) {
		slot := <-s.receiver.free
		slot.event = e
		slot.event.Data = append(slot.room[:0], e.Data...)
		s.receiver.full <- slot
	}
	s.last.Store(&state{lost: lost})
	done := make(chan error, 1)
	done <- nil
	var got []model.Event
	err, more := s.consume(done, func(e model.Event, _ error) bool {
		got = append(got, e)
		return true
	})
	if err != nil || !more {
		t.Errorf("consume = %v, %v; want that the session ended", err, more)
	}
	return got
}

// What had ended when Windows was asked for its losses may have ended
// otherwise.
func TestEventsOfASessionWithLossesAreInferred(t *testing.T) {
	got := consumed(t, 0)
	if len(got) != 1 || got[0].Facts.Evidence.Gap || model.JudgeEvent(&got[0]).Teardown.Verdict != model.Graceful {
		t.Errorf("without a loss %+v, want one graceful end without a gap", got)
	}
	got = consumed(t, 3)
	if len(got) != 2 || !got[0].Facts.Evidence.Gap || got[1].Kind != model.KindLoss || got[1].Loss.Count != 3 {
		t.Errorf("with a loss %+v, want an end with a gap and the loss of 3", got)
	}
}
