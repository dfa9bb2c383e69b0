package wire_test

import (
	"bytes"
	"encoding/binary"
	"testing"

	"github.com/closetrace/closetrace/wire"
	"github.com/closetrace/closetrace/wire/wiretest"
)

// Files of ptcpdump's own test data (MIT, github.com/mozillazg/ptcpdump, testdata/format):
// of a connection to elsewhere the process is that of the end here; of one over loopback
// ptcpdump names curl for both ends, and the server was another process.
func TestPtcpdump(t *testing.T) {
	loopback := readFrom(t, bytes.NewBuffer(readFile(t, "testdata/ptcpdump-loopback.pcapng")), wire.Options{})
	check(
		t, loopback,
		"w1b 127.0.0.1:8000 graceful fin peer peer certain",
		"w1a 127.0.0.1:58694 graceful fin local local-app certain",
	)
	for _, r := range loopback {
		if p := r.Teardown.Process; p.PID != 0 {
			t.Errorf("%v is said to be of %s[%d]", r.Teardown.Network.Local, p.Name, p.PID)
		}
	}
	file := readFile(t, "testdata/ptcpdump-curl.pcapng")
	file = append(file, withFlags(lastPacket(file), wiretest.RST|wiretest.ACK)...)
	records := readFrom(t, bytes.NewBuffer(file), wire.Options{})
	if len(records) != 2 {
		t.Fatalf("%d ends, want 2", len(records))
	}
	for _, r := range records {
		n, p := r.Teardown.Network, r.Teardown.Process
		if here := n.Local.Address.String() == "10.0.2.15"; here && (p.PID != 122868 || p.Name != "curl" || p.Executable.Path != "/usr/bin/curl") || !here && p.PID != 0 {
			t.Errorf("%v: %+v", n.Local, p)
		}
	}
}

// lastPacket returns the last enhanced packet block that is outbound.
func lastPacket(file []byte) (last []byte) {
	for at := 0; at < len(file); {
		size := int(binary.LittleEndian.Uint32(file[at+4:]))
		if outbound := []byte{2, 0, 4, 0, 2, 0, 0, 0}; file[at] == 6 && bytes.Contains(file[at:at+size], outbound) {
			last = file[at : at+size]
		}
		at += size
	}
	return bytes.Clone(last)
}

// withFlags changes the flags of the segment in a block with Ethernet and IPv4.
func withFlags(block []byte, flags byte) []byte {
	const header, ethernet, ip, at = 28, 14, 20, 13
	block[header+ethernet+ip+at] = flags
	return block
}

// option is one of a pcapng block.
func option(code, size uint16, value ...byte) []byte {
	b := binary.LittleEndian.AppendUint16(nil, code)
	b = binary.LittleEndian.AppendUint16(b, size)
	for b = append(b, value...); len(b)%4 != 0; {
		b = append(b, 0)
	}
	return b
}

func block(kind uint32, content []byte) []byte {
	size := uint32(len(content) + 12)
	b := binary.LittleEndian.AppendUint32(nil, kind)
	b = append(binary.LittleEndian.AppendUint32(b, size), content...)
	return binary.LittleEndian.AppendUint32(b, size)
}

// ng makes a pcapng file of the segments that script writes: before are blocks before the
// first packet, and options returns those of a packet, of the client or of the server.
func ng(t *testing.T, before []byte, options func(client bool) []byte, script func(m *wiretest.Maker)) *bytes.Buffer {
	t.Helper()
	var made bytes.Buffer
	m := wiretest.New(&made, begin)
	script(m)
	if m.Err != nil {
		t.Fatal(m.Err)
	}
	file := block(0x0a0d0d0a, []byte("\x4d\x3c\x2b\x1a\x01\x00\x00\x00\xff\xff\xff\xff\xff\xff\xff\xff"))
	device := append([]byte{1, 0, 0, 0, 0, 0, 4, 0}, option(2, 9, []byte("eth:12:-1")...)...) // as etl2pcapng names them
	device = append(device, option(9, 1, 9)...)
	file = append(append(file, block(1, append(device, 0, 0, 0, 0))...), before...)
	for data := made.Bytes()[24:]; len(data) > 0; {
		size := binary.LittleEndian.Uint32(data[8:])
		at := uint64(binary.LittleEndian.Uint32(data))*1e9 + uint64(binary.LittleEndian.Uint32(data[4:]))
		content := binary.LittleEndian.AppendUint32(nil, 0)
		content = binary.LittleEndian.AppendUint32(content, uint32(at>>32))
		content = binary.LittleEndian.AppendUint32(content, uint32(at))
		content = append(append(content, data[8:16]...), data[16:16+size]...)
		for len(content)%4 != 0 {
			content = append(content, 0)
		}
		content = append(content, options(data[16+26] == client.Addr().As4()[0])...)
		file = append(file, block(6, append(content, 0, 0, 0, 0))...)
		data = data[16+size:]
	}
	return bytes.NewBuffer(file)
}

// direction is epb_flags.
func direction(outbound bool) []byte {
	if outbound {
		return option(2, 4, 2, 0, 0, 0)
	}
	return option(2, 4, 1, 0, 0, 0)
}

// What etl2pcapng (1.11) writes of a pktmon trace: the process that ran when Windows handled
// a packet, which is not taken for its owner, and packets that pktmon saw dropped. A RST
// that was dropped may never have come to the end that it was for.
func TestEtl2pcapng(t *testing.T) {
	process := append(option(8, 8, 4, 0, 0, 0, 9, 0, 0, 0), option(1, 5, []byte("PID=4")...)...)
	drop := append(option(7, 9, 2, 1, 0, 0, 0, 0, 0, 0, 0), process...)
	for _, dropped := range []bool{false, true} {
		n, packets := 0, 0
		script := func(m *wiretest.Maker) {
			c := m.Open(client, server, 1000, 5000)
			c.Say(0, []byte("hello"))
			for range 2 { // by the network card, then by a filter
				m.Send(&wiretest.Segment{From: server, To: client, Seq: 5001, Ack: 1006, Flags: wiretest.RST | wiretest.ACK, ID: func() uint16 { return 77 }})
			}
			packets = 7
		}
		options := func(client bool) []byte {
			if n++; n == packets && dropped {
				return append(direction(client), drop...)
			}
			return append(direction(client), process...)
		}
		records := readFrom(t, ng(t, nil, options, script), wire.Options{})
		confidence := map[bool]string{false: "certain", true: "inferred"}[dropped]
		check(
			t, records,
			"w1a 10.0.0.1:40000 abortive peer-reset peer peer "+confidence,
			"w1b 192.0.2.1:443 abortive local-abort local local-app inferred",
		)
		for _, r := range records {
			if r.Teardown.Process.PID != 0 {
				t.Errorf("process %+v", r.Teardown.Process)
			}
		}
	}
}

// What Apple's tcpdump writes of pktap: blocks that name processes, and packets that have
// the number of one (pcapng.h of its libpcap; Wireshark's test captures are made alike).
func TestAppleProcesses(t *testing.T) {
	processes := append(
		block(0x80000001, append([]byte{0xf5, 1, 0, 0}, append(option(2, 13, []byte("mDNSResponder")...), 0, 0, 0, 0)...)),
		block(0x80000001, append([]byte{77, 0, 0, 0}, append(option(2, 6, []byte("Safari")...), 0, 0, 0, 0)...))...)
	options := func(client bool) []byte { return append(direction(client), option(0x8001, 4, 1, 0, 0, 0)...) }
	records := readFrom(t, ng(t, processes, options, func(m *wiretest.Maker) { m.Open(client, server, 1000, 5000).Close(0) }), wire.Options{})
	if len(records) != 2 {
		t.Fatalf("%d records, want 2", len(records))
	}
	if p := records[0].Teardown.Process; p.PID != 77 || p.Name != "Safari" {
		t.Errorf("process %+v, want Safari, 77", p)
	}
	if p := records[1].Teardown.Process; p.PID != 0 {
		t.Errorf("process of the other host: %+v", p)
	}
}
