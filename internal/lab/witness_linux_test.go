package lab

import (
	"net/netip"
	"testing"

	"github.com/closetrace/closetrace/model"
)

// The witnesses of a scenario know nothing of closetrace: what went over lo,
// what the kernel counted, what the system calls returned. The scripts check
// the system calls; the rest is checked here.

// final returns what became of the connection in the end.
func final(e *End) *Truth {
	if e.Truth.Outcome != nil {
		return e.Truth.Outcome
	}
	return &e.Truth
}

// flow counts what was captured in one direction.
type flow struct{ fin, rst, forgedFIN, forgedRST int }

func flows(packets []Packet) map[[2]netip.AddrPort]flow {
	m := map[[2]netip.AddrPort]flow{}
	for _, p := range packets {
		key := [2]netip.AddrPort{p.From, p.To}
		f := m[key]
		switch {
		case p.Forged && p.FIN:
			f.forgedFIN++
		case p.Forged && p.RST:
			f.forgedRST++
		case p.FIN:
			f.fin++
		case p.RST:
			f.rst++
		}
		m[key] = f
	}
	return m
}

// checkPackets checks FIN and RST on the wire against the truths.
func checkPackets(t *testing.T, r *Result) {
	t.Helper()
	captured := flows(r.Packets)
	for i := range r.Ends {
		e := &r.Ends[i]
		if e.Translated {
			continue
		}
		truth := final(e)
		sent, received := captured[[2]netip.AddrPort{e.Local, e.Peer}], captured[[2]netip.AddrPort{e.Peer, e.Local}]
		check := func(what string, want model.Opt[bool], genuine, forged int) {
			if w, known := want.Get(); known && w != (genuine > 0) && (!w || forged == 0) && !reused(r, i) {
				t.Errorf("%s: %s: the capture has %d (and %d forged), the truth is %v", e.Label, what, genuine, forged, w)
			}
		}
		check("FIN sent", truth.FIN.Sent, sent.fin, 0)
		if e.Answered {
			continue
		}
		check("RST sent", truth.RST.Sent, sent.rst, 0)
		if !e.Deaf {
			check("FIN received", truth.FIN.Received, received.fin, received.forgedFIN)
			check("RST received", truth.RST.Received, received.rst, received.forgedRST)
			checkInitiator(t, r, e)
		}
	}
}

// reused: the packets of end i cannot be told from those of another end.
func reused(r *Result, i int) bool {
	for j := range r.Ends {
		if j != i && r.Ends[j].Local == r.Ends[i].Local && r.Ends[j].Peer == r.Ends[i].Peer {
			return true
		}
	}
	return false
}

// checkInitiator looks for the first FIN or RST that was not forged.
func checkInitiator(t *testing.T, r *Result, e *End) {
	t.Helper()
	want := e.Truth.Initiator
	if want == model.InitiatorUnknown || want == model.InitiatorBoth || e.Truth.Cause == model.CauseKeepaliveTimeout {
		return // keepalive: the RST is the end of a timeout that nobody began
	}
	got := model.InitiatorNone
	for _, p := range r.Packets {
		if !p.FIN && !p.RST || p.Forged && (p.To != e.Local || !final(e).RST.Received.Is(true)) {
			continue
		}
		if p.From == e.Local && p.To == e.Peer {
			got = model.InitiatorLocal
			break
		}
		if p.From == e.Peer && p.To == e.Local {
			got = model.InitiatorPeer
			if !p.Far && (e.Peer == farPort || p.RST && !p.Forged && r.Counters["OutRsts"] == 0) {
				got = model.InitiatorLocal // made here in the peer's name, by no TCP
			}
			break
		}
	}
	if got != want {
		t.Errorf("%s: the capture says that %v began to close, the truth is %v", e.Label, got, want)
	}
}

// abortCounters is the TcpExt counter that a cause moves.
var abortCounters = map[model.Cause]string{
	model.CauseUnreadData:          "TCPAbortOnClose",
	model.CauseLingerZero:          "TCPAbortOnData",
	model.CauseDataAfterClose:      "TCPAbortOnData",
	model.CauseDataAfterShutdown:   "TCPAbortOnData",
	model.CauseRetransmitTimeout:   "TCPAbortOnTimeout",
	model.CauseUserTimeout:         "TCPAbortOnTimeout",
	model.CauseKeepaliveTimeout:    "TCPAbortOnTimeout",
	model.CauseZeroWindowTimeout:   "TCPAbortOnTimeout",
	model.CauseConnectTimeout:      "TCPAbortOnTimeout",
	model.CauseLinger2Timeout:      "TCPAbortOnLinger",
	model.CauseOrphanOrMemoryLimit: "TCPAbortOnMemory",
}

// checkCounters checks the kernel's counters against the sum over the truths,
// and its count of sent RSTs against the capture.
func checkCounters(t *testing.T, r *Result) {
	t.Helper()
	want := map[string]uint64{
		"TCPAbortOnClose": 0, "TCPAbortOnData": 0, "TCPAbortOnTimeout": 0, "TCPAbortOnLinger": 0,
		"TCPAbortOnMemory": 0, "EstabResets": 0, "AttemptFails": 0, "OutRsts": 0,
	}
	for i := range r.Ends {
		truth := final(&r.Ends[i])
		counter := abortCounters[truth.Cause]
		if truth.Counter != "" {
			counter = truth.Counter
		}
		if counter != "" && counter != "-" {
			want[counter]++
		}
		switch truth.From {
		case model.Established, model.CloseWait: // tcp_set_state
			want["EstabResets"]++
		case model.SynSent, model.SynRecv: // tcp_done, which a closing application does not call
			if truth.Call == model.CallUnknown && truth.Cause != model.CauseNoLocalPort || truth.Call == model.CallDestroy {
				want["AttemptFails"]++
			}
		default:
		}
	}
	for _, p := range r.Packets {
		if p.RST && !p.Forged && p.From != farPort && !madeByFirewall(r, p) {
			want["OutRsts"]++
		}
	}
	for name, n := range r.Explained {
		want[name] += n
	}
	for name, n := range want {
		if got := r.Counters[name]; got != n {
			t.Errorf("counter %s: the kernel has %d, the truths and the capture make %d", name, got, n)
		}
	}
}

// madeByFirewall: what the firewall sends in the name of an end is not counted.
func madeByFirewall(r *Result, p Packet) bool {
	for i := range r.Ends {
		e := &r.Ends[i]
		if e.Local == p.To && e.Peer == p.From {
			return e.Truth.Terminator == model.LocalKernel && e.Truth.RST.Received.Is(true)
		}
	}
	return false
}
