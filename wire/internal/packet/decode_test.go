package packet_test

import (
	"encoding/binary"
	"net"
	"strings"
	"testing"

	"github.com/gopacket/gopacket"
	"github.com/gopacket/gopacket/layers"

	"github.com/closetrace/closetrace/wire/internal/packet"
)

var (
	ip4 = layers.IPv4{Version: 4, TTL: 61, Id: 777, Protocol: layers.IPProtocolTCP, SrcIP: net.IP{192, 0, 2, 1}, DstIP: net.IP{192, 0, 2, 2}}
	ip6 = layers.IPv6{Version: 6, HopLimit: 61, NextHeader: layers.IPProtocolTCP, SrcIP: net.ParseIP("2001:db8::1"), DstIP: net.ParseIP("2001:db8::2")}
	tcp = layers.TCP{SrcPort: 40000, DstPort: 443, Seq: 0xfffffff0, Ack: 5, ACK: true, PSH: true, Window: 501, Options: []layers.TCPOption{
		{OptionType: layers.TCPOptionKindNop},
		{OptionType: layers.TCPOptionKindNop},
		{OptionType: layers.TCPOptionKindTimestamps, OptionLength: 10, OptionData: []byte{0, 0, 0, 9, 0, 0, 0, 8}},
	}}
	eth     = layers.Ethernet{SrcMAC: net.HardwareAddr{2, 0, 0, 0, 0, 1}, DstMAC: net.HardwareAddr{2, 0, 0, 0, 0, 2}, EthernetType: layers.EthernetTypeIPv4}
	payload = gopacket.Payload("hello")
)

func frame(t testing.TB, all ...gopacket.SerializableLayer) []byte {
	t.Helper()
	b := gopacket.NewSerializeBuffer()
	if err := gopacket.SerializeLayers(b, gopacket.SerializeOptions{FixLengths: true}, all...); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// example is a packet of a link type, as gopacket writes it.
type example struct {
	name string
	link uint16
	data []byte
	kind packet.Kind
}

func examples(t testing.TB) []example {
	of := func(ether layers.EthernetType) *layers.Ethernet { e := eth; e.EthernetType = ether; return &e }
	ip := func(protocol layers.IPProtocol) *layers.IPv4 { i := ip4; i.Protocol = protocol; return &i }
	seg := tcp
	plain := frame(t, &ip4, &seg, payload)
	plain6 := frame(t, &ip6, &seg, payload)
	join := func(head string, rest []byte) []byte { return append([]byte(head), rest...) }
	next := func(n layers.IPProtocol) *layers.IPv6 { i := ip6; i.NextHeader = n; return &i }
	fragment := ip4
	fragment.FragOffset, fragment.Flags = 100, layers.IPv4MoreFragments
	udp := func(port layers.UDPPort) *layers.UDP { return &layers.UDP{SrcPort: 5555, DstPort: port} }
	inner := frame(t, of(layers.EthernetTypeIPv4), &ip4, &seg, payload)
	return []example{
		{"ethernet", 1, inner, packet.TCP},
		{"ethernet ipv6", 1, frame(t, of(layers.EthernetTypeIPv6), &ip6, &seg, payload), packet.TCP},
		{"vlan", 1, frame(t, of(layers.EthernetTypeDot1Q), &layers.Dot1Q{VLANIdentifier: 5, Type: layers.EthernetTypeIPv4}, &ip4, &seg, payload), packet.TCP},
		{"qinq", 1, frame(t, of(layers.EthernetTypeQinQ), &layers.Dot1Q{VLANIdentifier: 5, Type: layers.EthernetTypeDot1Q}, &layers.Dot1Q{VLANIdentifier: 6, Type: layers.EthernetTypeIPv4}, &ip4, &seg, payload), packet.TCP},
		{"mpls", 1, frame(t, of(layers.EthernetTypeMPLSUnicast), &layers.MPLS{Label: 9, StackBottom: true, TTL: 3}, &ip4, &seg, payload), packet.TCP},
		{"pppoe", 1, frame(t, of(layers.EthernetTypePPPoESession), &layers.PPPoE{Version: 1, Type: 1, SessionId: 7}, &layers.PPP{PPPType: layers.PPPTypeIPv4}, &ip4, &seg, payload), packet.TCP},
		{"arp", 1, append(frame(t, of(layers.EthernetTypeARP)), make([]byte, 28)...), packet.Other},
		{"raw", 101, plain, packet.TCP},
		{"raw of OpenBSD", 14, plain, packet.TCP},
		{"ipv4", 228, plain, packet.TCP},
		{"ipv6", 229, plain6, packet.TCP},
		{"cooked", 113, join("\x00\x04\x00\x01\x00\x06\x02\x00\x00\x00\x00\x01\x00\x00\x08\x00", plain), packet.TCP},
		{"cooked ipv6", 113, join("\x00\x04\x00\x01\x00\x06\x02\x00\x00\x00\x00\x01\x00\x00\x86\xdd", plain6), packet.TCP},
		{"cooked 2", 276, join("\x08\x00\x00\x00\x00\x00\x00\x01\x00\x01\x04\x06\x02\x00\x00\x00\x00\x01\x00\x00", plain), packet.TCP},
		{"loopback of BSD", 0, join("\x02\x00\x00\x00", plain), packet.TCP},
		{"loopback of OpenBSD", 108, join("\x00\x00\x00\x18", plain6), packet.TCP},
		{"ppp", 9, join("\x00\x21", plain), packet.TCP},
		{"ppp with address and control", 9, join("\xff\x03\x00\x57", plain6), packet.TCP},
		{"ppp with a short protocol", 50, join("\xff\x03\x21", plain), packet.TCP},
		{"hdlc", 104, join("\x0f\x00\x08\x00", plain), packet.TCP},
		{"ip in ip", 101, frame(t, ip(layers.IPProtocolIPv4), &ip4, &seg, payload), packet.TCP},
		{"ipv6 in ip", 101, frame(t, ip(layers.IPProtocolIPv6), &ip6, &seg, payload), packet.TCP},
		{"gre", 101, frame(t, ip(layers.IPProtocolGRE), &layers.GRE{Protocol: layers.EthernetTypeIPv4}, &ip4, &seg, payload), packet.TCP},
		{"gre with a key", 101, frame(t, ip(layers.IPProtocolGRE), &layers.GRE{Protocol: layers.EthernetTypeIPv4, KeyPresent: true, Key: 4, SeqPresent: true}, &ip4, &seg, payload), packet.TCP},
		{"vxlan", 1, frame(t, of(layers.EthernetTypeIPv4), ip(layers.IPProtocolUDP), udp(4789), &layers.VXLAN{ValidIDFlag: true, VNI: 3}, of(layers.EthernetTypeIPv4), &ip4, &seg, payload), packet.TCP},
		{"vxlan of linux", 1, frame(t, of(layers.EthernetTypeIPv4), ip(layers.IPProtocolUDP), udp(8472), &layers.VXLAN{ValidIDFlag: true, VNI: 3}, of(layers.EthernetTypeIPv6), &ip6, &seg, payload), packet.TCP},
		{"geneve", 1, frame(t, of(layers.EthernetTypeIPv4), ip(layers.IPProtocolUDP), udp(6081), gopacket.Payload("\x01\x00\x65\x58\x00\x00\x07\x00\x01\x02\x03\x04"+string(inner))), packet.TCP},
		{"gtp", 1, frame(t, of(layers.EthernetTypeIPv4), ip(layers.IPProtocolUDP), udp(2152), &layers.GTPv1U{Version: 1, ProtocolType: 1, MessageType: 255, TEID: 9}, &ip4, &seg, payload), packet.TCP},
		{"gtp of 5G", 1, frame(t, of(layers.EthernetTypeIPv4), ip(layers.IPProtocolUDP), udp(2152), &layers.GTPv1U{Version: 1, ProtocolType: 1, MessageType: 255, TEID: 9, ExtensionHeaderFlag: true, GTPExtensionHeaders: []layers.GTPExtensionHeader{{Type: 0x85, Content: []byte{1, 2}}}}, &ip4, &seg, payload), packet.TCP},
		{"an echo of gtp", 1, frame(t, of(layers.EthernetTypeIPv4), ip(layers.IPProtocolUDP), udp(2152), &layers.GTPv1U{Version: 1, ProtocolType: 1, MessageType: 1}, payload, payload), packet.Other},
		{"mpls over ppp", 9, join("\x02\x81", frame(t, &layers.MPLS{Label: 9, StackBottom: true, TTL: 3}, &ip4, &seg, payload)), packet.TCP},
		{"infiniband", 242, join(strings.Repeat("\x00", 40)+"\x08\x00\x00\x00", plain), packet.TCP},
		{"dns", 1, frame(t, of(layers.EthernetTypeIPv4), ip(layers.IPProtocolUDP), udp(53), payload), packet.Other},
		{"extension headers", 229, frame(t, next(layers.IPProtocolIPv6HopByHop), gopacket.Payload("\x3c\x00\x01\x04\x00\x00\x00\x00\x06\x00\x01\x04\x00\x00\x00\x00"+string(frame(t, &seg, payload)))), packet.TCP},
		{"an atomic fragment", 229, frame(t, next(layers.IPProtocolIPv6Fragment), gopacket.Payload("\x06\x00\x00\x00\x00\x00\x00\x01"+string(frame(t, &seg, payload)))), packet.TCP},
		{"a fragment of ipv6", 229, frame(t, next(layers.IPProtocolIPv6Fragment), gopacket.Payload("\x06\x00\x05\xa9\x00\x00\x00\x01"+string(frame(t, &seg, payload)))), packet.Fragment},
		{"a fragment", 101, frame(t, &fragment, &seg, payload), packet.Fragment},
		{"wireless", 127, make([]byte, 100), packet.Wireless},
		{"usb", 189, make([]byte, 100), packet.UnknownLink},
		{"esp", 101, frame(t, ip(layers.IPProtocolESP), payload), packet.Other},
		{"nothing", 1, nil, packet.Short},
		{"an ip header that is too long", 101, join("\x4f\x00\x00\x14\x00\x00\x00\x00\x40\x06\x00\x00", make([]byte, 8)), packet.Malformed},
	}
}

// Every link type and tunnel gives the segment that was put into it.
func TestDecode(t *testing.T) {
	for _, e := range examples(t) {
		t.Run(e.name, func(t *testing.T) {
			var d packet.Decoder
			var s packet.Segment
			if kind := d.Decode(e.link, e.data, len(e.data), &s); kind != e.kind {
				t.Fatalf("kind %d, want %d", kind, e.kind)
			}
			if e.kind != packet.TCP {
				return
			}
			want, ttl := ip4.SrcIP, ip4.TTL
			if s.V6 {
				want, ttl = ip6.SrcIP, ip6.HopLimit
			}
			if string(s.Src[:len(want)]) != string(want) || s.TTL != ttl || s.HasID == s.V6 || s.HasID && s.ID != 777 {
				t.Errorf("from %v, TTL %d, ID %d", s.Src, s.TTL, s.ID)
			}
			if s.SrcPort != 40000 || s.DstPort != 443 || s.Seq != 0xfffffff0 || s.Ack != 5 || s.Flags != packet.ACK|packet.PSH || s.Window != 501 {
				t.Errorf("segment %+v", s)
			}
			if s.Length != 5 || string(s.Payload) != "hello" || !s.Options.HasTS || s.Options.TS != 9 || !s.Options.Whole {
				t.Errorf("length %d, payload %q, options %+v", s.Length, s.Payload, s.Options)
			}
		})
	}
}

// A snap length leaves what was captured, and the length stays that of the wire.
func TestSnapLength(t *testing.T) {
	seg := tcp
	data := frame(t, &eth, &ip4, &seg, payload)
	for n := range data {
		var d packet.Decoder
		var s packet.Segment
		kind := d.Decode(1, data[:n], len(data), &s)
		if whole := n >= 14+20+20; whole != (kind == packet.TCP) || whole && s.Length != 5 {
			t.Errorf("%d bytes: kind %d, length %d", n, kind, s.Length)
		}
	}
}

// The padding of short Ethernet frames is not payload.
func TestPadding(t *testing.T) {
	seg := tcp
	data := append(frame(t, &eth, &ip4, &seg), 1, 2, 3, 4, 5, 6)
	var d packet.Decoder
	var s packet.Segment
	if kind := d.Decode(1, data, len(data), &s); kind != packet.TCP || s.Length != 0 || len(s.Payload) != 0 {
		t.Errorf("kind %d, length %d, payload %x", kind, s.Length, s.Payload)
	}
}

// An ICMP error names the segment that did not arrive (RFC 792 quotes 8 bytes of it).
func TestICMP(t *testing.T) {
	seg := tcp
	quoted := frame(t, &ip4, &seg)[:28]
	outer := ip4
	outer.Protocol = layers.IPProtocolICMPv4
	for _, c := range []struct {
		kind, code uint8
		want       packet.Kind
	}{{3, 1, packet.ICMPError}, {3, 4, packet.Other}, {11, 0, packet.ICMPError}, {11, 1, packet.Other}, {1, 0, packet.Other}, {8, 0, packet.Other}} {
		data := frame(t, &outer, &layers.ICMPv4{TypeCode: layers.CreateICMPv4TypeCode(c.kind, c.code)}, gopacket.Payload(quoted))
		var d packet.Decoder
		var s packet.Segment
		kind := d.Decode(101, data, len(data), &s)
		if kind != c.want || kind == packet.ICMPError && (d.Inner.Seq != tcp.Seq || d.Inner.DstPort != 443 || d.Type != c.kind || d.Code != c.code) {
			t.Errorf("%d/%d: kind %d, inner %+v, %d/%d", c.kind, c.code, kind, d.Inner, d.Type, d.Code)
		}
	}
}

// Of a quote that was cut, addresses and ports are enough.
func TestCutICMP(t *testing.T) {
	seg, udp := tcp, ip4
	quoted := frame(t, &ip4, &seg)[:28]
	udp.Protocol = layers.IPProtocolUDP
	other := frame(t, &udp, gopacket.Payload("12345678"))
	outer := ip4
	outer.Protocol = layers.IPProtocolICMPv4
	for _, c := range []struct {
		quoted   []byte
		captured int // of the quote
		want     packet.Kind
		numbered bool
	}{
		{quoted, 28, packet.ICMPError, true},
		{quoted, 27, packet.ICMPError, false},
		{quoted, 24, packet.ICMPError, false},
		{quoted, 23, packet.Short, false},
		{quoted, 5, packet.Short, false},
		{quoted, 0, packet.Short, false},
		{quoted[:23], 23, packet.Other, false},
		{other, 28, packet.Other, false},
		{other, 15, packet.Other, false},
	} {
		data := frame(t, &outer, &layers.ICMPv4{TypeCode: layers.CreateICMPv4TypeCode(3, 1)}, gopacket.Payload(c.quoted))
		var d packet.Decoder
		var s packet.Segment
		kind := d.Decode(101, data[:28+c.captured], len(data), &s)
		if kind != c.want || kind == packet.ICMPError && (d.Inner.DstPort != 443 || d.Numbered != c.numbered) {
			t.Errorf("%d of %d bytes: kind %d, numbered %v, inner %+v", c.captured, len(c.quoted), kind, d.Numbered, d.Inner)
		}
	}
}

// Apple's header names the process.
func TestPktap(t *testing.T) {
	seg := tcp
	head := make([]byte, 108)
	binary.LittleEndian.PutUint32(head, 108)
	binary.LittleEndian.PutUint32(head[4:], 1)
	binary.LittleEndian.PutUint32(head[8:], 1)
	binary.LittleEndian.PutUint32(head[52:], 4711)
	copy(head[56:], "Safari")
	data := append(head, frame(t, &eth, &ip4, &seg, payload)...)
	var d packet.Decoder
	var s packet.Segment
	if kind := d.Decode(258, data, len(data), &s); kind != packet.TCP || d.Process != (packet.Process{PID: 4711, Name: "Safari"}) {
		t.Errorf("kind %d, process %+v", kind, d.Process)
	}
}

// FuzzDecode: nothing makes it read beyond the data, and in plain Ethernet and IP it
// finds what gopacket finds.
func FuzzDecode(f *testing.F) {
	for _, e := range examples(f) {
		f.Add(e.link, e.data, len(e.data))
	}
	f.Fuzz(func(t *testing.T, link uint16, data []byte, length int) {
		var d packet.Decoder
		var s packet.Segment
		kind := d.Decode(link, data, length, &s)
		if kind != packet.TCP {
			return
		}
		if uint64(len(s.Payload)) > uint64(s.Length) {
			t.Fatalf("payload of %d bytes, length %d", len(s.Payload), s.Length)
		}
	})
}

func BenchmarkDecode(b *testing.B) {
	seg := tcp
	data := frame(b, &eth, &ip4, &seg, payload)
	b.Run("ours", func(b *testing.B) {
		var d packet.Decoder
		var s packet.Segment
		for b.Loop() {
			d.Decode(1, data, len(data), &s)
		}
	})
	b.Run("gopacket", func(b *testing.B) {
		var e layers.Ethernet
		var i4 layers.IPv4
		var i6 layers.IPv6
		var t layers.TCP
		var p gopacket.Payload
		parser := gopacket.NewDecodingLayerParser(layers.LayerTypeEthernet, &e, &i4, &i6, &t, &p)
		parser.IgnoreUnsupported = true // TLS
		var types []gopacket.LayerType
		for b.Loop() {
			if err := parser.DecodeLayers(data, &types); err != nil {
				b.Fatal(err)
			}
		}
	})
}
