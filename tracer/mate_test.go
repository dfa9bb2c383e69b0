//go:build linux

package tracer

import (
	"fmt"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/closetrace/closetrace/bpf"
	"github.com/closetrace/closetrace/model"
)

// TestPeerIsTheFactsOfTheOtherEnd: the source hands over what the other end did, and
// nothing if there is no other end.
func TestPeerIsTheFactsOfTheOtherEnd(t *testing.T) {
	second := uint64(time.Second)
	server := bpf.TraceEnd{
		Family: unix.AF_INET, Local: [16]byte{127, 0, 0, 1}, Peer: [16]byte{127, 0, 0, 1}, LocalPort: 8000, PeerPort: 40000, Netns: 7, Sock: 1,
		Started: second, Ended: 4 * second, Path: 0x71, // ESTABLISHED, CLOSE
		Flags: bpf.TraceFlagFLAG_ENDED | bpf.TraceFlagFLAG_PASSIVE, BytesReceived: 90,
	}
	client := server
	client.LocalPort, client.PeerPort, client.Sock, client.Ended = 40000, 8000, 2, 4*second+1000
	client.Flags, client.BytesReceived = bpf.TraceFlagFLAG_ENDED|bpf.TraceFlagFLAG_ACTIVE, 7
	alone := client
	alone.LocalPort, alone.PeerPort, alone.Sock = 50000, 9000, 3

	a := newAssembler(translator{hertz: 1000}, "s")
	var ends []model.Facts
	var peers []*model.Facts
	out := func(e *model.Event) bool {
		ends = append(ends, e.Teardown.Facts)
		var peer *model.Facts
		if e.Peer != nil {
			kept := *e.Peer // its memory is used again
			peer = &kept
		}
		peers = append(peers, peer)
		return true
	}
	for _, e := range []bpf.TraceEnd{server, client, alone} {
		a.message(&message{kind: bpf.TraceMessageMESSAGE_END, end: e}, out)
	}
	a.flush(0, out)
	if len(ends) != 3 || peers[0] == nil || peers[1] == nil || peers[2] != nil {
		t.Fatalf("got %d ends with the others %v, want 3, the last alone", len(ends), peers)
	}
	for i, received := range []uint64{7, 90} {
		if peer := peers[i]; ends[i].PeerEnd != ends[1-i].ID || !peer.TCP.Bytes.Received.Is(received) || peer.TCP.Role != ends[1-i].TCP.Role {
			t.Errorf("end %d: got %q %+v, want those of the other end, which received %d bytes", i, ends[i].PeerEnd, peer.TCP, received)
		}
	}
}

// TestResetBetweenEnds: the other end was open if it ended later, be it by microseconds,
// and had sent no reset: a box on the path, or a program here, may reset both at once.
func TestResetBetweenEnds(t *testing.T) {
	const at = uint64(4e9)
	for name, c := range map[string]struct {
		later int64 // by how much the other end ended later
		flags bpf.TraceFlag
		want  bool
	}{
		"later":                     {20_000, 0, true},
		"much later":                {20_000_000, 0, true},
		"before":                    {-20_000, 0, false},
		"it sent the reset":         {20_000, bpf.TraceFlagFLAG_RST_SENT_BEFORE, false},
		"it sent one after its end": {20_000, bpf.TraceFlagFLAG_RST_SENT_AFTER, false},
		"little is known of it":     {20_000, bpf.TraceFlagFLAG_UNTRACKED, false},
	} {
		t.Run(name, func(t *testing.T) {
			reset := bpf.TraceEnd{
				Family: unix.AF_INET, Local: [16]byte{127, 0, 0, 1}, Peer: [16]byte{127, 0, 0, 1}, LocalPort: 8000, PeerPort: 40000, Sock: 1,
				Started: 1e9, Ended: at, Path: states(model.Established, model.Closed), Error: uint8(unix.ECONNRESET),
				Flags: bpf.TraceFlagFLAG_ENDED | bpf.TraceFlagFLAG_PASSIVE | bpf.TraceFlagFLAG_RST_RECEIVED,
			}
			other := reset
			other.LocalPort, other.PeerPort, other.Sock, other.Ended = 40000, 8000, 2, uint64(int64(at)+c.later)
			other.Flags = bpf.TraceFlagFLAG_ENDED | bpf.TraceFlagFLAG_ACTIVE | c.flags
			p := newLingerPlay()
			p.end(bpf.TraceMessageMESSAGE_END, reset)
			p.end(bpf.TraceMessageMESSAGE_END, other)
			p.flush(0, p.out)
			for _, e := range p.events {
				if e.Teardown.Network.Local.Port != 8000 {
					continue
				}
				j := model.Classify(&e.Teardown.Facts)
				if between := j.Terminator == model.NetworkPath && j.Initiator == model.InitiatorNone; between != c.want {
					t.Errorf("between: %v, want %v: judged %+v", between, c.want, j)
				}
				return
			}
			t.Error("the end was not reported")
		})
	}
}

// TestIDs: an ID is of its end alone, whichever were asked for before, and stays when the
// memory for new ones begins again.
func TestIDs(t *testing.T) {
	i := ids{session: "s"}
	said := map[uint64]string{}
	for n := range uint64(2000) {
		for _, number := range []uint64{n + 1, n + 2, n + 1, n + 1 + uint64(len(i.latest)), 1, 1<<64 - 1 - n} {
			got := i.of(number)
			if want := fmt.Sprintf("s-%x", number); got != want {
				t.Fatalf("of %d: %q, want %q", number, got, want)
			}
			said[number] = got
		}
	}
	for number, id := range said {
		if want := fmt.Sprintf("s-%x", number); id != want {
			t.Errorf("of %d: %q later, want %q", number, id, want)
		}
	}
}

// TestStrangersAreNoMates: of connections without a fingerprint, as those that are older than
// the trace, the addresses decide. A user has those of others in a network namespace of his
// own, and tries to connect from them in ours.
func TestStrangersAreNoMates(t *testing.T) {
	victim := bpf.TraceEnd{
		Family: unix.AF_INET, Local: [16]byte{10, 77, 0, 5}, Peer: [16]byte{10, 77, 0, 9}, LocalPort: 51034, PeerPort: 8443,
		Netns: 1, Sock: 1, Started: 1e9, Ended: 4e9, Path: states(model.Established, model.Closed),
		Flags: bpf.TraceFlagFLAG_ENDED | bpf.TraceFlagFLAG_PREEXISTING, Last: uint8(model.Established),
	}
	mirrored := victim
	mirrored.Local, mirrored.Peer, mirrored.LocalPort, mirrored.PeerPort = victim.Peer, victim.Local, victim.PeerPort, victim.LocalPort
	mirrored.Sock, mirrored.Ended = 2, victim.Ended+1000
	for name, c := range map[string]struct {
		edit func(*bpf.TraceEnd)
		want bool
	}{
		"here":                       {func(*bpf.TraceEnd) {}, true},
		"a container":                {func(e *bpf.TraceEnd) { e.Netns = 2 }, true},
		"a container's descriptor":   {func(e *bpf.TraceEnd) { e.Netns = 2; descriptorClosed(e, &bpf.TraceLater{}) }, true},
		"a user's namespace":         {func(e *bpf.TraceEnd) { e.Netns, e.Flags = 2, e.Flags|bpf.TraceFlagFLAG_NESTED }, false},
		"another one without entry":  {func(e *bpf.TraceEnd) { e.Netns, e.Flags = 2, e.Flags|bpf.TraceFlagFLAG_UNTRACKED }, false},
		"both in a user's namespace": {func(e *bpf.TraceEnd) { e.Flags |= bpf.TraceFlagFLAG_NESTED }, true},
		"an attempt to connect": {func(e *bpf.TraceEnd) {
			e.Flags = bpf.TraceFlagFLAG_ENDED | bpf.TraceFlagFLAG_ACTIVE
			e.Path, e.Last = states(model.SynSent, model.Closed), uint8(model.SynSent)
		}, false},
	} {
		other := mirrored
		c.edit(&other)
		if got := areMates(&victim, &other); got != c.want {
			t.Errorf("%s: an other end: %v, want %v", name, got, c.want)
		}
		if got := areMates(&other, &victim); got != c.want {
			t.Errorf("%s: an other end of it: %v, want %v", name, got, c.want)
		}
		other.Flags &^= bpf.TraceFlagFLAG_ENDED
		if other.Path >>= 4; isOpenMate(&other, &ended{end: victim}) != c.want {
			t.Errorf("%s: open: want %v", name, c.want)
		}
	}
}

// TestForgedMate: who has an end of a connection can make a second one with its numbers, in a
// network namespace of his own. It is not the other end while there is a better one, or when
// nobody can tell which is.
func TestForgedMate(t *testing.T) {
	end := func(sock uint64, role, more bpf.TraceFlag, sent, received uint32) bpf.TraceEnd {
		return bpf.TraceEnd{
			Family: unix.AF_INET, Local: [16]byte{10, 77, 0, byte(sock)}, Peer: [16]byte{10, 77, 0, byte(sock) + 1}, LocalPort: uint16(sock), PeerPort: 443,
			Netns: uint32(sock), Sock: sock, Started: 1e9, Ended: 4e9 + sock, Path: states(model.Established, model.Closed), Last: uint8(model.Established),
			Flags: bpf.TraceFlagFLAG_ENDED | role | more, SndUna: sent + 1, RcvNxt: received + 1, BytesAcked: uint64(role & bpf.TraceFlagFLAG_ACTIVE), // of an active opener the SYN
		}
	}
	const (
		active, passive, nested = bpf.TraceFlagFLAG_ACTIVE, bpf.TraceFlagFLAG_PASSIVE, bpf.TraceFlagFLAG_NESTED
		a, b                    = 1000, 2000
	)
	server, client := end(1, passive, 0, a, b), end(2, active, 0, b, a)
	inside, forged, twice := end(3, active, nested, b, a), end(4, active, nested, b, a), end(5, active, nested, b, a)
	if printOf(&server) == 0 || printOf(&server) != printOf(&forged) {
		t.Fatal("the ends have no fingerprint, or not the same")
	}
	for name, c := range map[string]struct {
		ends []bpf.TraceEnd
		want []uint64 // the socket of the other end of each
	}{
		"a container":                  {[]bpf.TraceEnd{server, inside}, []uint64{3, 1}},
		"forged later":                 {[]bpf.TraceEnd{server, client, forged}, []uint64{2, 1, 0}},
		"forged before":                {[]bpf.TraceEnd{forged, server, client}, []uint64{0, 2, 1}},
		"forged twice":                 {[]bpf.TraceEnd{server, client, forged, twice}, []uint64{2, 1, 0, 0}},
		"of a container's, and forged": {[]bpf.TraceEnd{server, inside, forged}, []uint64{0, 0, 0}},
	} {
		w := newRecent()
		var all []*ended
		for i := range c.ends {
			all = append(all, w.add(&c.ends[i], uint64(i+1)))
		}
		for i, e := range all {
			got := uint64(0)
			if o := w.mate(e); o != nil {
				got = o.end.Sock
			}
			if got != c.want[i] {
				t.Errorf("%s: the other end of %d is %d, want %d", name, c.ends[i].Sock, got, c.want[i])
			}
		}
	}
}
