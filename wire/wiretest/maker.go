// Package wiretest makes packet captures for tests and measurements.
package wiretest

import (
	"encoding/binary"
	"io"
	"math/rand/v2"
	"net/netip"
	"time"
)

// The flags of a segment.
const (
	FIN = 1 << iota
	SYN
	RST
	PSH
	ACK
)

// Maker writes a pcap file of Ethernet with nanoseconds. After an error it writes
// nothing more.
type Maker struct {
	// Now is the time of the next packet.
	Now time.Time
	// Written is how many bytes the file has.
	Written int64
	// Err is the first error.
	Err error

	out    io.Writer
	packet []byte
	id     uint16
}

// New begins a file.
func New(out io.Writer, begin time.Time) *Maker {
	m := &Maker{Now: begin, out: out}
	header := binary.LittleEndian.AppendUint32(nil, 0xa1b23c4d)
	header = append(header, 2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 4, 0, 1, 0, 0, 0)
	m.write(header)
	return m
}

func (m *Maker) write(b []byte) {
	if m.Err == nil {
		_, m.Err = m.out.Write(b)
		m.Written += int64(len(b))
	}
}

// Segment is what varies among segments. The zero TTL is 64, the zero ID counts up.
type Segment struct {
	ID       func() uint16 // IP identification
	From, To netip.AddrPort
	Seq, Ack uint32
	Flags    uint8
	Window   uint16
	TTL      uint8
	Options  []byte // a multiple of 4
	Payload  []byte
}

// Send writes a segment; checksums are left at 0, as network cards let them.
func (m *Maker) Send(s *Segment) {
	b := append(m.packet[:0], 2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1)
	size := 20 + len(s.Options) + len(s.Payload)
	ttl := s.TTL
	if ttl == 0 {
		ttl = 64
	}
	m.id++
	if s.From.Addr().Is4() {
		b = append(b, 8, 0, 0x45, 0)
		b = binary.BigEndian.AppendUint16(b, uint16(20+size))
		id := m.id
		if s.ID != nil {
			id = s.ID()
		}
		b = binary.BigEndian.AppendUint16(b, id)
		b = append(b, 0x40, 0, ttl, 6, 0, 0)
	} else {
		b = append(b, 0x86, 0xdd, 0x60, 0, 0, 0)
		b = binary.BigEndian.AppendUint16(b, uint16(size))
		b = append(b, 6, ttl)
	}
	b = append(b, s.From.Addr().AsSlice()...)
	b = append(b, s.To.Addr().AsSlice()...)
	b = binary.BigEndian.AppendUint16(b, s.From.Port())
	b = binary.BigEndian.AppendUint16(b, s.To.Port())
	b = binary.BigEndian.AppendUint32(b, s.Seq)
	b = binary.BigEndian.AppendUint32(b, s.Ack)
	b = append(b, uint8(5+len(s.Options)/4)<<4, s.Flags)
	b = binary.BigEndian.AppendUint16(b, s.Window)
	b = append(b, 0, 0, 0, 0)
	b = append(b, s.Options...)
	b = append(b, s.Payload...)
	m.packet = b
	m.Packet(b)
}

// Packet writes a packet as it is.
func (m *Maker) Packet(b []byte) {
	header := make([]byte, 0, 16)
	header = binary.LittleEndian.AppendUint32(header, uint32(m.Now.Unix()))
	header = binary.LittleEndian.AppendUint32(header, uint32(m.Now.Nanosecond()))
	header = binary.LittleEndian.AppendUint32(header, uint32(len(b)))
	header = binary.LittleEndian.AppendUint32(header, uint32(len(b)))
	m.write(header)
	m.write(b)
}

// Conn is a connection between a client and a server.
type Conn struct {
	m    *Maker
	ends [2]netip.AddrPort
	next [2]uint32
}

// Open writes a handshake.
func (m *Maker) Open(client, server netip.AddrPort, isn, isn2 uint32) *Conn {
	c := &Conn{m, [2]netip.AddrPort{client, server}, [2]uint32{isn, isn2}}
	mss := []byte{2, 4, 5, 0xb4}
	c.send(0, SYN, mss, nil)
	c.send(1, SYN|ACK, mss, nil)
	c.send(0, ACK, nil, nil)
	return c
}

// Say writes data of an end, 0 for the client's, and its acknowledgement.
func (c *Conn) Say(end int, data []byte) {
	c.send(end, PSH|ACK, nil, data)
	c.send(1-end, ACK, nil, nil)
}

// Flag writes a segment without data.
func (c *Conn) Flag(end int, flags uint8) { c.send(end, flags, nil, nil) }

// Close exchanges FINs; end is first.
func (c *Conn) Close(end int) {
	c.send(end, FIN|ACK, nil, nil)
	c.send(1-end, FIN|ACK, nil, nil)
	c.send(end, ACK, nil, nil)
}

func (c *Conn) send(end int, flags uint8, options, data []byte) {
	s := Segment{From: c.ends[end], To: c.ends[1-end], Seq: c.next[end], Flags: flags, Window: 64000, Options: options, Payload: data}
	if flags&ACK != 0 {
		s.Ack = c.next[1-end]
	}
	c.m.Send(&s)
	c.next[end] += uint32(len(data))
	if flags&(SYN|FIN) != 0 {
		c.next[end]++
	}
	c.m.Now = c.m.Now.Add(20 * time.Microsecond)
}

// Traffic writes connections of a busy host until the file has so many bytes: a
// thousand at a time, most of them with a request and an answer of some kilobytes, one
// in ten ended by a RST.
func (m *Maker) Traffic(size int64) {
	const open = 1000
	random := rand.New(rand.NewPCG(1, 2))
	data := make([]byte, 1448)
	var conns [open]*Conn
	left := make([]int, open)
	for n := uint32(0); m.Written < size && m.Err == nil; n++ {
		i := random.IntN(open)
		c := conns[i]
		switch {
		case c == nil:
			client := netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, byte(n >> 16), byte(n >> 8), byte(n)}), uint16(1024+n%60000))
			server := netip.AddrPortFrom(netip.AddrFrom4([4]byte{192, 0, 2, byte(i % 20)}), 443)
			conns[i] = m.Open(client, server, random.Uint32(), random.Uint32())
			conns[i].Say(0, data[:300])
			left[i] = 1 + random.IntN(60)
		case left[i] > 0:
			c.Say(1, data)
			left[i]--
		default:
			if random.IntN(10) == 0 {
				c.Flag(0, RST|ACK)
			} else {
				c.Close(random.IntN(2))
			}
			conns[i] = nil
		}
	}
}
