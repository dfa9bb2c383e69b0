package tui

import (
	"encoding/binary"
	"net/netip"
	"strconv"
	"strings"
	"unsafe"

	"github.com/closetrace/closetrace/model"
)

// chunkSize is how many records are kept, and dropped, at a time.
const chunkSize = 512

// chunk keeps records packed: of their two kilobytes most is as in the first one. It is
// only ever appended to until it is dropped.
type chunk struct {
	base  *model.Record // the first one
	same  []uint64      // the texts of base, by their places from 1
	data  []byte
	begin []uint32 // where each record begins in data
	texts []string
	chars int               // of all texts
	known map[string]uint32 // the place in texts of those that recur
	whole map[uint64]*model.Record
	// session is what the IDs of most records begin with.
	session string
}

// unpacked is the record that was unpacked last.
type unpacked struct {
	record model.Record
	ids    []byte // room for the IDs of the next ones
	reuse  bool   // for them too: nobody keeps them
}

// newChunk has room for about as much as like has, which is full now; nil if there is none.
func newChunk(like *chunk) *chunk {
	c := &chunk{
		same: make([]uint64, len(shape.texts)), begin: make([]uint32, 0, chunkSize),
		known: map[string]uint32{}, whole: map[uint64]*model.Record{},
	}
	if like != nil {
		c.data, c.texts = make([]byte, 0, len(like.data)*9/8), make([]string, 0, len(like.texts)*9/8)
	}
	return c
}

// clear makes the chunk empty and keeps its memory.
func (c *chunk) clear() {
	c.base, c.session, c.chars = nil, "", 0
	clear(c.texts)
	c.known = map[string]uint32{}
	clear(c.whole)
	c.data, c.begin, c.texts = c.data[:0], c.begin[:0], c.texts[:0]
}

// view returns the chunk as it is now, for another goroutine: what is appended later
// lies behind it.
func (c *chunk) view() *chunk {
	return &chunk{base: c.base, same: c.same, data: c.data, begin: c.begin, texts: c.texts, chars: c.chars, whole: c.wholes(), session: c.session}
}

func (c *chunk) wholes() map[uint64]*model.Record {
	if len(c.whole) == 0 {
		return nil
	}
	all := make(map[uint64]*model.Record, len(c.whole))
	for n, r := range c.whole {
		all[n] = r
	}
	return all
}

// add packs r, which is the nth record of the chunk.
func (c *chunk) add(r *model.Record) {
	n := len(c.begin)
	c.begin = append(c.begin, uint32(len(c.data))) // #nosec G115 -- some hundred bytes of each of 512
	for _, at := range shape.lists {
		if *field[unsafe.Pointer](r, at) != nil {
			whole := *r
			c.whole[uint64(n)] = &whole
			return
		}
	}
	first := c.base == nil
	if first {
		base := *r
		c.base = &base
	}
	c.plain(r)
	bits := c.room(len(shape.texts))
	for i, at := range shape.texts {
		if shape.unique[i] {
			c.id(bits, i, *field[string](r, at))
			continue
		}
		place := c.text(i, *field[string](r, at))
		if first {
			c.same[i] = place
		}
		if place != c.same[i] {
			c.mark(bits, i)
			c.data = binary.AppendUvarint(c.data, place)
		}
	}
	for _, at := range shape.address {
		c.address(*field[netip.Addr](r, at))
	}
}

// room appends n bits, which are 0, and returns where.
func (c *chunk) room(n int) int {
	at := len(c.data)
	for range bytesOf(n) {
		c.data = append(c.data, 0)
	}
	return at
}

func bytesOf(bits int) int { return (bits + 7) / 8 }

func (c *chunk) mark(bits, i int) { c.data[bits+i/8] |= 1 << (i % 8) }

func isMarked(bits []byte, i int) bool { return bits[i/8]>>(i%8)&1 != 0 }

// plain appends a bit for each word, whether it is another than in the first record, and
// then by how much.
func (c *chunk) plain(r *model.Record) {
	bits := c.room(len(shape.plain))
	for i, at := range shape.plain {
		if apart := *field[uint64](r, at) - *field[uint64](c.base, at); apart != 0 {
			c.mark(bits, i)
			c.data = binary.AppendVarint(c.data, int64(apart)) // #nosec G115 -- modulo 2^64, and back
		}
	}
}

func (c *chunk) keep(text string) {
	c.texts = append(c.texts, text)
	c.chars += len(text)
}

// size is about the memory that the chunk takes.
func (c *chunk) size() int {
	return cap(c.data) + 4*cap(c.begin) + 16*cap(c.texts) + c.chars + 8*len(c.same) + 40*len(c.known) + 2000*(1+len(c.whole))
}

// text returns the place of the ith text of a record in texts, from 1; 0 is none.
func (c *chunk) text(i int, s string) uint64 {
	if s == "" {
		return 0
	}
	if same := c.same[i]; same != 0 && same <= uint64(len(c.texts)) && c.texts[same-1] == s {
		return same
	}
	place, known := c.known[s]
	if !known {
		c.keep(s)
		place = uint32(len(c.texts)) // #nosec G115 -- some of each of 512 records
		c.known[s] = place
	}
	return uint64(place)
}

// id appends an ID, if there is one: after 0 its place in texts, or its number in the
// session, plus 1.
func (c *chunk) id(bits, i int, id string) {
	if id == "" {
		return
	}
	c.mark(bits, i)
	session, number, isNumbered := numbered(id)
	if c.session == "" && isNumbered {
		c.session = strings.Clone(session)
	}
	if isNumbered && session == c.session {
		c.data = binary.AppendUvarint(c.data, number+1)
		return
	}
	c.keep(id)
	c.data = binary.AppendUvarint(append(c.data, 0), uint64(len(c.texts)))
}

// numbered splits an ID such as b35a1-10 into session, dash included, and number, if they
// make the same ID again.
func numbered(id string) (session string, number uint64, ok bool) {
	dash := strings.LastIndexByte(id, '-')
	digits := id[dash+1:]
	if dash < 0 || digits == "" || len(digits) > 15 || digits[0] == '0' && len(digits) > 1 {
		return "", 0, false
	}
	for _, c := range []byte(digits) {
		switch {
		case c >= '0' && c <= '9':
			number = number<<4 | uint64(c-'0')
		case c >= 'a' && c <= 'f':
			number = number<<4 | uint64(c-'a'+10)
		default:
			return "", 0, false
		}
	}
	return id[:dash+1], number, true
}

// id returns an ID that is never written again, or not before the next record.
func (u *unpacked) id(session string, number uint64) string {
	const size = 4096
	longest := len(session) + 16
	if cap(u.ids)-len(u.ids) < longest {
		u.ids = make([]byte, 0, max(size, longest))
	}
	from := len(u.ids)
	u.ids = strconv.AppendUint(append(u.ids, session...), number, 16)
	return unsafe.String(&u.ids[from], len(u.ids)-from) // #nosec G103 -- its bytes are written again if nobody keeps them
}

func (c *chunk) address(a netip.Addr) {
	switch {
	case !a.IsValid():
		c.data = append(c.data, 0)
	case a.Is4():
		b := a.As4()
		c.data = append(append(c.data, 4), b[:]...)
	default:
		b := a.As16()
		c.data = append(append(c.data, 16), b[:]...)
		c.data = binary.AppendUvarint(c.data, uint64(len(a.Zone())))
		c.data = append(c.data, a.Zone()...)
	}
}

// at unpacks the nth record into u.
func (c *chunk) at(n uint64, u *unpacked) {
	r := &u.record
	if u.reuse {
		u.ids = u.ids[:0]
	}
	if whole := c.whole[n]; whole != nil {
		*r = *whole
		return
	}
	*r = *c.base
	data := c.data[c.begin[n]:]
	marks := func(n int) (bits []byte) {
		bits, data = data[:bytesOf(n)], data[bytesOf(n):]
		return bits
	}
	bits := marks(len(shape.plain))
	for i, at := range shape.plain {
		if isMarked(bits, i) {
			apart, size := binary.Varint(data)
			data = data[size:]
			*field[uint64](r, at) += uint64(apart) // #nosec G115 -- modulo 2^64
		}
	}
	number := func() uint64 {
		v, size := binary.Uvarint(data)
		data = data[size:]
		return v
	}
	bits = marks(len(shape.texts))
	for i, at := range shape.texts {
		text, differs := field[string](r, at), isMarked(bits, i)
		switch {
		case shape.unique[i] && !differs:
			*text = ""
		case shape.unique[i]:
			if n := number(); n > 0 {
				*text = u.id(c.session, n-1)
			} else {
				*text = c.texts[number()-1]
			}
		case differs:
			*text = ""
			if place := number(); place != 0 {
				*text = c.texts[place-1]
			}
		}
	}
	for _, at := range shape.address {
		size := int(data[0])
		data = data[1:]
		if size == 0 {
			*field[netip.Addr](r, at) = netip.Addr{}
			continue
		}
		a, _ := netip.AddrFromSlice(data[:size])
		data = data[size:]
		if size == 16 {
			zone := number()
			a = a.WithZone(string(data[:zone]))
			data = data[zone:]
		}
		*field[netip.Addr](r, at) = a
	}
}
