package etwsrc

import (
	"bytes"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/closetrace/closetrace/etwsrc/etltest"
	"github.com/closetrace/closetrace/model"
)

func scenarios() []scenario { return slices.Concat(closes, table, ends, connects) }

// connection returns the i-th connection of a trace.
func connection(b *etltest.Builder, i int) *etltest.Conn {
	n := uint64(i)
	local, peer := endpoint("10.0.0.5:443"), endpoint("10.0.0.9:51034")
	if i%3 == 2 {
		local, peer = endpoint("[2001:db8::5]:443"), endpoint("[2001:db8::9]:51034")
	}
	return &etltest.Conn{
		Builder: b, TCB: 0x8bdd0000 + n*0x100, Endpoint: 0x6006_0000 + n*0x100, Socket: 0x200 + n*4,
		Local: netip.AddrPortFrom(local.Addr(), uint16(10000+i)), Peer: netip.AddrPortFrom(peer.Addr(), uint16(20000+i)),
		PID: uint32(812 + i%2), TID: uint32(3000 + i%7),
	}
}

// judge reads a trace and judges its events.
func judge(t *testing.T, data []byte) []model.Record {
	t.Helper()
	f, err := NewFile(bytes.NewReader(data), int64(len(data)))
	if err != nil {
		t.Fatal(err)
	}
	var all []model.Record
	for r, err := range model.Judged(f.Events(t.Context())) {
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, r)
	}
	if s := f.Stats(); len(s.Undecoded) > 0 {
		t.Errorf("undecoded: %+v", s.Undecoded)
	}
	return all
}

func teardowns(records []model.Record) []model.Teardown {
	var list []model.Teardown
	for _, r := range records {
		if r.Kind == model.KindTeardown {
			list = append(list, r.Teardown)
		}
	}
	return list
}

func of(t *model.Teardown) verdict {
	return verdict{t.Verdict, t.Cause, t.Initiator, t.Terminator, t.Confidence}
}

func (s *scenario) expected(w etltest.Windows) verdict {
	if !w.Sockets && s.less != nil {
		return *s.less
	}
	return s.want
}

func (s *scenario) skip(b *etltest.Builder) bool {
	return s.needs != 0 && !b.Has("Microsoft-Windows-TCPIP", s.needs)
}

func TestEveryWayToEndOnEveryWindows(t *testing.T) {
	for _, w := range etltest.Releases() {
		for i, s := range scenarios() {
			t.Run(fmt.Sprintf("%s %d bit/%s", w.Name, 8*w.PointerSize, s.name), func(t *testing.T) {
				b := etltest.NewBuilder(t, w)
				if s.skip(b) {
					t.Skipf("%s has no event %d", w.Name, s.needs)
				}
				c := connection(b, i)
				s.play(c)
				tr := b.Trace()
				tr.Compressed = i%2 == 0
				s.require(t, w, teardowns(judge(t, tr.Bytes())), c)
			})
		}
	}
}

// require checks that there is one teardown, and that it is right.
func (s *scenario) require(t *testing.T, w etltest.Windows, list []model.Teardown, c *etltest.Conn) {
	t.Helper()
	if len(list) != 1 {
		t.Fatalf("%d teardowns, want 1: %+v", len(list), list)
	}
	got := &list[0]
	if want := s.expected(w); of(got) != want {
		t.Errorf("%s: got %+v by rule %s (%s), want %+v\nfacts %+v", s.row, of(got), got.Rule, got.ConfidenceReason, want, got.Facts)
	}
	if got.Network.Local.AddrPort() != c.Local || got.Network.Peer.AddrPort() != c.Peer {
		// A state change has no addresses, so that these may be unknown.
		if got.Network.Local.Address.IsValid() {
			t.Errorf("network = %+v, want %v to %v", got.Network, c.Local, c.Peer)
		}
	}
	if got.Process.PID != 0 && got.Process.PID != int(c.PID) {
		t.Errorf("process = %d, want %d", got.Process.PID, c.PID)
	}
	if w.Sockets && s.check != nil {
		if problem := s.check(got); problem != "" {
			t.Errorf("%s: %s %+v", s.row, problem, got)
		}
	}
}

// All scenarios in one trace, overlapping in time and sharing threads and
// processes one after the other.
func TestScenariosDoNotDisturbEachOther(t *testing.T) {
	for _, w := range etltest.Releases() {
		b := etltest.NewBuilder(t, w)
		list := scenarios()
		conns := map[netip.AddrPort]int{}
		for i, s := range list {
			if s.skip(b) {
				continue
			}
			c := connection(b, i)
			c.TID = uint32(3000 + i) // calls of one thread do not overlap
			b.Base = time.Duration(i) * 13 * ms
			conns[c.Peer] = i
			s.play(c)
		}
		tr := b.Trace()
		got := teardowns(judge(t, tr.Bytes()))
		if len(got) != len(conns) {
			t.Errorf("%s: %d teardowns, want %d", w.Name, len(got), len(conns))
		}
		unaddressed := 0
		for _, g := range got {
			if !g.Network.Peer.Address.IsValid() {
				unaddressed++
				continue
			}
			s := list[conns[g.Network.Peer.AddrPort()]]
			if want := s.expected(w); of(&g) != want {
				t.Errorf("%s: %s: got %+v, want %+v", w.Name, s.name, of(&g), want)
			}
		}
		if unaddressed > 0 {
			t.Errorf("%s: %d teardowns without addresses", w.Name, unaddressed)
		}
	}
}

// closesocket table, row 4: nothing is torn down, and the next close succeeds.
func TestFailedClosesTearNothingDown(t *testing.T) {
	for code, name := range map[int]string{10035: "WSAEWOULDBLOCK", 10004: "WSAEINTR", 10036: "WSAEINPROGRESS", 10038: "WSAENOTSOCK"} {
		for _, w := range etltest.Releases() {
			b := etltest.NewBuilder(t, w)
			c := connection(b, 1)
			c.Connect(0)
			c.Linger(50*ms, 1, 5)
			for i := range 3 {
				at := time.Duration(100+i*10) * ms
				c.EnterClose(at)
				c.LeaveClose(at+ms, code)
			}
			c.Linger(200*ms, 0, 0)
			c.EnterClose(300 * ms)
			graceful(c, 301*ms)
			c.LeaveClose(303*ms, 0)
			records := judge(t, b.Trace().Bytes())
			var kinds []string
			for _, r := range records {
				kinds = append(kinds, strings.TrimSpace(r.Kind.String()+" "+r.Error))
				if r.Kind != model.KindCloseFailed {
					continue
				}
				f := r.Teardown.Facts
				if f.Network.Peer.AddrPort() != c.Peer || f.Linger.Seconds.Or(0) != 5 || f.Closer.PID != int(c.PID) || f.Evidence.Gap {
					t.Errorf("facts = %+v, want the socket's", f)
				}
			}
			want := []string{"teardown"}
			if w.Sockets {
				failed := "close-failed " + name
				want = []string{failed, failed, failed, "teardown"}
			}
			if !slices.Equal(kinds, want) {
				t.Errorf("%s: records = %q, want %q", w.Name, kinds, want)
			}
			if list := teardowns(records); of(&list[0]) != byUs {
				t.Errorf("%s: teardown = %+v, want %+v", w.Name, of(&list[0]), byUs)
			}
		}
	}
}

// 4.3 row 12.
func TestResetsToStrangersAreNoTeardowns(t *testing.T) {
	b := etltest.NewBuilder(t, etltest.Releases()[7])
	c := connection(b, 0)
	c.TCB = 0
	c.Stack(0, 1479, etltest.Fields{"Reason": 0})
	if got := judge(t, b.Trace().Bytes()); len(got) != 0 {
		t.Errorf("records = %+v, want none", got)
	}
}

func TestResetsOfAConnectionAreItsOwn(t *testing.T) {
	for _, tcb := range []uint64{0, 1} { // by address, by TCB
		b := etltest.NewBuilder(t, etltest.Releases()[7])
		c := connection(b, 0)
		c.Connect(0)
		c.TCP(100*ms, 1039, nil)
		c.Stack(101*ms, 1479, etltest.Fields{"Reason": 10, "Tcb": c.TCB * tcb})
		c.State(102*ms, etltest.Established, etltest.Closed)
		got := teardowns(judge(t, b.Trace().Bytes()))
		if len(got) != 1 || !got[0].TCP.RST.Sent.Is(true) || !strings.Contains(got[0].TCP.RST.Reason, "aborted (unverified)") {
			t.Errorf("teardowns = %+v, want one with an RST sent", got)
		}
	}
}

func TestBothEndsOfALoopbackConnectionAreReported(t *testing.T) {
	b := etltest.NewBuilder(t, etltest.Releases()[7])
	c, s := connection(b, 0), connection(b, 1)
	c.Local, c.Peer = endpoint("127.0.0.1:50000"), endpoint("127.0.0.1:80")
	s.Local, s.Peer = c.Peer, c.Local
	c.Connect(0)
	s.Accept(0)
	graceful(c, 100*ms)
	s.State(110*ms, etltest.Established, etltest.CloseWait)
	s.FIN(120*ms, etltest.CloseWait, etltest.LastAck)
	s.State(140*ms, etltest.LastAck, etltest.Closed)
	got := teardowns(judge(t, b.Trace().Bytes()))
	if len(got) != 2 || !got[0].TCP.Loopback || !got[1].TCP.Loopback || got[0].Network != got[1].Network.Reversed() {
		t.Fatalf("teardowns = %+v, want the two ends of one connection", got)
	}
	want := map[model.Role]verdict{model.Active: byUs, model.Passive: byPeer}
	for _, g := range got {
		if of(&g) != want[g.TCP.Role] {
			t.Errorf("%v end = %+v, want %+v", g.TCP.Role, of(&g), want[g.TCP.Role])
		}
	}
}

func TestReusedTCBsAreSeveralConnections(t *testing.T) {
	b := etltest.NewBuilder(t, etltest.Releases()[7])
	for i := range 20 {
		c := connection(b, i)
		c.TCB, c.Endpoint, c.Socket = 0xabc0, 0xdef0, 0x300
		b.Base = time.Duration(i) * 120 * ms // sooner than the report of the one before
		c.Connect(0)
		if i%2 == 0 {
			c.Linger(20*ms, 1, 0)
			c.EnterClose(100 * ms)
			c.Abort(101*ms, etltest.Established, 2)
		} else {
			c.EnterClose(100 * ms)
			c.Stack(101*ms, 1184, nil)
			c.State(101*ms, etltest.Established, etltest.Closed)
		}
		c.LeaveClose(103*ms, 0)
	}
	got := teardowns(judge(t, b.Trace().Bytes()))
	ids := map[string]bool{}
	for i, g := range got {
		ids[g.ID] = true
		want := reset
		if (g.Network.Peer.Port-20000)%2 == 0 {
			want = verdict{model.Abortive, model.CauseLingerZero, model.InitiatorLocal, model.LocalApp, model.Certain}
		}
		if of(&g) != want {
			t.Errorf("connection %d = %+v, want %+v", i, of(&g), want)
		}
	}
	if len(got) != 20 || len(ids) != 20 {
		t.Errorf("%d teardowns with %d IDs, want 20", len(got), len(ids))
	}
}
