package tui

import (
	"encoding/binary"
	"net/netip"
	"reflect"
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
	known map[string]uint32 // the place in texts of those that recur
	whole map[uint64]*model.Record
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
	c.base = nil
	clear(c.texts)
	c.known = map[string]uint32{}
	clear(c.whole)
	c.data, c.begin, c.texts = c.data[:0], c.begin[:0], c.texts[:0]
}

// view returns the chunk as it is now, for another goroutine: what is appended later
// lies behind it.
func (c *chunk) view() *chunk {
	return &chunk{base: c.base, same: c.same, data: c.data, begin: c.begin, texts: c.texts, whole: c.wholes()}
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

// layout is how a record lies in memory, by the words of 8 bytes.
type layout struct {
	plain   []uintptr // words without a pointer
	texts   []uintptr
	unique  []bool // of texts: of one record only
	address []uintptr
	lists   []uintptr // maps and slices: a record that has one is kept whole
}

var shape = layoutOf(reflect.TypeFor[model.Record]())

func layoutOf(t reflect.Type) *layout {
	l := &layout{}
	pointers := make([]bool, t.Size()/8)
	l.walk(t, 0, "", pointers)
	for i, has := range pointers {
		if !has {
			l.plain = append(l.plain, uintptr(i)*8)
		}
	}
	return l
}

func (l *layout) walk(t reflect.Type, at uintptr, name string, pointers []bool) {
	switch {
	case t == reflect.TypeFor[netip.Addr]():
		l.address = append(l.address, at)
	case t.Kind() == reflect.String:
		l.texts = append(l.texts, at)
		l.unique = append(l.unique, name == "ID" || name == "PeerEnd")
	case t.Kind() == reflect.Map, t.Kind() == reflect.Slice:
		l.lists = append(l.lists, at)
	case t.Kind() == reflect.Struct:
		for i := range t.NumField() {
			f := t.Field(i)
			l.walk(f.Type, at+f.Offset, f.Name, pointers)
		}
		return
	case t.Kind() == reflect.Array:
		for i := range t.Len() {
			l.walk(t.Elem(), at+uintptr(i)*t.Elem().Size(), name, pointers)
		}
		return
	case t.Kind() <= reflect.Float64: // numbers
		return
	default:
		panic("a record has a " + t.String() + ", which the journal does not know how to keep")
	}
	for i := at / 8; i < (at+t.Size())/8; i++ {
		pointers[i] = true
	}
}

// field returns what lies at an offset of layout in a record.
func field[T any](r *model.Record, at uintptr) *T {
	return (*T)(unsafe.Add(unsafe.Pointer(r), at)) // #nosec G103 -- offsets are the type's own, by reflection
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

// text returns the place of the ith text of a record in texts, from 1; 0 is none.
func (c *chunk) text(i int, s string) uint64 {
	if s == "" {
		return 0
	}
	if same := c.same[i]; same != 0 && same <= uint64(len(c.texts)) && c.texts[same-1] == s {
		return same
	}
	if shape.unique[i] {
		c.texts = append(c.texts, s)
		return uint64(len(c.texts))
	}
	place, known := c.known[s]
	if !known {
		c.texts = append(c.texts, s)
		place = uint32(len(c.texts)) // #nosec G115 -- some of each of 512 records
		c.known[s] = place
	}
	return uint64(place)
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

// at unpacks the nth record into r.
func (c *chunk) at(n uint64, r *model.Record) {
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
		if !isMarked(bits, i) {
			continue
		}
		text := ""
		if place := number(); place != 0 {
			text = c.texts[place-1]
		}
		*field[string](r, at) = text
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
