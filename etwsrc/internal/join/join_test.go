package join

import (
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/closetrace/closetrace/etwsrc/etltest"
	"github.com/closetrace/closetrace/etwsrc/internal/raw"
	"github.com/closetrace/closetrace/model"
)

const (
	ms  = time.Millisecond
	sec = time.Second
)

// builder is for Windows 11 24H2.
func builder(t *testing.T) *etltest.Builder {
	all := etltest.Releases()
	return etltest.NewBuilder(t, all[len(all)-2])
}

func connection(b *etltest.Builder, i int) *etltest.Conn {
	return &etltest.Conn{
		Builder: b, TCB: 0x1000 + uint64(i)*0x100, Endpoint: 0x9000000 + uint64(i)*0x100, Socket: 0x200 + uint64(i)*4,
		Local: netip.AddrPortFrom(netip.MustParseAddr("10.0.0.5"), uint16(10000+i)),
		Peer:  netip.AddrPortFrom(netip.MustParseAddr("10.0.0.9"), uint16(20000+i)), PID: 812, TID: 3000,
	}
}

// play puts the events of b through a Joiner.
func play(j *Joiner, b *etltest.Builder) []model.Record {
	var out []model.Record
	take := func() {
		for _, e := range j.Take() {
			out = append(out, e.Judged())
		}
	}
	for _, e := range b.Trace().Events {
		j.Add(&raw.Event{
			Time: model.Time(sec + e.At), Provider: e.Provider, Keyword: e.Keyword, PID: e.PID, TID: e.TID,
			ID: e.ID, Version: e.Version, Level: e.Level, Opcode: e.Opcode, PointerSize: uint8(e.PointerSize), Data: e.Data,
		})
		take()
	}
	j.End()
	take()
	return out
}

// A connection in TIME_WAIT has finished: a RST changes nothing of that (RFC 1337).
func TestResetInTimeWait(t *testing.T) {
	for _, at := range []time.Duration{130 * ms, 900 * ms} { // before the report, and after
		b := builder(t)
		c := connection(b, 0)
		c.Connect(0)
		c.FIN(100*ms, etltest.Established, etltest.FinWait1)
		c.State(120*ms, etltest.FinWait1, etltest.FinWait2, etltest.TimeWait)
		c.Stack(at, 1184, nil)
		c.Stack(at, 1040, nil)
		c.State(at, etltest.TimeWait, etltest.Closed)
		got := play(New(), b)
		if len(got) != 1 || got[0].Kind != model.KindTeardown || got[0].Teardown.Verdict != model.Graceful || got[0].Teardown.TCP.Error != "" {
			t.Errorf("records = %+v, want one graceful teardown", got)
		}
	}
}

func TestInterfaceThatWentAwayIsNamed(t *testing.T) {
	b := builder(t)
	c := connection(b, 0)
	c.Connect(0)
	c.Add(99*ms, 0, 0, raw.TCPIP, 1446, etltest.Fields{"Address": etltest.SockAddr(c.Local), "IfIndex": 17})
	c.Stack(100*ms, 1468, nil)
	c.State(101*ms, etltest.Established, etltest.Closed)
	got := play(New(), b)
	want := model.EventRef{Provider: "Microsoft-Windows-TCPIP", ID: 1446, Reason: model.Some(uint32(17))}
	if len(got) != 1 || !slices.Contains(got[0].Teardown.Evidence.Events, want) {
		t.Errorf("records = %+v, want one with %+v", got, want)
	}
}

// The stack may abort another connection in a thread that is in closesocket:
// it interrupts any thread.
func TestAbortsOfOtherConnectionsInsideAClose(t *testing.T) {
	for _, owner := range []uint32{812, 999} {
		b := builder(t)
		c, other := connection(b, 0), connection(b, 1)
		other.PID = owner
		other.NoSockets, other.NoAFD = true, true
		other.Connect(0)
		c.Connect(10 * ms)
		c.Linger(50*ms, 1, 0)
		c.EnterClose(100 * ms)
		c.Abort(101*ms, etltest.Established, 2)
		other.PID = c.PID // the header names the interrupted thread
		other.TCP(102*ms, 1039, nil)
		other.State(102*ms, etltest.Established, etltest.Closed)
		c.LeaveClose(104*ms, 0)
		for _, r := range play(New(), b) {
			want := model.CauseLocalAbort
			if r.Teardown.Network.Local.Port == c.Local.Port() {
				want = model.CauseLingerZero
			}
			if r.Teardown.Cause != want {
				t.Errorf("owner %d: port %d judged %v, want %v", owner, r.Teardown.Network.Local.Port, r.Teardown.Cause, want)
			}
		}
	}
}

// network adds an event of Kernel-Network or the kernel logger: connect 12, disconnect 13.
func network(c *etltest.Conn, p raw.Provider, at time.Duration, id uint16) {
	local, peer := c.Local.Addr().As4(), c.Peer.Addr().As4()
	port := func(n uint16) []byte { return []byte{byte(n >> 8), byte(n)} }
	c.Add(at, c.PID, c.TID, p, id, etltest.Fields{
		"PID": c.PID, "saddr": local[:], "daddr": peer[:], "sport": port(c.Local.Port()), "dport": port(c.Peer.Port()),
	})
}

// With keyword 0x80 the stack's provider tells of a connection and not of its
// end by FIN.
func TestEndsThatOnlyKernelNetworkTells(t *testing.T) {
	b := builder(t)
	c, open := connection(b, 0), connection(b, 1)
	for _, c := range []*etltest.Conn{c, open} {
		c.TCP(0, 1002, nil)
		c.Stack(1*ms, 1033, etltest.Fields{"ProcessId": c.PID})
		network(c, raw.KernelNetwork, 1*ms, 12)
	}
	c.TCP(100*ms, 1044, nil)
	c.TCP(100*ms, 1043, nil)
	network(c, raw.KernelNetwork, 200*ms, 13)
	for at := sec; at < 5*sec; at += sec {
		open.Stack(at, 1479, etltest.Fields{"Reason": 0})
	}
	got, _ := only(t, b)
	if got.Verdict != model.VerdictUnknown || got.Network.Local.Port != c.Local.Port() || !got.Duration.Is(200*ms) || got.Process.PID != 812 || !got.TCP.FIN.Sent.Is(true) {
		t.Errorf("teardown %+v, want the disconnect", got)
	}
}

// One file may hold the kernel logger's events and Kernel-Network's.
func TestBothKernelProvidersTellOfOneEnd(t *testing.T) {
	b := builder(t)
	for i := range 2 { // at once another connection with the same addresses
		b.Base = time.Duration(i) * 100 * ms
		c := connection(b, 0)
		for _, p := range []raw.Provider{raw.KernelNetwork, raw.KernelTCP} {
			network(c, p, 0, 12)
		}
		for _, p := range []raw.Provider{raw.KernelNetwork, raw.KernelTCP} {
			network(c, p, 50*ms, 13)
		}
	}
	network(connection(b, 1), raw.KernelTCP, 10*sec, 13)
	got := play(New(), b)
	if len(got) != 3 || !got[0].Teardown.Duration.Is(50*ms) || !got[1].Teardown.Duration.Is(50*ms) || got[2].Teardown.Network.Local.Port != 10001 {
		t.Errorf("%d records, want two ends of 50 ms and another: %+v", len(got), got)
	}
}

func TestEveryEndIsToldOnce(t *testing.T) {
	b := builder(t)
	c := connection(b, 0)
	c.Connect(0)
	other := connection(b, 0)
	other.Peer = netip.AddrPortFrom(c.Peer.Addr(), 20777)
	network(c, raw.KernelNetwork, 99*ms, 13)
	network(other, raw.KernelNetwork, 99*ms, 13) // the stack's provider did not tell of it
	c.Stack(100*ms, 1184, nil)
	c.State(100*ms, etltest.Established, etltest.Closed)
	got := play(New(), b)
	if len(got) != 2 || got[0].Teardown.Cause != model.CausePeerReset || got[1].Teardown.Network.Peer.Port != 20777 || got[1].Teardown.Verdict != model.VerdictUnknown {
		t.Errorf("records = %+v, want one of each connection", got)
	}
}

func TestLossToldByTheSessionIsALoss(t *testing.T) {
	b := builder(t)
	c := connection(b, 0)
	c.Connect(0)
	b.Events = append(b.Events, etltest.Event{At: 50 * ms, Provider: raw.LostEvents.GUID(), Opcode: 33})
	c.Stack(100*ms, 1184, nil)
	got := play(New(), b)
	if len(got) != 2 || got[0].Kind != model.KindLoss || got[0].Loss.Count != 1 || got[1].Teardown.Confidence != model.Inferred {
		t.Errorf("records = %+v, want a loss and an inferred teardown", got)
	}
}

// A trace that begins in the middle of a connect: the TCB's first event is not
// the first of the connection.
func TestConnectsUnderWayAreOneConnection(t *testing.T) {
	b := builder(t)
	c := connection(b, 0)
	c.State(0, etltest.SynSent, etltest.Established)
	c.Stack(1*ms, 1033, etltest.Fields{"ProcessId": c.PID})
	c.Stack(100*ms, 1184, nil)
	c.State(100*ms, etltest.Established, etltest.Closed)
	got := play(New(), b)
	if len(got) != 1 || got[0].Teardown.Cause != model.CausePeerReset || got[0].Teardown.Process.PID != 812 {
		t.Errorf("records = %+v, want one", got)
	}
}

func TestMemoryIsLimited(t *testing.T) {
	j := New()
	j.limits = limits{conns: 100, sockets: 100, threads: 100, past: 100, listed: 100, queued: 1000, atOnce: 1000}
	b := builder(t)
	for i := range 1000 {
		c := connection(b, i)
		c.TID = uint32(3000 + i)
		b.Base = time.Duration(i) * 10 * ms
		c.Connect(0)
		c.EnterClose(1 * sec) // and never left
		c.AFD(1*sec, 1021, etltest.Fields{"Endpoint": c.Endpoint + 1<<40, "Address": c.Peer})
		c.Stack(1*sec, 1300, etltest.Fields{"State": etltest.TimeWait, "Tcb": c.TCB + 1<<40})
	}
	got := play(j, b)
	if n := len(j.conns); n > 100 {
		t.Errorf("%d connections, want at most 100", n)
	}
	if n := max(len(j.endpoints), len(j.sockets)); n > 100 {
		t.Errorf("%d sockets, want at most 100", n)
	}
	if n := len(j.threads); n > 100 {
		t.Errorf("%d threads, want at most 100", n)
	}
	if n := len(j.past.set); n > 100 {
		t.Errorf("%d TIME_WAITs, want at most 100", n)
	}
	lost := uint64(0)
	for _, r := range got {
		if r.Kind != model.KindLoss {
			t.Fatalf("record = %+v, want losses only", r)
		}
		if r.Loss.Where == "connection-table" {
			lost += r.Loss.Count
		}
	}
	// Connect makes four events of the stack, and 900 connections had no room.
	if lost != 4*900 {
		t.Errorf("%d events lost, want %d", lost, 4*900)
	}
}

// AFD serves other protocols as well (AF_UNIX): what it aborts in a thread need
// not be the TCP connection that is aborted there next.
func TestAbortsOfOtherProtocolsGiveNoCertainReason(t *testing.T) {
	for _, own := range []bool{true, false} {
		b := builder(t)
		c := connection(b, 0)
		c.Connect(0)
		endpoint := c.Endpoint
		if !own {
			endpoint = 0xdead
		}
		c.AFD(100*ms, 1032, etltest.Fields{"EnterExit": 2, "Reason": 7, "Endpoint": endpoint})
		c.TCP(101*ms, 1039, nil)
		c.State(102*ms, etltest.Established, etltest.Closed)
		want := model.Inferred
		if own {
			want = model.Certain
		}
		if got := play(New(), b); len(got) != 1 || got[0].Teardown.Confidence != want {
			t.Errorf("endpoint of the connection %v: records = %+v, want one that is %v", own, got, want)
		}
	}
}

// SO_UPDATE_ACCEPT_CONTEXT gives a socket of AcceptEx the listener's options.
func TestSocketsOfAcceptExMayHaveTheListenersLinger(t *testing.T) {
	b := builder(t)
	c := connection(b, 0)
	c.Connect(0)
	c.Call(50*ms, 8, etltest.Fields{"Level": 0xFFFF, "OptName": 0x700B, "OptVal": []byte{1, 0, 0, 0, 0, 0, 0, 0}})
	c.EnterClose(100 * ms)
	c.FIN(101*ms, etltest.Established, etltest.FinWait1)
	c.LeaveClose(103*ms, 0)
	c.State(104*ms, etltest.FinWait1, etltest.FinWait2, etltest.TimeWait)
	got := play(New(), b)
	if len(got) != 1 || got[0].Teardown.Linger.On.Known() {
		t.Errorf("records = %+v, want one with SO_LINGER unknown", got)
	}
}

// A RST that leaves after the report, in answer to a stray segment, does not
// say that the end was another one.
func TestResetsSentLaterAreNoOutcome(t *testing.T) {
	b := builder(t)
	c := connection(b, 0)
	c.Connect(0)
	c.FIN(100*ms, etltest.Established, etltest.FinWait1)
	c.State(120*ms, etltest.FinWait1, etltest.FinWait2, etltest.TimeWait)
	c.Stack(900*ms, 1479, etltest.Fields{"Tcb": 0, "Reason": 0})
	if got := play(New(), b); len(got) != 1 || got[0].Kind != model.KindTeardown {
		t.Errorf("records = %+v, want one teardown and no outcome", got)
	}
}
