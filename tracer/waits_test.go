//go:build linux

package tracer

import (
	"testing"
	"time"

	"github.com/closetrace/closetrace/bpf"
	"github.com/closetrace/closetrace/model"
)

// lingers adds the waits of n sockets, from one on, that began at that time.
func (p *lingerPlay) lingers(first, n, began uint64) {
	for sock := first; sock < first+n; sock++ {
		e := lingerEnd(began)
		e.Sock = sock
		p.end(bpf.TraceMessageMESSAGE_LINGER, e)
	}
}

// endOf sends the end of a connection whose close() waited for three seconds.
func (p *lingerPlay) endOf(sock, began uint64) {
	e := lingerEnd(began)
	e.Sock, e.Ended, e.LeftUs = sock, began+3e9, 2_400_000
	e.Flags = bpf.TraceFlagFLAG_ENDED | bpf.TraceFlagFLAG_LEFT | bpf.TraceFlagFLAG_LEFT_DEAD
	e.Path = states(model.Established, model.FinWait1, model.FinWait2, model.Closed)
	p.end(bpf.TraceMessageMESSAGE_END, e)
	p.flush(0, p.out)
}

// check compares the heap with the table.
func (t *waits) check(test *testing.T) {
	test.Helper()
	if len(t.due) != len(t.bySock) || len(t.due) > waitsMax {
		test.Errorf("%d waits are due, %d known by socket", len(t.due), len(t.bySock))
	}
	for i, w := range t.due {
		if w.place != i || t.bySock[w.sock] != w || w.reported || i > 0 && t.due[(i-1)/2].deadline > w.deadline {
			test.Fatalf("in place %d of the heap is %+v", i, w)
		}
	}
}

// TestWaitsAreDueInOrder: by deadline, whatever began first or has ended meanwhile.
func TestWaitsAreDueInOrder(t *testing.T) {
	table := newWaits()
	const n = 1000
	for i := range uint64(n) {
		e := lingerEnd(1e9 + i*7919%n*1000)
		e.Sock = i + 1
		table.add(&e, 100)
	}
	for i := range uint64(n / 3) {
		table.drop(table.get(i*3 + 1))
	}
	table.check(t)
	var last ktime
	for left := len(table.due); left > 0; left-- {
		if w := table.next(table.due[0].deadline - 1); w != nil {
			t.Fatalf("due before its deadline: %+v", w)
		}
		w := table.next(1 << 62)
		if w == nil || w.deadline < last {
			t.Fatalf("%+v is due after %v, %d are left", w, last, left)
		}
		last = w.deadline
		table.report(w)
	}
	if table.check(t); len(table.due) != 0 || len(table.young) != n-n/3 {
		t.Errorf("%d are due, %d reported", len(table.due), len(table.young))
	}
}

// TestWaitsAreBounded: what finds no room is reported when its connection ends, and what
// is due next keeps its place.
func TestWaitsAreBounded(t *testing.T) {
	p := newLingerPlay()
	p.lingers(1, 1, 1e9)
	p.lingers(2, waitsMax+100, 9e9)
	p.waits.check(t)
	if n := len(p.waits.due); n != waitsMax {
		t.Errorf("%d waits, want %d", n, waitsMax)
	}
	if w := p.waits.next(ktime(1e9).add(2 * time.Second)); w == nil || w.sock != 1 {
		t.Errorf("at the first deadline %+v is due", w)
	}
	for sock := uint64(2); ; sock++ {
		if p.waits.get(sock) == nil {
			p.endOf(sock, 9e9)
			break
		}
	}
	p.once(t)
}

// TestReportedWaitIsCountedOnce: however many others wait meanwhile, or ran out.
func TestReportedWaitIsCountedOnce(t *testing.T) {
	for _, ranOut := range []bool{false, true} {
		p := newLingerPlay()
		p.lingers(1, 1, 1e9)
		p.advance(4e9, 0, p.out)
		p.lingers(2, waitsMax+1, 5e9)
		if ranOut {
			p.advance(9e9, 0, func(*model.Event) bool { return true })
		}
		p.endOf(1, 1e9)
		p.once(t)
	}
}

// once checks that one wait was reported, and its outcome.
func (p *lingerPlay) once(t *testing.T) {
	t.Helper()
	if len(p.events) != 2 || p.events[0].Kind != model.KindTeardown || p.events[1].Kind != model.KindOutcome ||
		p.events[0].Teardown.ID != p.events[1].Teardown.ID {
		t.Errorf("%d events: %+v", len(p.events), p.events)
	}
}

// TestReportedWaitsAreBounded: the oldest go.
func TestReportedWaitsAreBounded(t *testing.T) {
	table := newWaits()
	const n = reportedMax + 1
	for sock := range uint64(n) {
		e := lingerEnd(sock + 1)
		e.Sock = sock + 1
		table.add(&e, 100)
		table.report(table.get(sock + 1))
	}
	if kept := len(table.young) + len(table.old); kept > reportedMax || table.get(n-reportedMax/2) == nil || table.get(1) != nil {
		t.Errorf("%d reported waits are kept", kept)
	}
}

// TestManyWaitsRunOutAtOnce: a user may let tens of thousands run out at one moment, while
// everything else waits. That takes 0.1 s, and took 18 when each was searched for.
func TestManyWaitsRunOutAtOnce(t *testing.T) {
	const n, limit = 60000, 3 * time.Second
	p := newLingerPlay()
	p.lingers(1, n, 1e9)
	reported, began := 0, time.Now()
	p.advance(9e9, 0, func(*model.Event) bool { reported++; return true })
	if took := time.Since(began); reported != n || took > limit {
		t.Errorf("%d of %d were reported in %v", reported, n, took)
	}
}
