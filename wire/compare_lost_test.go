package wire_test

import (
	"bytes"
	"encoding/binary"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/closetrace/closetrace/wire"
	"github.com/closetrace/closetrace/wire/wiretest"
)

// hop is what both captures of a path have of it: a is on the client's side of it, b on
// the server's.
type hop struct {
	t     *testing.T
	now   [2]time.Time // at the sender's side; both captures have one clock
	files [2]bytes.Buffer
	makes [2]*wiretest.Maker
	id    uint16

	translate map[netip.Addr]netip.Addr // from the addresses in a to those in b
}

// apartBy is how long segments take from one of the two captures to the other.
const apartBy = 500 * time.Microsecond

func newHop(t *testing.T) *hop {
	h := &hop{t: t}
	for i := range h.files {
		h.now[i] = begin
		h.makes[i] = wiretest.New(&h.files[i], begin)
	}
	return h
}

// send writes a segment to both captures, or to the given ones.
func (h *hop) send(after time.Duration, s wiretest.Segment, to ...int) {
	if len(to) == 0 {
		to = []int{0, 1}
	}
	h.id++
	id := h.id
	s.ID = func() uint16 { return id }
	for i := range h.now {
		h.now[i] = h.now[i].Add(after + apartBy)
	}
	near := 0
	if s.From.Addr() == server.Addr() {
		near = 1
	}
	for _, i := range to {
		h.makes[i].Now = h.now[i]
		if i != near {
			h.makes[i].Now = h.now[i].Add(apartBy)
		}
		x := s
		for _, end := range []*netip.AddrPort{&x.From, &x.To} {
			if to, ok := h.translate[end.Addr()]; ok && i == 1 {
				*end = netip.AddrPortFrom(to, end.Port())
			}
		}
		h.makes[i].Send(&x)
	}
}

func (h *hop) compare() *wire.Compared {
	h.send(time.Minute, wiretest.Segment{From: client, To: netip.MustParseAddrPort("192.0.2.9:1"), Seq: 7, Flags: wiretest.SYN})
	return wire.Compare(sightingsOf(h.t, &h.files[0]), sightingsOf(h.t, &h.files[1]), [2]string{"a", "b"})
}

// check wants one difference for each text, and none else.
func (h *hop) check(c *wire.Compared, elsewhere bool, want ...string) {
	h.t.Helper()
	got := slices.Collect(c.Each)
	ok := len(got) == len(want)
	for i := range want {
		ok = ok && strings.Contains(got[i].Text, want[i]) && got[i].Elsewhere == elsewhere
	}
	if !ok {
		h.t.Errorf("got %+v, want %q, %v", got, want, elsewhere)
	}
}

var (
	aSYN    = wiretest.Segment{From: client, To: server, Seq: 1000, Flags: wiretest.SYN}
	aSYNACK = wiretest.Segment{From: server, To: client, Seq: 5000, Ack: 1001, Flags: wiretest.SYN | wiretest.ACK}
	anACK   = wiretest.Segment{From: client, To: server, Seq: 1001, Ack: 5001, Flags: wiretest.ACK, Window: 9}
	request = wiretest.Segment{From: client, To: server, Seq: 1001, Ack: 5001, Flags: wiretest.ACK, Window: 9, Payload: []byte("hello")}
	itsRST  = wiretest.Segment{From: server, To: client, Seq: 5001, Ack: 1006, Flags: wiretest.RST | wiretest.ACK, Window: 9}
	itsFIN  = wiretest.Segment{From: server, To: client, Seq: 5001, Ack: 1006, Flags: wiretest.FIN | wiretest.ACK, Window: 9}
	aFIN    = wiretest.Segment{From: client, To: server, Seq: 1006, Ack: 5002, Flags: wiretest.FIN | wiretest.ACK, Window: 9}
)

// nth is a segment of another connection.
func nth(s wiretest.Segment, n int) wiretest.Segment {
	end := &s.To
	if s.From == client {
		end = &s.From
	}
	*end = netip.AddrPortFrom(client.Addr(), client.Port()+uint16(n))
	s.Seq, s.Ack = s.Seq+uint32(n)*100_000, s.Ack+uint32(n)*100_000
	return s
}

// A SYN-ACK that got lost between the two is not the one that came: nothing follows from
// the time between them, of the clocks or of the server's RST.
func TestCompareASYNACKThatWasSentAgain(t *testing.T) {
	h := newHop(t)
	h.send(0, aSYN)
	h.send(0, aSYNACK, 1)
	h.send(time.Second, aSYNACK)
	h.send(0, anACK)
	h.send(0, request)
	h.send(time.Second, itsRST)
	c := h.compare()
	h.check(c, false)
	if c.Shared != 0 {
		t.Errorf("%v ahead, %v on the way, of %d connections; want none", c.Ahead, c.Way, c.Shared)
	}
}

// Both captures lost one of its SYN-ACKs, each another: it is unlike all others.
func TestCompareAnUnlikelyWay(t *testing.T) {
	h := newHop(t)
	for n := range 4 {
		h.send(0, nth(aSYN, n))
		if n == 3 {
			h.send(0, nth(aSYNACK, n), 1)
			h.send(time.Second, nth(aSYNACK, n), 0) // and that one is not in b
		} else {
			h.send(0, nth(aSYNACK, n))
		}
		h.send(0, nth(anACK, n))
		h.send(0, nth(request, n))
		h.send(time.Second, nth(itsRST, n))
	}
	c := h.compare()
	h.check(c, false, "as its other segments did", "as its other segments did", "as its other segments did")
	if c.Ahead != 0 || c.Way != apartBy {
		t.Errorf("%v ahead, %v on the way; want 0, %v", c.Ahead, c.Way, apartBy)
	}
}

// The SYN of the first connection waits in the router until ARP has an answer, the client
// resets it, and of two RSTs of the server one capture has the first, the other the second.
func TestCompareExceptions(t *testing.T) {
	h := newHop(t)
	for n := range 4 {
		if n == 0 {
			h.send(0, nth(aSYN, n), 0)
			h.send(10*time.Millisecond, nth(aSYN, n), 1)
		} else {
			h.send(0, nth(aSYN, n))
		}
		h.send(0, nth(aSYNACK, n))
		h.send(0, nth(anACK, n))
		h.send(0, nth(request, n))
		switch n {
		case 0:
			h.send(time.Second, wiretest.Segment{From: client, To: server, Seq: 1006, Ack: 5001, Flags: wiretest.RST | wiretest.ACK, Window: 9})
		case 1:
			h.send(time.Second, nth(itsRST, n), 0)
			h.send(time.Second, nth(itsRST, n), 1)
		case 2: // b lost the first of two that follow each other
			h.send(time.Second, nth(itsRST, n), 0)
			h.send(time.Millisecond, nth(itsRST, n))
		}
	}
	h.check(h.compare(), false, "the RST from 10.0.0.1:40000 passed a first, as its other segments did")
}

// A RST that one capture lacks may have been lost by that, rather than by a box: surely so
// if it lacks other segments of that connection too, or has none of the one direction.
func TestCompareALossyCapture(t *testing.T) {
	for _, x := range []struct {
		name      string
		request   []int // where it is
		other     bool  // a connection of which b has no request
		answers   []int
		want      string
		elsewhere bool
	}{
		{"complete", nil, false, nil, "192.0.2.1 never sent it, something between the two did, or b lost it", true},
		{"lost others", nil, true, nil, "192.0.2.1 never sent it, something between the two did, or b lost it, as it did others", true},
		{"lost others of it", []int{0}, false, nil, "is in a and not in b, which lost other segments of this connection", false},
		{"without its SYN-ACK", nil, false, []int{0}, "", false},
	} {
		t.Run(x.name, func(t *testing.T) {
			h := newHop(t)
			h.send(0, aSYN)
			h.send(0, aSYNACK, x.answers...)
			h.send(0, anACK)
			h.send(0, request, x.request...)
			h.send(0, wiretest.Segment{From: server, To: client, Seq: 5001, Ack: 1006, Flags: wiretest.ACK, Window: 9}, x.answers...)
			if x.other {
				h.send(0, nth(aSYN, 1))
				h.send(0, nth(aSYNACK, 1))
				h.send(0, nth(anACK, 1))
				h.send(0, nth(request, 1), 0)
				h.send(0, nth(wiretest.Segment{From: server, To: client, Seq: 5001, Ack: 1006, Flags: wiretest.ACK, Window: 9}, 1))
			}
			h.send(time.Second, itsRST, 0)
			c := h.compare()
			if x.want == "" {
				h.check(c, false)
			} else {
				h.check(c, x.elsewhere, x.want)
			}
		})
	}
}

// The SYN-ACK was kept, too, and the RST sent in its place: the capture at the client has lost
// nothing of an attempt that still waits.
func TestCompareAnAnswerThatWasKept(t *testing.T) {
	h := newHop(t)
	for n := range 2 {
		h.send(0, nth(aSYN, n))
		if n == 0 {
			h.send(0, aSYNACK)
			h.send(0, anACK)
			continue
		}
		h.send(0, nth(aSYNACK, n), 1)
		h.send(0, nth(wiretest.Segment{From: server, To: client, Seq: 5001, Flags: wiretest.RST}, n), 1)
	}
	h.check(h.compare(), true, "the RST from 192.0.2.1:443 is in b and not in a: it was made or dropped between the two")
}

// The statistics blocks of pcapng (draft-ietf-opsawg-pcapng, section 4.5) count what was
// dropped since the capture began: the last one of an interface has all. One that is too
// short, or of no interface, has nothing.
func TestDropsThatPcapngCounts(t *testing.T) {
	statistics := func(device uint32, options ...[]byte) []byte {
		b := append(binary.LittleEndian.AppendUint32(nil, device), make([]byte, 8)...)
		return block(5, append(append(b, bytes.Join(options, nil)...), 0, 0, 0, 0))
	}
	count := func(code uint16, n uint64) []byte {
		return option(code, 8, binary.LittleEndian.AppendUint64(nil, n)...)
	}
	device := block(1, []byte{1, 0, 0, 0, 0, 0, 4, 0, 0, 0, 0, 0})
	file := bytes.Join([][]byte{
		block(0x0a0d0d0a, []byte("\x4d\x3c\x2b\x1a\x01\x00\x00\x00\xff\xff\xff\xff\xff\xff\xff\xff")), device, device,
		statistics(0, count(4, 900), count(5, 3)), statistics(0, count(4, 990), count(5, 5), count(7, 2)), statistics(1, count(5, 1)),
		statistics(2, count(5, 1000)), block(5, []byte{0, 0, 0, 0}),
	}, nil)
	seen := new(wire.Sightings)
	f, _, err := wire.Open(bytes.NewReader(file), "made", wire.Options{Sightings: seen})
	if err != nil {
		t.Fatal(err)
	}
	for _, err := range f.Events(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
	}
	if remarks := strings.Join(f.Remarks(), "\n"); f.Stats().Missed != 8 || !seen.Lossy || !strings.Contains(remarks, "8 packets were lost by the program that captured") {
		t.Errorf("%d dropped, %v, %s; want 8", f.Stats().Missed, seen.Lossy, remarks)
	}
}

// A router translates addresses between the two, of the client, of the server or of both:
// a refused attempt is in both captures, also without a fingerprint. One that the router
// refused is not, and where no address is left as it was nothing is known of it.
func TestCompareRefusedBehindTranslation(t *testing.T) {
	outside, inside := netip.MustParseAddr("198.51.100.7"), netip.MustParseAddr("10.9.0.9")
	for _, x := range []struct {
		name          string
		client, serve netip.Addr // in b
		oneWay        string     // what has one direction in b
		want          []string
	}{
		{"none", client.Addr(), server.Addr(), "", []string{"the SYN to 192.0.2.1:444 is in a and not in b"}},
		{"the client's", outside, server.Addr(), "", []string{"the SYN to 192.0.2.1:444 is in a and not in b"}},
		{"the server's", client.Addr(), inside, "", []string{"the SYN to 192.0.2.1:444 is in a and not in b"}},
		{"both", outside, inside, "", nil},
		{"none, b has one direction", client.Addr(), server.Addr(), "theirs", nil},
		{"none, b has one direction of others", client.Addr(), server.Addr(), "others", []string{"the SYN to 192.0.2.1:444 is in a and not in b"}},
	} {
		t.Run(x.name, func(t *testing.T) {
			h := newHop(t)
			h.translate = map[netip.Addr]netip.Addr{client.Addr(): x.client, server.Addr(): x.serve}
			h.send(0, aSYN)
			h.send(0, aSYNACK)
			h.send(0, anACK)
			refused := func(port uint16, n int, to ...int) {
				syn := nth(aSYN, n)
				syn.To = netip.AddrPortFrom(server.Addr(), port)
				h.send(0, syn, to...)
				h.send(0, wiretest.Segment{From: syn.To, To: syn.From, Ack: syn.Seq + 1, Flags: wiretest.RST | wiretest.ACK}, to...)
			}
			refused(445, 1)
			if x.oneWay != "" { // nor a request in b
				ack := wiretest.Segment{From: server, To: client, Seq: 5001, Ack: 1006, Flags: wiretest.ACK, Window: 9}
				for i, s := range []wiretest.Segment{aSYN, aSYNACK, ack, itsRST} {
					s = nth(s, 3)
					if x.oneWay == "others" && i == 0 {
						s.To = netip.AddrPortFrom(outside, 80)
					} else if x.oneWay == "others" {
						s.From = netip.AddrPortFrom(outside, 80)
					}
					h.send(0, s, []int{0, 1}[:min(i, 1)+1]...)
				}
			}
			refused(444, 2, 0)
			h.check(h.compare(), true, x.want...)
		})
	}
}

// A refused attempt need not pass the second capture where other connections of the two
// hosts do not either; and what comes after the last segment of a capture may have come after
// its end.
func TestCompareAnotherWay(t *testing.T) {
	refused := func(h *hop) {
		syn := nth(aSYN, 2)
		h.send(10*time.Millisecond, syn, 0)
		h.send(0, wiretest.Segment{From: syn.To, To: syn.From, Ack: syn.Seq + 1, Flags: wiretest.RST | wiretest.ACK}, 0)
	}
	open := func(h *hop, n int, to ...int) {
		for _, s := range []wiretest.Segment{aSYN, aSYNACK, anACK, request} {
			h.send(0, nth(s, n), to...)
		}
	}
	h := newHop(t)
	open(h, 0)
	open(h, 1, 0)
	refused(h)
	h.check(h.compare(), true)

	h = newHop(t)
	open(h, 0)
	refused(h)
	c := wire.Compare(sightingsOf(h.t, &h.files[0]), sightingsOf(h.t, &h.files[1]), [2]string{"a", "b"})
	h.check(c, true, "something between the two kept it, and answered with RST, or b had ended or lost it")
}
