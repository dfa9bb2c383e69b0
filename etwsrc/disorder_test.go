package etwsrc

import (
	"bytes"
	"math/rand/v2"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/closetrace/closetrace/etwsrc/etltest"
	"github.com/closetrace/closetrace/etwsrc/internal/etl"
	"github.com/closetrace/closetrace/etwsrc/internal/join"
	"github.com/closetrace/closetrace/etwsrc/internal/raw"
	"github.com/closetrace/closetrace/model"
)

// rawEvents returns the events of all scenarios, overlapping in time, and the
// truth by the peer's address.
func rawEvents(t *testing.T, w etltest.Windows, spread int) ([]raw.Event, map[netip.AddrPort]verdict) {
	b := etltest.NewBuilder(t, w)
	truth := map[netip.AddrPort]verdict{}
	for i, s := range scenarios() {
		if s.skip(b) {
			continue
		}
		c := connection(b, i)
		c.TID = uint32(3000 + i)
		b.Base = time.Duration(i%spread) * 130 * ms
		s.play(c)
		truth[c.Peer] = s.expected(w)
	}
	data := b.Trace().Bytes()
	r, err := etl.New(bytes.NewReader(data), int64(len(data)))
	if err != nil {
		t.Fatal(err)
	}
	var list []raw.Event
	var e raw.Event
	for r.Next(&e) {
		e.Data = bytes.Clone(e.Data)
		list = append(list, e)
	}
	return list, truth
}

// requireNoFalseCertainty judges what the joiner put out: a certain verdict
// must be the truth.
func requireNoFalseCertainty(t *testing.T, events []model.Event, truth map[netip.AddrPort]verdict) (ends, certain int) {
	t.Helper()
	for _, e := range events {
		r := e.Judged()
		if r.Kind != model.KindTeardown {
			continue
		}
		ends++
		if r.Teardown.Confidence != model.Certain {
			continue
		}
		certain++
		want, known := truth[r.Teardown.Network.Peer.AddrPort()]
		if got := of(&r.Teardown); known && (got.verdict != want.verdict || got.cause != want.cause) {
			t.Errorf("%v: certainly %v %v by rule %s, the truth is %v %v\n%+v", r.Teardown.Network.Peer, got.verdict, got.cause, r.Teardown.Rule, want.verdict, want.cause, r.Teardown.Facts)
		}
	}
	return ends, certain
}

func TestEventsOutOfOrderNeverGiveAFalseCertainty(t *testing.T) {
	w := etltest.Releases()[7]
	random := rand.New(rand.NewPCG(3, 4))
	for round := range 100 {
		list, truth := rawEvents(t, w, 1+round%3*5)
		reach := []int{2, 5, 20, 100, 1000, len(list)}[round%6]
		for i := range list {
			// Sources sort by time: what they can get wrong is short.
			k := i + random.IntN(min(reach, len(list)-i))
			for list[k].Time.Sub(list[i].Time).Abs() > 120*ms {
				k--
			}
			list[i], list[k] = list[k], list[i]
		}
		j := join.New()
		var out []model.Event
		for i := range list {
			j.Add(&list[i])
			out = append(out, j.Take()...)
		}
		j.End()
		out = append(out, j.Take()...)
		requireNoFalseCertainty(t, out, truth)
		if t.Failed() {
			t.Fatalf("round %d, events moved by up to %d places", round, reach)
		}
	}
}

// A loss is reported where it happened: the connections of the time are only
// inferred, the others as certain as ever.
func TestLostEventsNeverGiveAFalseCertainty(t *testing.T) {
	random := rand.New(rand.NewPCG(5, 6))
	total := 0
	for round := range 100 {
		w := etltest.Releases()[round%8]
		list, truth := rawEvents(t, w, 40)
		j := join.New()
		var out []model.Event
		lost := uint64(0)
		for i := range list {
			if lost == 0 && random.IntN(25) == 0 {
				lost = uint64(1 + random.IntN(20))
			}
			if lost > 0 {
				j.Lost(1, "session", list[i].Time)
				lost--
			} else {
				j.Add(&list[i])
			}
			out = append(out, j.Take()...)
		}
		j.End()
		out = append(out, j.Take()...)
		_, certain := requireNoFalseCertainty(t, out, truth)
		total += certain
		if t.Failed() {
			t.Fatalf("round %d on %s", round, w.Name)
		}
	}
	if total == 0 {
		t.Error("nothing was certain in 200 traces with losses here and there: a loss spoils too much")
	}
}

// A session that only says at its end how much it lost spoils the certainty of
// everything.
func TestLossAtAnUnknownTimeMakesEverythingInferred(t *testing.T) {
	for _, tr := range []etltest.Trace{{EventsLost: 7}, {BuffersLost: 2}, {Unfinished: true}} {
		b := etltest.NewBuilder(t, etltest.Releases()[7])
		c := connection(b, 0)
		closes[0].play(c)
		whole := b.Trace()
		whole.EventsLost, whole.BuffersLost, whole.Unfinished = tr.EventsLost, tr.BuffersLost, tr.Unfinished
		records := judge(t, whole.Bytes())
		var lost uint64
		for _, r := range records {
			lost += r.Loss.Count
		}
		if want := uint64(tr.EventsLost + tr.BuffersLost); lost != want {
			t.Errorf("lost = %d, want %d", lost, want)
		}
		list := teardowns(records)
		if len(list) != 1 || list[0].Verdict != model.Graceful || list[0].Confidence != model.Inferred || !list[0].Evidence.Gap {
			t.Errorf("teardowns = %+v, want one that is inferred", list)
		}
	}
}

// A payload that can't be decoded is a lost event.
func TestUndecodablePayloadsMakeInferred(t *testing.T) {
	b := etltest.NewBuilder(t, etltest.Releases()[7])
	c := connection(b, 0)
	c.Connect(0)
	c.Stack(50*ms, 1184, nil)
	b.Events[len(b.Events)-1].Data = b.Events[len(b.Events)-1].Data[:30]
	graceful(c, 100*ms)
	data := b.Trace().Bytes()
	f, err := NewFile(bytes.NewReader(data), int64(len(data)))
	if err != nil {
		t.Fatal(err)
	}
	lost := uint64(0)
	for e, err := range f.Events(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		if e.Kind == model.KindLoss {
			lost += e.Loss.Count
		} else if r := e.Judged(); r.Teardown.Confidence != model.Inferred {
			t.Errorf("confidence = %v, want inferred", r.Teardown.Confidence)
		}
	}
	if lost != 1 {
		t.Errorf("%d events lost, want the one that was not read", lost)
	}
	s := f.Stats()
	if len(s.Undecoded) != 1 || s.Undecoded[0].ID != 1184 || s.Undecoded[0].Length != 30 || s.Undecoded[0].Count != 1 {
		t.Errorf("undecoded = %+v, want event 1184 of 30 bytes", s.Undecoded)
	}
	if text := s.Undecoded[0].String(); !strings.Contains(text, "event 1184") || !strings.Contains(text, "30 bytes") {
		t.Errorf("text = %q, want the event and its size", text)
	}
}
