package wire_test

import (
	"bytes"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/gopacket/gopacket"
	"github.com/gopacket/gopacket/layers"
	"github.com/gopacket/gopacket/pcapgo"

	"github.com/closetrace/closetrace/internal/lab/sourcetest"
	"github.com/closetrace/closetrace/model"
	"github.com/closetrace/closetrace/wire"
	"github.com/closetrace/closetrace/wire/wiretest"
)

var (
	client = netip.MustParseAddrPort("10.0.0.1:40000")
	server = netip.MustParseAddrPort("192.0.2.1:443")
)

// play makes a capture and returns the records of it.
func play(t *testing.T, o wire.Options, script func(m *wiretest.Maker)) []model.Record {
	t.Helper()
	var file bytes.Buffer
	m := wiretest.New(&file, begin)
	script(m)
	if m.Err != nil {
		t.Fatal(m.Err)
	}
	return readFrom(t, &file, o)
}

func readFrom(t *testing.T, in *bytes.Buffer, o wire.Options) (all []model.Record) {
	t.Helper()
	f, _, err := wire.Open(in, "made", o)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for r, err := range model.Judged(f.Events(t.Context())) {
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, r)
	}
	return all
}

// story is an end in a line.
func story(r *model.Record) string {
	t := &r.Teardown
	return strings.Join([]string{
		t.ID, t.Network.Local.AddrPort().String(), t.Verdict.String(), t.Cause.String(),
		t.Initiator.String(), t.Terminator.String(), t.Confidence.String(),
	}, " ")
}

func check(t *testing.T, records []model.Record, want ...string) {
	t.Helper()
	var got []string
	for i := range records {
		got = append(got, story(&records[i]))
	}
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

// later lets time pass in the capture.
func later(m *wiretest.Maker, d time.Duration) {
	m.Now = m.Now.Add(d)
	m.Packet(make([]byte, 60))
}

func TestConformance(t *testing.T) {
	sourcetest.Run(t, sourcetest.Config{Open: func(t *testing.T) model.Source {
		var file bytes.Buffer
		wiretest.New(&file, begin).Traffic(1 << 20)
		f, _, err := wire.Open(&file, "made", wire.Options{})
		if err != nil {
			t.Fatal(err)
		}
		return f
	}})
}

// A reused tuple is another connection, as its SYN shows.
func TestTupleUsedAgain(t *testing.T) {
	records := play(t, wire.Options{}, func(m *wiretest.Maker) {
		for i := range uint32(2) {
			c := m.Open(client, server, 1000+i*100000, 5000)
			c.Say(0, []byte("hello"))
			c.Close(0)
		}
		m.Open(client, server, 900000, 7000).Flag(1, wiretest.RST|wiretest.ACK)
	})
	check(
		t, records,
		"w1a 10.0.0.1:40000 graceful fin local local-app certain",
		"w1b 192.0.2.1:443 graceful fin peer peer certain",
		"w2a 10.0.0.1:40000 graceful fin local local-app certain",
		"w2b 192.0.2.1:443 graceful fin peer peer certain",
		"w3a 10.0.0.1:40000 abortive peer-reset peer peer certain",
		"w3b 192.0.2.1:443 abortive local-abort local local-app inferred",
	)
	if got := records[0].Teardown.TCP.Fingerprint; got != model.NewFingerprint(1000, 5000) {
		t.Errorf("fingerprint %v", got)
	}
	if b := records[0].Teardown.TCP.Bytes; !b.Sent.Is(5) || !b.Unacked.Is(0) {
		t.Errorf("bytes %+v, want 5 that were acknowledged", b)
	}
}

// A RST whose TTL is unlike that of its sender's other segments is the network's; both
// values are in the evidence.
func TestForgedReset(t *testing.T) {
	records := play(t, wire.Options{Local: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}}, func(m *wiretest.Maker) {
		c := m.Open(client, server, 1000, 5000)
		c.Say(0, []byte("hello"))
		m.Send(&wiretest.Segment{From: server, To: client, Seq: 5001, Ack: 1006, Flags: wiretest.RST | wiretest.ACK, TTL: 57})
	})
	check(t, records, "w1a 10.0.0.1:40000 abortive peer-reset none network inferred")
	r := &records[0].Teardown
	if !strings.Contains(r.ConfidenceReason, "TTL 57") || !strings.Contains(r.ConfidenceReason, "64") || len(r.Evidence.Events) != 2 {
		t.Errorf("reason %q, evidence %v", r.ConfidenceReason, r.Evidence.Events)
	}
}

// Data for an end that has closed is answered with RST.
func TestDataAfterClose(t *testing.T) {
	records := play(t, wire.Options{}, func(m *wiretest.Maker) {
		c := m.Open(client, server, 1000, 5000)
		c.Say(0, []byte("hello"))
		c.Flag(1, wiretest.FIN|wiretest.ACK)
		c.Flag(0, wiretest.ACK)
		m.Send(&wiretest.Segment{From: client, To: server, Seq: 1006, Ack: 5002, Flags: wiretest.PSH | wiretest.ACK, Payload: []byte("more"), Window: 1})
		m.Send(&wiretest.Segment{From: server, To: client, Seq: 5002, Flags: wiretest.RST})
	})
	check(
		t, records,
		"w1a 10.0.0.1:40000 abortive peer-reset peer peer inferred",
		"w1b 192.0.2.1:443 abortive data-after-close local local-kernel inferred",
	)
}

// What is retransmitted several times, and then no more, has timed out; the conclusion is
// retracted if it was wrong.
func TestSilence(t *testing.T) {
	script := func(answered bool) func(m *wiretest.Maker) {
		return func(m *wiretest.Maker) {
			m.Open(client, server, 1000, 5000)
			for _, wait := range []time.Duration{0, 1, 2, 4, 8} {
				m.Now = m.Now.Add(wait * time.Second)
				m.Send(&wiretest.Segment{From: client, To: server, Seq: 1001, Ack: 5001, Flags: wiretest.PSH | wiretest.ACK, Payload: []byte("hello"), Window: 9})
			}
			later(m, time.Minute)
			if answered {
				m.Send(&wiretest.Segment{From: server, To: client, Seq: 5001, Ack: 1006, Flags: wiretest.RST | wiretest.ACK})
			}
			later(m, time.Minute)
		}
	}
	const silent = "w1a 10.0.0.1:40000 abortive retransmit-timeout none local-kernel inferred"
	check(t, play(t, wire.Options{}, script(false)), silent)
	check(
		t, play(t, wire.Options{}, script(true)), silent,
		"w1a 10.0.0.1:40000 abortive peer-reset peer peer inferred",
		"w1b 192.0.2.1:443 abortive local-abort local local-app inferred",
	)
}

// Attempts that fail: each in its way, and only the client has an end.
func TestAttempts(t *testing.T) {
	syn := func(m *wiretest.Maker, port uint16) netip.AddrPort {
		from := netip.AddrPortFrom(client.Addr(), port)
		m.Send(&wiretest.Segment{From: from, To: server, Seq: 7, Flags: wiretest.SYN})
		return from
	}
	check(
		t, play(t, wire.Options{}, func(m *wiretest.Maker) {
			from := syn(m, 1)
			m.Send(&wiretest.Segment{From: server, To: from, Ack: 8, Flags: wiretest.RST | wiretest.ACK})
			syn(m, 2)
			m.Now = m.Now.Add(time.Second)
			syn(m, 2)
			later(m, time.Minute)
			from = syn(m, 3)
			m.Send(&wiretest.Segment{From: server, To: from, Ack: 99, Flags: wiretest.RST | wiretest.ACK}) // not of this SYN
		}),
		"w1a 10.0.0.1:1 failed-open refused peer peer inferred",
		"w2a 10.0.0.1:2 failed-open connect-timeout none local-kernel inferred",
	)
}

// Where FINs cross and the capture ends before both are acknowledged, no end is certain.
func TestCrossedFINsUnacknowledged(t *testing.T) {
	records := play(t, wire.Options{}, func(m *wiretest.Maker) {
		m.Open(client, server, 1000, 5000)
		for end := range 2 { // neither has got the other's
			(&used{1001, 5001}).send(m, end, wiretest.FIN|wiretest.ACK, "")
		}
		m.Send(&wiretest.Segment{From: client, To: server, Seq: 1002, Ack: 5002, Flags: wiretest.ACK, Window: 500})
	})
	check(
		t, records,
		"w1a 10.0.0.1:40000 graceful fin both local-app inferred",
		"w1b 192.0.2.1:443 graceful fin both local-app inferred",
	)
}

// A SYN that was captured after its SYN-ACK opens no other connection.
func TestSYNAfterItsAnswer(t *testing.T) {
	records := play(t, wire.Options{}, func(m *wiretest.Maker) {
		m.Send(&wiretest.Segment{From: server, To: client, Seq: 5000, Ack: 1001, Flags: wiretest.SYN | wiretest.ACK, Window: 500})
		m.Send(&wiretest.Segment{From: client, To: server, Seq: 1000, Flags: wiretest.SYN, Window: 500})
		a := used{1001, 5001}
		a.send(m, 0, wiretest.ACK, "")
		a.say(m)
		a.reset(m, 0)
	})
	check(
		t, records,
		"w1a 10.0.0.1:40000 abortive local-abort local local-app inferred",
		"w1b 192.0.2.1:443 abortive peer-reset peer peer certain",
	)
	for i := range records {
		x := &records[i].Teardown
		if x.TCP.Fingerprint != model.NewFingerprint(1000, 5000) || strings.Contains(x.ConfidenceReason, "lost") {
			t.Errorf("fingerprint %v, reason %q", x.TCP.Fingerprint, x.ConfidenceReason)
		}
	}
}

// A TLS alert in clear is in the evidence.
func TestAlert(t *testing.T) {
	records := play(t, wire.Options{}, func(m *wiretest.Maker) {
		c := m.Open(client, server, 1000, 5000)
		c.Say(0, []byte("\x16\x03\x01\x00\x01x"))
		c.Say(1, []byte("\x15\x03\x03\x00\x02\x02\x28")) // fatal, handshake_failure
		c.Close(1)
	})
	want := model.EventRef{Provider: "wire.tls-alert-received", ID: 40, Reason: model.Some(uint32(2))}
	if got := records[0].Teardown.Evidence.Events; len(got) != 1 || got[0] != want {
		t.Errorf("evidence %v, want %v", got, want)
	}
}

// The comments of ptcpdump name the process, the container and the pod, and the
// packet's direction says whose they are.
func TestOwners(t *testing.T) {
	var made, file bytes.Buffer
	m := wiretest.New(&made, begin)
	m.Open(client, server, 1, 2).Close(0)
	in, err := pcapgo.NewReader(&made)
	if err != nil {
		t.Fatal(err)
	}
	w, err := pcapgo.NewNgWriter(&file, layers.LinkTypeEthernet)
	if err != nil {
		t.Fatal(err)
	}
	for {
		data, info, err := in.ReadPacketData()
		if err != nil {
			break
		}
		flags := pcapgo.NgEpbFlags{Direction: pcapgo.NgEpbFlagDirectionOutbound}
		if data[26] == 192 {
			flags.Direction = pcapgo.NgEpbFlagDirectionInbound
		}
		info = gopacket.CaptureInfo{Timestamp: info.Timestamp, CaptureLength: info.CaptureLength, Length: info.Length}
		if err := w.WritePacketWithOptions(info, data, pcapgo.NgPacketOptions{Comments: []string{
			"PID: 812\nCmd: /usr/bin/curl\nArgs: curl x", "UserId: 1000", "ContainerName: web\nContainerId: 1f2e", "PodName: p\nPodNamespace: n\nPodUID: u",
		}, Flags: &flags}); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Flush(); err != nil {
		t.Fatal(err)
	}
	records := readFrom(t, &file, wire.Options{})
	if len(records) != 2 || records[1].Teardown.Process.PID != 0 {
		t.Fatalf("%d records, want two, of which one has an owner", len(records))
	}
	r := &records[0].Teardown
	if r.Process.PID != 812 || r.Process.Name != "curl" || r.Process.Executable.Path != "/usr/bin/curl" || !r.Process.User.ID.Is(1000) ||
		r.Container.ID != "1f2e" || r.K8s.Pod.Name != "p" || r.K8s.Namespace.Name != "n" {
		t.Errorf("owner %+v %+v %+v", r.Process, r.Container, r.K8s)
	}
}

// TestIdleBeforeLateRequest: a request that meets the server's FIN came after the idle time, which is
// known by the times of the segments.
func TestIdleBeforeLateRequest(t *testing.T) {
	records := play(t, wire.Options{}, func(m *wiretest.Maker) {
		c := m.Open(client, server, 1000, 5000)
		c.Say(0, []byte("GET / HTTP/1.1\r\n\r\n"))
		c.Say(1, []byte("HTTP/1.1 204 No Content\r\n\r\n"))
		later(m, 75*time.Second)
		c.Flag(1, wiretest.FIN|wiretest.ACK)
		c.Say(0, []byte("GET / HTTP/1.1\r\n\r\n"))
		c.Flag(1, wiretest.RST)
	})
	if len(records) != 2 {
		t.Fatalf("got %d ends, want 2", len(records))
	}
	for i := range records {
		if idle := records[i].Teardown.TCP.Idle.Or(0); idle < 74*time.Second || idle > 76*time.Second {
			t.Errorf("%s: idle for %v, want 75s", story(&records[i]), idle)
		}
	}
}

// A connection during which the clock was set back has no duration.
func TestNoNegativeDuration(t *testing.T) {
	records := play(t, wire.Options{}, func(m *wiretest.Maker) {
		c := m.Open(client, server, 1000, 5000)
		m.Now = m.Now.Add(-time.Hour)
		c.Flag(1, wiretest.RST|wiretest.ACK)
	})
	for i := range records {
		if d := records[i].Teardown.Duration; d.Known() {
			t.Errorf("%s: lasted %v", story(&records[i]), d)
		}
	}
	if len(records) != 2 {
		t.Errorf("got %d ends, want 2", len(records))
	}
}
