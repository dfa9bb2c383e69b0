package wire_test

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/closetrace/closetrace/model"
	"github.com/closetrace/closetrace/wire"
	"github.com/closetrace/closetrace/wire/wiretest"
)

// packetAt is a packet of a pcap file, with its time.
type packetAt struct {
	at   time.Time
	data []byte
}

// packetsOf makes packets that are a step apart, whatever their script thinks.
func packetsOf(t *testing.T, step time.Duration, script func(m *wiretest.Maker)) (all []packetAt) {
	t.Helper()
	var file bytes.Buffer
	m := wiretest.New(&file, begin)
	script(m)
	if m.Err != nil {
		t.Fatal(m.Err)
	}
	for b, at := file.Bytes()[24:], begin; len(b) > 0; at = at.Add(step) {
		size := 16 + binary.LittleEndian.Uint32(b[8:])
		all = append(all, packetAt{at, b[16:size]})
		b = b[size:]
	}
	return all
}

// further are the packets as another place has them: a router and some time nearer to the
// server, whose clock is ahead.
func further(all []packetAt, way, ahead time.Duration) (far []packetAt) {
	const addresses, ttl = 26, 22
	for _, p := range all {
		data := slices.Clone(p.data)
		if netip.AddrFrom4([4]byte(data[addresses:])) == client.Addr() {
			data[ttl]--
			far = append(far, packetAt{p.at.Add(way + ahead), data})
		} else {
			data[ttl]++
			far = append(far, packetAt{p.at.Add(ahead - way), data})
		}
	}
	slices.SortStableFunc(far, func(a, b packetAt) int { return a.at.Compare(b.at) })
	return far
}

func pcap(all []packetAt) []byte {
	var file bytes.Buffer
	m := wiretest.New(&file, begin)
	for _, p := range all {
		m.Now = p.at
		m.Packet(p.data)
	}
	return file.Bytes()
}

// together reads captures together, and returns the stories of ends without their names,
// how much they sent, remarks and the error.
func together(t *testing.T, captures ...[]byte) (stories []string, remarks []string, failed error) {
	t.Helper()
	named := map[string][]byte{}
	for i, data := range captures {
		named[fmt.Sprintf("c%d.pcap", i)] = data
	}
	return togetherNamed(t, named)
}

func togetherNamed(t *testing.T, captures map[string][]byte) (stories []string, remarks []string, failed error) {
	t.Helper()
	var parts []wire.Part
	open := 0
	for name, data := range captures {
		once := func() (*wire.File, error) {
			f, _, err := wire.Open(bytes.NewReader(data), name, wire.Options{})
			return f, err
		}
		f, err := once()
		if err != nil {
			t.Fatal(err)
		}
		parts = append(parts, wire.Part{Name: name, Begin: f.Start().Time, Open: func() (*wire.File, func() error, error) {
			f, err := once()
			open++
			return f, func() error { open--; return nil }, err
		}})
	}
	f := wire.Together(parts, wire.Options{})
	for r, err := range model.Judged(f.Events(t.Context())) {
		if failed = err; err == nil {
			_, story, _ := strings.Cut(story(&r), " ")
			c := &r.Teardown.TCP
			stories = append(stories, fmt.Sprint(story, ", sent ", c.Bytes.Sent.Or(0), " in ", c.Segments.Out.Or(0), ", again ", c.Retransmits.Or(0)))
		}
	}
	remarks = f.Remarks()
	if err := f.Close(); err != nil || open != 0 {
		t.Errorf("%d are still open, %v", open, err)
	}
	slices.SortFunc(stories, cmp.Compare[string])
	return stories, remarks, failed
}

// ways are connections that end in different ways, one after the other.
func ways(m *wiretest.Maker) {
	for n := range uint32(12) {
		from := netip.AddrPortFrom(client.Addr(), uint16(40000+n))
		if n%4 == 3 { // refused
			m.Send(&wiretest.Segment{From: from, To: server, Seq: 900 * n, Flags: wiretest.SYN, Window: 64000})
			m.Send(&wiretest.Segment{From: server, To: from, Ack: 900*n + 1, Flags: wiretest.RST | wiretest.ACK})
			continue
		}
		c := m.Open(from, server, 900*n, 70000*n+5)
		c.Say(0, []byte("request"))
		c.Say(1, []byte("answer"))
		switch n % 4 {
		case 0:
			c.Close(int(n/4) % 2)
		case 1:
			c.Flag(1, wiretest.RST|wiretest.ACK)
		case 2:
			c.Flag(0, wiretest.RST|wiretest.ACK)
		}
	}
}

// One connection in two captures is one, wherever their clocks are, and it ends as in the
// one that was taken nearer to its ends.
func TestTogetherTwoPlaces(t *testing.T) {
	all := packetsOf(t, 200*time.Millisecond, ways)
	want, _, err := together(t, pcap(all))
	if err != nil || len(want) != 9*2+3 {
		t.Fatalf("%d ends, %v", len(want), err)
	}
	for _, way := range []time.Duration{0, 20 * time.Microsecond, 3 * time.Millisecond, 45 * time.Millisecond} {
		for _, ahead := range []time.Duration{-4 * time.Second, -700 * time.Millisecond, -20 * time.Millisecond, -time.Millisecond, 0, 15 * time.Millisecond, 650 * time.Millisecond, 4 * time.Second} {
			far := further(all, way, ahead)
			for name, captures := range map[string][][]byte{
				"two": {pcap(all), pcap(far)}, "three, one in parts": {pcap(far[:30]), pcap(all), pcap(far[30:])},
				"one begins later, one ends earlier": {pcap(all[25:]), pcap(far[:len(far)-25])},
			} {
				got, remarks, err := together(t, captures...)
				if strings.HasPrefix(name, "one begins") { // with a RST alone, perhaps
					remarks = slices.DeleteFunc(remarks, func(s string) bool { return strings.HasPrefix(s, "1 RST of") })
				}
				if err != nil || len(remarks) != 0 {
					t.Errorf("%v apart, %v ahead, %s: %q, %v", way, ahead, name, remarks, err)
				}
				plain := func(all []string) string { // whether it is certain may differ
					text := strings.Join(all, "\n")
					return strings.NewReplacer(" certain", "", " inferred", "").Replace(text)
				}
				if plain(got) != plain(want) {
					t.Errorf("%v apart, %v ahead, %s: got\n%s\nwant\n%s", way, ahead, name, strings.Join(got, "\n"), strings.Join(want, "\n"))
				}
			}
		}
	}
}

// The two directions of a tap are one capture.
func TestTogetherDirections(t *testing.T) {
	all := packetsOf(t, 200*time.Millisecond, ways)
	var ways [2][]packetAt
	for _, p := range all {
		i := 0
		if netip.AddrFrom4([4]byte(p.data[26:])) == server.Addr() {
			i = 1
		}
		ways[i] = append(ways[i], p)
	}
	want, _, _ := together(t, pcap(all))
	if got, _, err := together(t, pcap(ways[0]), pcap(ways[1])); err != nil || !slices.Equal(got, want) {
		t.Errorf("%v: got\n%s\nwant\n%s", err, strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

// A ring is one capture, in whatever order its files are given, and all is as certain as in
// one file. At the border packets may be out of order.
func TestTogetherRing(t *testing.T) {
	for _, step := range []time.Duration{200 * time.Millisecond, time.Millisecond} {
		all := packetsOf(t, step, ways)
		for size := 1; size < 40; size += 3 {
			var ring [][]byte
			all := slices.Clone(all)
			for part := range slices.Chunk(all, size) {
				if len(part) > 2 && step > 100*time.Millisecond {
					part[0].at = part[0].at.Add(-step - time.Millisecond) // before the last of the file before
				}
				ring = append(ring, pcap(part))
			}
			slices.Reverse(ring)
			want, _, _ := together(t, pcap(all))
			if got, _, err := together(t, ring...); err != nil || !slices.Equal(got, want) {
				t.Errorf("%d in a file, %v: got\n%s\nwant\n%s", size, err, strings.Join(got, "\n"), strings.Join(want, "\n"))
			}
		}
	}
}

// Retransmissions count once, where their original did, and those that a capture has alone
// after the other's end are still seen.
func TestTogetherRetransmissions(t *testing.T) {
	script := func(m *wiretest.Maker) {
		c := m.Open(client, server, 100, 500)
		c.Say(0, []byte("request"))
		for range 7 {
			m.Send(&wiretest.Segment{From: client, To: server, Seq: 108, Ack: 501, Flags: wiretest.ACK | wiretest.PSH, Window: 64000, Payload: []byte("more")})
		}
		for n := range 200 {
			m.Send(&wiretest.Segment{From: netip.AddrPortFrom(client.Addr(), 50000), To: server, Seq: uint32(n), Ack: 1, Flags: wiretest.ACK, Window: 64000, Payload: []byte("x")})
		}
	}
	all := packetsOf(t, 300*time.Millisecond, script)
	want, _, _ := together(t, pcap(all))
	if len(want) != 1 || !strings.Contains(want[0], "retransmit-timeout") {
		t.Fatalf("got %q", want)
	}
	far := further(all, 30*time.Millisecond, 0)
	for name, captures := range map[string]map[string][]byte{
		"both":      {"near": pcap(all), "far": pcap(far)},
		"ring":      {"0": pcap(all[:7]), "1": pcap(all[7:9]), "2": pcap(all[9:])},
		"lost":      {"near": pcap(all), "far": pcap(append(slices.Clone(far[:6]), far[12:]...))},
		"two rings": {"near-0": pcap(all[:7]), "near-1": pcap(all[7:]), "far-0": pcap(far[:6]), "far-1": pcap(far[20:])},
	} {
		if got, _, err := togetherNamed(t, captures); err != nil || !slices.Equal(got, want) {
			t.Errorf("%s: got %q, want %q, %v", name, got, want, err)
		}
	}
}

// What is concluded from silence in one capture is not taken back by another whose clock is behind.
func TestTogetherUnanswered(t *testing.T) {
	all := packetsOf(t, time.Second, func(m *wiretest.Maker) {
		for range 4 {
			m.Send(&wiretest.Segment{From: client, To: server, Seq: 7, Flags: wiretest.SYN, Window: 64000})
		}
		for range 40 {
			m.Packet(make([]byte, 60))
		}
	})
	want, _, _ := together(t, pcap(all))
	if got, _, err := together(t, pcap(all), pcap(further(all, 0, 11*time.Second))); err != nil || len(want) != 1 || !slices.Equal(got, want) {
		t.Errorf("got %q, want %q, %v", got, want, err)
	}
}

// A RST that only the near capture has, while its sender goes on: something between the two
// sent it. The far one has first what goes on.
func TestTogetherResetBetween(t *testing.T) {
	all := packetsOf(t, 200*time.Millisecond, func(m *wiretest.Maker) {
		c := m.Open(client, server, 100, 500)
		c.Say(0, []byte("request"))
		m.Send(&wiretest.Segment{From: server, To: client, Seq: 501, Ack: 108, Flags: wiretest.RST | wiretest.ACK, Window: 64000})
		m.Send(&wiretest.Segment{From: server, To: client, Seq: 501, Ack: 108, Flags: wiretest.PSH | wiretest.ACK, Window: 64000, Payload: []byte("answer")})
	})
	want, _, _ := together(t, pcap(all))
	if len(want) == 0 || !strings.Contains(strings.Join(want, "\n"), "none network") {
		t.Fatalf("got %q", want)
	}
	far := further(slices.Delete(slices.Clone(all), 5, 6), 45*time.Millisecond, 0)
	if got, _, err := together(t, pcap(all), pcap(far)); err != nil || !slices.Equal(got, want) {
		t.Errorf("got %q, want %q, %v", got, want, err)
	}
}

// Of a capture that is cut, or that can't be opened, the error comes last, with its name;
// the others are read to their ends.
func TestTogetherCut(t *testing.T) {
	all := packetsOf(t, 200*time.Millisecond, ways)
	want, _, _ := together(t, pcap(all))
	first := pcap(all[:31])
	got, _, err := together(t, first[:len(first)-3], pcap(all[30:]), pcap(nil))
	if !errors.Is(err, wire.ErrCut) || !strings.Contains(err.Error(), "read c0.pcap: cut at byte") || !slices.Equal(got, want) {
		t.Errorf("%v: got\n%s\nwant\n%s", err, strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	failing := wire.Part{Name: "gone", Open: func() (*wire.File, func() error, error) { return nil, nil, io.ErrClosedPipe }}
	f := wire.Together([]wire.Part{failing, failing}, wire.Options{})
	for _, failed := range f.Events(t.Context()) {
		err = failed
	}
	if !errors.Is(err, io.ErrClosedPipe) {
		t.Errorf("got %v", err)
	}
}

// SYN-ACKs that only the far capture has do not arrive: the client gives up, as the near one
// has it, while the server still sends them.
func TestTogetherAnswersLost(t *testing.T) {
	var far bytes.Buffer
	m := wiretest.New(&far, begin)
	near := packetsOf(t, time.Second, func(m *wiretest.Maker) {
		for range 4 {
			m.Send(&wiretest.Segment{From: client, To: server, Seq: 7, Flags: wiretest.SYN, Window: 64000})
		}
		for range 70 {
			m.Packet(make([]byte, 60))
		}
	})
	for n := range 7 {
		if n < 4 {
			m.Now = near[n].at.Add(time.Millisecond)
			m.Packet(near[n].data)
		} else {
			m.Now = m.Now.Add(4 * time.Second << (n - 4))
		}
		m.Send(&wiretest.Segment{From: server, To: client, Seq: 90, Ack: 8, Flags: wiretest.SYN | wiretest.ACK, Window: 64000})
	}
	want, _, _ := together(t, pcap(near))
	if len(want) != 1 || !strings.Contains(want[0], "connect-timeout") {
		t.Errorf("got %q", want)
	}
	if got, _, err := together(t, pcap(near), far.Bytes()); err != nil || !slices.Equal(got, want) {
		t.Errorf("got %q, want %q, %v", got, want, err)
	}
}
