package capture

import (
	"encoding/binary"
	"math/bits"
)

// The blocks that are read (draft-ietf-opsawg-pcapng); others are skipped.
const (
	blockInterface  = 1
	blockPacket     = 2 // obsolete
	blockSimple     = 3
	blockStatistics = 5
	blockEnhanced   = 6
	blockProcess    = 0x80000001 // of Apple's tcpdump
)

// blockFrame is the length of what surrounds a block's content.
const blockFrame = 12

// maxBlock bounds a block that is not a packet: names, keys and comments.
const maxBlock = 512 << 20

// maxInterfaces bounds the memory that interfaces take; captures of containers
// have thousands.
const maxInterfaces = 1 << 16

// device is an interface of a section.
type device struct {
	link    uint16
	snap    uint32
	power2  bool // times count in powers of 2, not of 10
	exp     uint8
	offset  int64 // seconds
	dropped uint64
}

// nextBlock reads blocks until there is a packet.
func (c *Reader) nextBlock(p *Packet) error {
	for {
		b, err := c.peek(blockFrame)
		if err != nil {
			return err
		}
		kind := c.order.Uint32(b)
		if kind == magicSection {
			if err := c.section(b); err != nil {
				return err
			}
			kind = magicSection
		}
		size := c.order.Uint32(b[4:])
		switch {
		case size < blockFrame, size > maxBlock:
			return c.damaged("a block of %d bytes", size)
		case size%4 != 0:
			return c.damaged("a block of %d bytes: lengths are multiples of 4", size)
		}
		if done, err := c.block(kind, int(size), p); done || err != nil {
			return err
		}
		if err := c.discard(int(size)); err != nil {
			return err
		}
	}
}

// section begins a section: it chooses the byte order, and its interfaces are its own.
func (c *Reader) section(b []byte) error {
	switch uint32(magicOrder) {
	case binary.LittleEndian.Uint32(b[8:]):
		c.order = binary.LittleEndian
	case binary.BigEndian.Uint32(b[8:]):
		c.order = binary.BigEndian
	default:
		return c.damaged("a section without a byte order")
	}
	c.interfaces, c.processes = c.interfaces[:0], nil
	return nil
}

// block reads one block and reports whether it was a packet.
func (c *Reader) block(kind uint32, size int, p *Packet) (bool, error) {
	switch kind {
	case blockEnhanced, blockPacket, blockSimple, blockInterface, blockStatistics, blockProcess, magicSection:
	default:
		return false, nil
	}
	b, err := c.inside(min(size, bufferSize))
	if err != nil {
		return false, err
	}
	if size <= bufferSize {
		if again := c.order.Uint32(b[size-4:]); int(again) != size {
			return false, c.damaged("a block of %d bytes that ends with the length %d", size, again)
		}
		b = b[:size-4]
	}
	switch kind {
	case magicSection:
		return false, c.describe(b)
	case blockInterface:
		return false, c.addInterface(b)
	case blockStatistics:
		c.countDrops(b)
		return false, nil
	case blockProcess:
		return false, c.addProcess(b)
	}
	done, err := c.packet(kind, b, p)
	if done {
		c.pending = size
	}
	return done, err
}

// describe reads what a section says of its host.
func (c *Reader) describe(b []byte) error {
	if len(b) < 24 {
		return c.damaged("a section header of %d bytes", len(b)+4)
	}
	c.optionsOf(b[24:]).each(func(code uint16, value []byte) bool {
		if code == optionSystem && c.system == "" {
			c.system = string(value[:min(len(value), 200)])
		}
		return true
	})
	return nil
}

func (c *Reader) addInterface(b []byte) error {
	if len(b) < 16 {
		return c.damaged("an interface of %d bytes", len(b)+4)
	}
	if len(c.interfaces) == maxInterfaces {
		return c.damaged("more than %d interfaces", maxInterfaces)
	}
	d := device{link: c.order.Uint16(b[8:]), snap: c.order.Uint32(b[12:]), exp: 6}
	c.optionsOf(b[16:]).each(func(code uint16, value []byte) bool {
		switch {
		case code == optionResolution && len(value) == 1:
			d.power2, d.exp = value[0]&0x80 != 0, value[0]&0x7f
		case code == optionOffset && len(value) == 8:
			d.offset = int64(c.order.Uint64(value))
		}
		return true
	})
	c.interfaces = append(c.interfaces, d)
	return nil
}

// countDrops reads how many packets of an interface were dropped: the counts begin with the
// capture, so that the last block of an interface has all.
func (c *Reader) countDrops(b []byte) {
	if len(b) < 20 || int64(c.order.Uint32(b[8:])) >= int64(len(c.interfaces)) {
		return
	}
	d := &c.interfaces[c.order.Uint32(b[8:])]
	var dropped uint64
	c.optionsOf(b[20:]).each(func(code uint16, value []byte) bool {
		if (code == optionInterfaceDrop || code == optionSystemDrop) && len(value) == 8 {
			dropped += c.order.Uint64(value)
		}
		return true
	})
	if dropped > d.dropped {
		c.dropped += dropped - d.dropped
		d.dropped = dropped
	}
}

// packet reads a block of any of the three kinds that hold a packet.
func (c *Reader) packet(kind uint32, b []byte, p *Packet) (bool, error) {
	const enhanced, simple = 28, 12
	header := enhanced
	if kind == blockSimple {
		header = simple
	}
	if len(b) < header {
		return false, c.damaged("a packet's block of %d bytes", len(b)+4)
	}
	number := uint32(0)
	switch kind {
	case blockEnhanced:
		number = c.order.Uint32(b[8:])
	case blockPacket:
		number = uint32(c.order.Uint16(b[8:]))
	}
	if int64(number) >= int64(len(c.interfaces)) {
		return false, c.damaged("a packet of interface %d, which is not there", number)
	}
	d := &c.interfaces[number]
	*p = Packet{Link: d.link, Interface: number}
	captured := uint32(len(b) - header)
	if kind == blockSimple {
		p.Length = c.order.Uint32(b[8:])
		captured = min(captured, p.Length)
		if d.snap > 0 {
			captured = min(captured, d.snap)
		}
	} else {
		p.Time = d.time(uint64(c.order.Uint32(b[12:]))<<32 | uint64(c.order.Uint32(b[16:])))
		captured, p.Length = c.order.Uint32(b[20:]), c.order.Uint32(b[24:])
		if size := c.order.Uint32(b[4:]); captured > size-4-uint32(header) {
			return false, c.damaged("a packet of %d bytes in a block of %d", captured, size)
		}
	}
	end := min(header+int(captured), len(b))
	p.Data = b[header:end]
	if padded := min((end+3)&^3, len(b)); kind != blockSimple && end == header+int(captured) {
		p.options, p.processes = c.optionsOf(b[padded:]), c.processes
	}
	return true, nil
}

// time returns the nanoseconds of a time stamp of d; 0 if it is beyond all bounds.
func (d *device) time(stamp uint64) int64 {
	var seconds, rest, nano uint64
	switch {
	case d.power2 && d.exp > 63, !d.power2 && d.exp > 19:
		return 0
	case d.power2:
		seconds, rest = stamp>>d.exp, stamp&(1<<d.exp-1)
		high, low := bits.Mul64(rest, 1e9)
		nano = low>>d.exp | high<<(64-d.exp)
	default:
		unit := uint64(1)
		for range d.exp {
			unit *= 10
		}
		seconds, rest = stamp/unit, stamp%unit
		high, low := bits.Mul64(rest, 1e9)
		nano, _ = bits.Div64(high, low, unit)
	}
	if d.offset > 4e9 || d.offset < -4e9 || seconds > 4e9 {
		return 0
	}
	return (int64(seconds)+d.offset)*1e9 + int64(nano)
}
