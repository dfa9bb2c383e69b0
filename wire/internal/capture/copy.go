package capture

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"math"
	"strings"
)

// Copy writes a capture, compressed or not, to out as pcapng. comment returns what is
// to be said of a packet, "" for nothing. Blocks of pcapng go through as they are, but
// for packets that get a comment, and for the lengths of sections, which are left open:
// blocks grow. It returns how many packets got a comment: those of simple and obsolete
// blocks get none.
func Copy(in io.Reader, out io.Writer, comment func(*Packet) string) (commented int, err error) {
	c, _, err := Open(in)
	if err != nil {
		return 0, err
	}
	defer c.Close()
	w := &copier{out: out, order: c.order}
	if c.link != 0 || c.units != 0 {
		w.begin(c.link)
	} else {
		c.through = w
	}
	var p Packet
	for err == nil {
		if err = c.Next(&p); err != nil {
			break
		}
		text := comment(&p)
		switch {
		case c.through == nil:
			w.packet(&p, text)
		case text != "":
			w.insert = &p
			w.text = text
		}
		if w.err != nil {
			return w.said, w.err
		}
	}
	if w.err != nil {
		return w.said, w.err
	}
	if errors.Is(err, io.EOF) {
		return w.said, nil
	}
	return w.said, err
}

// copier writes pcapng.
type copier struct {
	out    io.Writer
	order  binary.ByteOrder
	err    error
	insert *Packet // whose block comes next and gets a comment
	text   string
	said   int // comments
}

func (w *copier) write(b []byte) {
	if w.err == nil {
		_, w.err = w.out.Write(b)
	}
}

// block writes one block around its content.
func (w *copier) block(kind uint32, content []byte) {
	size := uint32(len(content) + blockFrame)
	b := appendTwo(w.order, nil, kind, size)
	b = append(b, content...)
	w.write(append4(w.order, b, size))
}

func append4(order binary.ByteOrder, b []byte, v uint32) []byte {
	var four [4]byte
	order.PutUint32(four[:], v)
	return append(b, four[:]...)
}

func appendTwo(order binary.ByteOrder, b []byte, v, w uint32) []byte {
	return append4(order, append4(order, b, v), w)
}

// begin writes the section and the interface of what was a pcap file, with nanoseconds.
func (w *copier) begin(link uint16) {
	w.order = binary.LittleEndian
	section := append4(w.order, nil, magicOrder)
	section = append(section, 1, 0, 0, 0)
	w.block(magicSection, appendTwo(w.order, section, math.MaxUint32, math.MaxUint32))
	device := append4(w.order, nil, uint32(link))
	device = append4(w.order, device, 0)
	w.block(blockInterface, append(device, optionResolution, 0, 1, 0, 9, 0, 0, 0, 0, 0, 0, 0))
}

// packet writes a packet of what was a pcap file.
func (w *copier) packet(p *Packet, text string) {
	b := append4(w.order, nil, 0)
	b = appendTwo(w.order, b, uint32(uint64(p.Time)>>32), uint32(p.Time))
	b = appendTwo(w.order, b, uint32(len(p.Data)), p.Length)
	b = pad(append(b, p.Data...))
	if text != "" {
		b = append(b, w.commentOption(text)...)
		b = append4(w.order, b, 0)
	}
	w.block(blockEnhanced, b)
}

// commented returns the block of an enhanced packet with one comment more.
func (w *copier) commented(block []byte) []byte {
	const header = 28
	data := int(w.order.Uint32(block[20:]))
	at := min(header+(data+3)&^3, len(block)-4)
	rest := block[at : len(block)-4]
	if len(rest) == 0 {
		rest = make([]byte, 4) // the end of options
	}
	b := append([]byte(nil), block[:at]...)
	b = append(append(b, w.commentOption(w.text)...), rest...)
	size := uint32(len(b) + 4)
	w.order.PutUint32(b[4:], size)
	return append4(w.order, b, size)
}

// maxComment bounds a comment, in bytes.
const maxComment = 1000

func (w *copier) commentOption(text string) []byte {
	w.said++
	text = strings.ToValidUTF8(text[:min(len(text), maxComment)], "") // not a part of a character
	var head [4]byte
	w.order.PutUint16(head[:], optionComment)
	w.order.PutUint16(head[2:], uint16(len(text)))
	return pad(append(head[:], text...))
}

func pad(b []byte) []byte {
	for len(b)%4 != 0 {
		b = append(b, 0)
	}
	return b
}

// pass writes the next n bytes of c, a block, before they are read over.
func (w *copier) pass(c *Reader, n int) {
	w.order = c.order
	if b, err := c.in.Peek(min(n, bufferSize)); err == nil && len(b) == n {
		const length, end = 16, 24 // of the section, in its header
		kind, insert := c.order.Uint32(b), w.insert
		w.insert = nil
		switch {
		case kind == blockEnhanced && insert != nil:
			w.write(w.commented(b))
			return
		case kind == magicSection && n >= end:
			w.write(b[:length])
			w.write(bytes.Repeat([]byte{0xff}, end-length))
			w.write(b[end:])
			return
		}
	}
	w.insert = nil
	for at := 0; at < n && w.err == nil; {
		b, err := c.in.Peek(min(n-at, bufferSize))
		if len(b) == 0 || len(b) < n && n <= bufferSize { // no part of a block that is cut
			return
		}
		w.write(b)
		at += len(b)
		if at < n {
			done, _ := c.in.Discard(len(b))
			c.at += int64(done)
			c.passed += done
		}
		if err != nil {
			return
		}
	}
}
