package capture

import (
	"encoding/binary"
	"errors"
	"fmt"
)

const (
	fileHeader     = 24
	packetHeader   = 16
	modifiedHeader = 24
	// maxPacket is beyond every snap length that programs use (libpcap: 256 KiB, of
	// USB 128 MiB): a longer packet is a damaged length.
	maxPacket = 256 << 20
)

// header reads the beginning of a pcap file.
func (c *Reader) header() error {
	b, err := c.inside(fileHeader)
	if errors.Is(err, ErrCut) {
		return fmt.Errorf("cut at byte %d, in the middle of the file's header", len(b)) // and so nothing was read
	}
	if err != nil {
		return err
	}
	c.order = binary.LittleEndian
	if magic := c.order.Uint32(b); magic != magicMicro && magic != magicNano && magic != magicModified {
		c.order = binary.BigEndian
	}
	size := packetHeader
	switch c.order.Uint32(b) {
	case magicNano:
		c.units = 1
	case magicModified:
		size = modifiedHeader
		fallthrough
	default:
		c.units = 1000
	}
	c.link = uint16(c.order.Uint32(b[20:])) // above are the length of a checksum and flags
	c.next = func(p *Packet) error { return c.nextPacket(p, size) }
	return c.discard(fileHeader)
}

// nextPacket reads a packet of a pcap file.
func (c *Reader) nextPacket(p *Packet, header int) error {
	b, err := c.peek(header)
	if err != nil {
		return err
	}
	captured, length := c.order.Uint32(b[8:]), c.order.Uint32(b[12:])
	if captured > maxPacket {
		return c.damaged("a packet of %d bytes", captured)
	}
	*p = Packet{
		Time: int64(c.order.Uint32(b))*1e9 + int64(c.order.Uint32(b[4:]))*c.units,
		Link: c.link, Length: length,
	}
	return c.take(p, header, int(captured), header+int(captured))
}

// take lets p have n bytes of the block that is next, which has so many altogether.
func (c *Reader) take(p *Packet, from, n, block int) error {
	whole := min(block, bufferSize)
	b, err := c.inside(whole)
	if err != nil {
		return err
	}
	p.Data = b[from:min(from+n, whole)]
	c.pending = block
	return nil
}
