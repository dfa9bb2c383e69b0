package wire_test

import (
	"bytes"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/closetrace/closetrace/wire"
	"github.com/closetrace/closetrace/wire/wiretest"
)

// remarksOf makes a capture and returns what there is to say of it.
func remarksOf(t *testing.T, script func(m *wiretest.Maker)) []string {
	t.Helper()
	var file bytes.Buffer
	script(wiretest.New(&file, begin))
	f, _, err := wire.Open(&file, "made", wire.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for _, err := range f.Events(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
	}
	return f.Remarks()
}

// RSTs alone end nothing that is known, and are counted.
func TestRemarkOnRSTsAlone(t *testing.T) {
	got := remarksOf(t, func(m *wiretest.Maker) {
		for n := range 8 {
			s := nth(itsRST, n)
			m.Send(&s)
		}
	})
	if want := []string{"8 RSTs of connections of which nothing else is in the capture, the first from 192.0.2.1:443 to 10.0.0.1:40000"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

// Connections that still sent again when the capture ended have no end yet: a line says so, and
// whether smaller segments had arrived. Neither does one that was acknowledged, or stopped.
func TestRemarkOnWhatIsStillSentAgain(t *testing.T) {
	const again = " again, without an answer for 7s, when the capture ended"
	for _, x := range []struct {
		name string
		end  int // that sends: 0 is the client
		size int
		acks bool
		tail time.Duration
		want string
	}{
		{"a request", 0, 5, false, 0, "2 connections to 192.0.2.1:443 were still sending" + again},
		{"full segments", 1, 1448, false, 0, "2 connections from 192.0.2.1:443 were still sending only full segments" + again},
		{"acknowledged", 0, 5, true, 0, ""},
		{"it ended", 0, 5, false, time.Minute, ""},
	} {
		t.Run(x.name, func(t *testing.T) {
			got := remarksOf(t, func(m *wiretest.Maker) {
				for n := range 2 {
					c := m.Open(netip.AddrPortFrom(client.Addr(), client.Port()+uint16(n)), server, 1000, 5000)
					c.Say(0, []byte("hello"))
					c.Say(1, []byte("welcome"))
				}
				ends, next := [2]netip.AddrPort{client, server}, [2]uint32{1006, 5008}
				for _, wait := range []time.Duration{0, 1, 1, 2, 4} {
					m.Now = m.Now.Add(wait * time.Second)
					for n := range 2 {
						s := wiretest.Segment{From: ends[x.end], To: ends[1-x.end], Seq: next[x.end], Ack: next[1-x.end], Flags: wiretest.ACK, Window: 9, Payload: make([]byte, x.size)}
						for _, end := range []*netip.AddrPort{&s.From, &s.To} {
							if *end == client {
								*end = netip.AddrPortFrom(client.Addr(), client.Port()+uint16(n))
							}
						}
						m.Send(&s)
						if x.acks {
							m.Send(&wiretest.Segment{From: s.To, To: s.From, Seq: s.Ack, Ack: s.Seq + 5, Flags: wiretest.ACK, Window: 9})
						}
					}
				}
				later(m, x.tail)
			})
			had := slices.ContainsFunc(got, func(line string) bool { return strings.Contains(line, "still sending") })
			if had != (x.want != "") || had && !slices.Contains(got, x.want) {
				t.Errorf("got %q, want %q", got, x.want)
			}
		})
	}
}

// What tcpdump's filter of flags leaves out is not known; a capture of everything has it.
func TestRemarkOnFlagsAlone(t *testing.T) {
	for _, whole := range []bool{false, true} {
		got := remarksOf(t, func(m *wiretest.Maker) {
			for _, s := range []wiretest.Segment{aSYN, aSYNACK, anACK, request, itsFIN, aFIN} {
				if whole || s.Flags != wiretest.ACK {
					m.Send(&s)
				}
			}
		})
		had := slices.ContainsFunc(got, func(line string) bool {
			return strings.Contains(line, "only segments with SYN, FIN or RST: how many bytes")
		})
		if had == whole {
			t.Errorf("everything %v: got %q", whole, got)
		}
	}
}
