package etwsrc

import (
	"bytes"
	"context"
	"errors"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/closetrace/closetrace/etwsrc/etltest"
	"github.com/closetrace/closetrace/etwsrc/internal/etl"
	"github.com/closetrace/closetrace/etwsrc/internal/raw"
	"github.com/closetrace/closetrace/model"
)

// traced is what a user of a session sees.
type traced struct {
	ends   []model.Teardown
	losses map[string]uint64
	err    error
	stats  Stats
}

// trace runs a session on sys for a while of the bubble's time.
func trace(t *testing.T, sys *simulated, o Options, d time.Duration) traced {
	t.Helper()
	s, err := open(sys, &nobody{}, o)
	if err != nil {
		return traced{err: err}
	}
	ctx, cancel := context.WithTimeout(t.Context(), d)
	defer cancel()
	got := traced{losses: map[string]uint64{}}
	for r, err := range model.Judged(s.Events(ctx)) {
		if err != nil {
			got.err = err
			continue
		}
		switch r.Kind {
		case model.KindTeardown:
			got.ends = append(got.ends, r.Teardown)
		case model.KindLoss:
			got.losses[r.Loss.Where] += r.Loss.Count
		default:
		}
	}
	if err := s.Close(); err != nil {
		t.Errorf("close: %v", err)
	}
	if len(sys.live) > 0 {
		t.Errorf("sessions are left: %v", sys.live)
	}
	got.stats = s.Stats()
	return got
}

// eventsOf returns the events of a builder, with times that count from 0.
func eventsOf(t *testing.T, b *etltest.Builder) []raw.Event {
	t.Helper()
	tr := b.Trace()
	data := tr.Bytes()
	r, err := etl.New(bytes.NewReader(data), int64(len(data)))
	if err != nil {
		t.Fatal(err)
	}
	var list []raw.Event
	var e raw.Event
	for r.Next(&e) {
		if raw.ProviderOf(&e.Provider) == raw.Other {
			continue
		}
		e.Time -= r.Info().Start
		e.Data = bytes.Clone(e.Data)
		list = append(list, e)
	}
	return list
}

// hardClose is a connection that is closed with SO_LINGER {1,0}: certain, if
// nothing is missing.
func hardClose(t *testing.T) []raw.Event {
	b := etltest.NewBuilder(t, etltest.Releases()[7])
	closes[1].play(connection(b, 0))
	return eventsOf(t, b)
}

func (g *traced) requireOne(t *testing.T, confidence model.Confidence) {
	t.Helper()
	if g.err != nil || len(g.ends) != 1 || g.ends[0].Cause != model.CauseLingerZero || g.ends[0].Confidence != confidence {
		t.Errorf("error %v, losses %v, ends %+v; want one linger-zero that is %v", g.err, g.losses, g.ends, confidence)
	}
}

// bubble runs a test on time that does not pass by itself.
func bubble(t *testing.T, name string, run func(t *testing.T, sys *simulated)) {
	t.Run(name, func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) { run(t, newSimulated()) })
	})
}

// The ten things that go wrong in a live session, and what the user sees.
func TestSimulatedSessions(t *testing.T) {
	bubble(t, "nothing goes wrong", func(t *testing.T, sys *simulated) {
		list := hardClose(t)
		sys.script = func(p *playing) { p.events(list) }
		got := trace(t, sys, Options{}, 20*sec)
		got.requireOne(t, model.Certain)
		if len(got.losses) > 0 || sys.enabled[raw.TCPIP] != 1 {
			t.Errorf("losses %v, TCPIP enabled %d times: want none and once, each asks for all open connections", got.losses, sys.enabled[raw.TCPIP])
		}
		want := buffers{256, 64, 512}
		if !slices.Equal(sys.rooms, []buffers{want}) {
			t.Errorf("buffers %v, want %v and no change", sys.rooms, want)
		}
	})
	bubble(t, "1: a burst of a million connections at the begin", burst)
	bubble(t, "2: buffers are lost", lostBuffers)
	bubble(t, "3: the session's clock is 10 s behind", func(t *testing.T, sys *simulated) {
		list := hardClose(t)
		sys.script = func(p *playing) {
			p.set(10 * sec)
			p.events(list)
		}
		got := trace(t, sys, Options{}, 30*sec)
		got.requireOne(t, model.Certain)
	})
	bubble(t, "4: the session is stopped from outside", func(t *testing.T, sys *simulated) {
		list := hardClose(t)
		sys.script = func(p *playing) {
			p.events(list)
			for name := range p.live {
				p.stop(name)
			}
		}
		got := trace(t, sys, Options{}, time.Hour)
		if len(got.ends) != 1 || got.err == nil || !strings.Contains(got.err.Error(), "somebody stopped the session (logman stop closetrace-42-") {
			t.Errorf("%d ends, error %v; want the end that was seen, then who stopped what", len(got.ends), got.err)
		}
	})
	bubble(t, "5: the name is taken", func(t *testing.T, sys *simulated) {
		list := hardClose(t)
		sys.taken = 3
		sys.script = func(p *playing) { p.events(list) }
		got := trace(t, sys, Options{}, 20*sec)
		got.requireOne(t, model.Certain)
		sys.taken = 1000
		if got := trace(t, sys, Options{}, 20*sec); !errors.Is(got.err, errno(codeAlreadyExists)) {
			t.Errorf("error %v, want that the name exists", got.err)
		}
	})
	bubble(t, "6: eight sessions have the provider", func(t *testing.T, sys *simulated) {
		list := hardClose(t)
		sys.refuse[raw.AFD] = codeNoResources
		sys.script = func(p *playing) { p.events(list) }
		got := trace(t, sys, Options{}, 20*sec)
		got.requireOne(t, model.Certain) // of what the others tell
		sys.refuse[raw.TCPIP] = codeNoResources
		got = trace(t, sys, Options{}, 20*sec)
		if got.err == nil || !strings.Contains(got.err.Error(), "8 sessions have it already") {
			t.Errorf("error %v, want that 8 sessions have the provider", got.err)
		}
	})
	bubble(t, "7: the consumer is slow", slowConsumer)
	bubble(t, "8: a crash left a session behind", func(t *testing.T, sys *simulated) {
		orphan, other, reused := sessionName(43, 4300, 1), sessionName(44, 4400, 2), sessionName(45, 1, 3)
		for _, name := range []string{orphan, other, reused, "closetrace-x", "EventLog-Application"} {
			sys.live[name] = make(chan struct{})
		}
		sys.alive[44], sys.alive[45] = 4400, 4500 // 45 is another process by now
		s, err := open(sys, &nobody{}, Options{})
		if err != nil {
			t.Fatal(err)
		}
		slices.Sort(sys.stopped)
		if !slices.Equal(sys.stopped, []string{orphan, reused}) {
			t.Errorf("stopped %v, want those of processes that have ended", sys.stopped)
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	bubble(t, "9: 64 CPUs, out of order", manyCPUs)
	bubble(t, "10: a manifest that is newer than ours", newerManifest)
}

func burst(t *testing.T, sys *simulated) {
	list := hardClose(t)
	b := etltest.NewBuilder(t, etltest.Releases()[7])
	connection(b, 1).Stack(0, 1300, etltest.Fields{"State": etltest.Established, "Pid": 1})
	rundown := eventsOf(t, b)[0]
	at := bytes.Index(rundown.Data, []byte{0, 1, 0xdd, 0x8b}) // the TCB
	if at < 0 {
		t.Fatal("no TCB in the event")
	}
	const many = 1_000_000
	sys.script = func(p *playing) {
		for i := range uint32(many) {
			e := rundown
			e.Data = bytes.Clone(e.Data)
			e.Data[at], e.Data[at+1], e.Data[at+2], e.Data[at+3] = byte(i)&^7, byte(i>>8), byte(i>>16), byte(i)&7|0x70
			p.take(&e, p.ticks())
		}
		p.sleep(5 * sec)
		p.events(list)
	}
	got := trace(t, sys, Options{Queue: 1 << 20}, 60*sec)
	if lost := got.losses["connection-table"]; got.stats.Events < many || lost < many-1<<17 {
		t.Errorf("%d events, losses %v; want a million and that the table was too small for them", got.stats.Events, got.losses)
	}
	for _, e := range got.ends { // there was no room for the connection
		if e.Confidence != model.Inferred {
			t.Errorf("end %+v, want that it is inferred", e)
		}
	}
	sys.began = time.Now()
	got = trace(t, sys, Options{Queue: 1 << 20, MaxConnections: many + 10}, 60*sec)
	got.requireOne(t, model.Certain)
	if len(got.losses) > 0 {
		t.Errorf("losses %v, want none in a table with room", got.losses)
	}
}

func lostBuffers(t *testing.T, sys *simulated) {
	list := hardClose(t)
	sys.script = func(p *playing) {
		p.lose(0, 0)
		p.events(list[:len(list)/2])
		p.lose(5, 2)
		p.events(list[len(list)/2:])
		p.sleep(5 * sec)
		p.events(list) // long after
	}
	got := trace(t, sys, Options{}, 60*sec)
	if got.losses["session"] != 5 || got.losses["session-buffers"] != 2 || len(got.losses) != 2 {
		t.Errorf("losses %v, want 5 events and 2 buffers: what the stream says of them is not counted again", got.losses)
	}
	if len(got.ends) != 2 || got.ends[0].Confidence != model.Inferred || got.ends[1].Confidence != model.Certain {
		t.Errorf("ends %+v, want one that is inferred and, long after, one that is certain", got.ends)
	}
	want := []buffers{{256, 64, 512}, {256, 64, 1024}}
	if !slices.Equal(sys.rooms, want) {
		t.Errorf("buffers %v, want %v: more after a loss", sys.rooms, want)
	}
}

func slowConsumer(t *testing.T, sys *simulated) {
	list := hardClose(t)
	const queue = 64
	sys.script = func(p *playing) {
		p.events(list)
		p.sleep(10 * sec) // the consumer sleeps on the first end
		for range 10 {
			for i := range list {
				e := list[i]
				p.take(&e, p.ticks())
			}
		}
	}
	s, err := open(sys, &nobody{}, Options{Queue: queue})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 60*sec)
	defer cancel()
	var missed uint64
	ends := 0
	for e, err := range s.Events(ctx) {
		if err != nil {
			t.Fatal(err)
		}
		if e.Kind == model.KindLoss && e.Loss.Where == "channel" {
			missed += e.Loss.Count
		}
		if e.Kind == model.KindTeardown {
			if ends++; ends == 1 {
				time.Sleep(20 * time.Second)
			} else if e.Judged().Teardown.Confidence != model.Inferred {
				t.Errorf("an end beside the loss is certain: %+v", e.Teardown.Facts)
			}
		}
	}
	if want := uint64(10*len(list) - queue); missed != want || ends < 2 {
		t.Errorf("%d events were missed and %d ends seen, want %d and some: the queue holds %d", missed, ends, want, queue)
	}
}

func manyCPUs(t *testing.T, sys *simulated) {
	sys.cores = 64
	list, truth := rawEvents(t, etltest.Releases()[7], 11)
	start := list[0].Time
	for i := range list {
		list[i].Time -= start
	}
	list = disordered(list, rand.New(rand.NewPCG(7, 8)))
	sys.script = func(p *playing) { p.events(list) }
	got := trace(t, sys, Options{}, time.Hour)
	if want := (buffers{256, 192, 768}); sys.rooms[0] != want {
		t.Errorf("buffers %v, want %v", sys.rooms, want)
	}
	if len(got.ends) < len(truth)*3/4 {
		t.Errorf("%d ends, want most of %d", len(got.ends), len(truth))
	}
	for _, e := range got.ends {
		want, known := truth[e.Network.Peer.AddrPort()]
		if known && e.Confidence == model.Certain && (e.Verdict != want.verdict || e.Cause != want.cause) {
			t.Errorf("%v: certainly %v %v, the truth is %+v", e.Network.Peer, e.Verdict, e.Cause, want)
		}
	}
}

// A newer Windows appends fields: they are not read. Where it changes one, the
// event counts as lost, and is named.
func newerManifest(t *testing.T, sys *simulated) {
	list := hardClose(t)
	for i := range list {
		list[i].Version = 250
		list[i].Data = append(list[i].Data, 1, 2, 3, 4, 5, 6, 7, 8)
	}
	sys.script = func(p *playing) { p.events(list) }
	got := trace(t, sys, Options{}, 20*sec)
	got.requireOne(t, model.Certain)

	again := newSimulated()
	changed := slices.Clone(list)
	at := slices.IndexFunc(changed, func(e raw.Event) bool { return e.ID == 1051 })
	changed[at].Data = changed[at].Data[:5]
	again.script = func(p *playing) { p.events(changed) }
	got = trace(t, again, Options{}, 20*sec)
	if len(got.ends) != 1 || got.ends[0].Confidence != model.Inferred {
		t.Errorf("ends %+v, want one that is inferred", got.ends)
	}
	if u := got.stats.Undecoded; len(u) != 1 || u[0].ID != 1051 || !strings.Contains(u[0].String(), "please report this line") {
		t.Errorf("undecoded %v, want event 1051", u)
	}
}

// Before Windows 8.1 there is no filter by event: AFD is then asked for its
// aborts alone, and the fallback is left out.
func TestWithoutTheFilterLessIsAskedFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sys := newSimulated()
		sys.plain = true
		s, err := open(sys, &nobody{}, Options{})
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		if sys.enabled[raw.TCPIP] != 1 || sys.enabled[raw.AFD] != 1 || sys.enabled[raw.KernelNetwork] != 0 || sys.asked[raw.TCPIP] != nil {
			t.Errorf("enabled %v, want all but Kernel-Network", sys.enabled)
		}
	})
}

// The times of processes are the system's: they are compared with a
// connection's only after the difference of the clocks is taken off.
func TestTimesOfProcessesAreConverted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sys := newSimulated()
		c := newSessionClock(sys)
		for _, ahead := range []time.Duration{0, 10 * sec, -10 * sec} {
			sys.wallAhead = ahead
			for range len(c.ahead) {
				time.Sleep(time.Second)
				c.compare()
			}
			want := c.now()
			if got, ok := c.recent(sys.wall()); !ok || got != want {
				t.Errorf("clock ahead by %v: %v, %v; want %v", ahead, got, ok, want)
			}
			if got := c.earliest(sys.wall()); got > want {
				t.Errorf("clock ahead by %v: began at %v at the earliest, want %v", ahead, got, want)
			}
		}
		sys.wallAhead = time.Minute
		if _, ok := c.recent(sys.wall()); ok {
			t.Error("a time is converted although the clock was set just now")
		}
	})
}

func TestSessionsAreSources(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sys := newSimulated()
		s, err := open(sys, &nobody{}, Options{})
		if err != nil {
			t.Fatal(err)
		}
		if err := errors.Join(s.Close(), s.Close()); err != nil {
			t.Errorf("close twice: %v", err)
		}
		for range s.Events(t.Context()) {
		}
		for _, err := range s.Events(t.Context()) {
			if !errors.Is(err, errRead) {
				t.Errorf("second use: %v, want %v", err, errRead)
			}
		}
	})
}
