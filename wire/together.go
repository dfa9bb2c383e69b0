package wire

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/closetrace/closetrace/model"
	"github.com/closetrace/closetrace/wire/internal/capture"
)

// Part is one of the captures that [Together] reads.
type Part struct {
	// Name is for messages.
	Name string
	// Begin is when it begins.
	Begin model.Time
	// Open opens it, and close ends that; both are called once.
	Open func() (f *File, close func() error, err error)
}

// Together is a source of what several captures have together: those of a ring, one after
// the other, or of several places, at the same time. Their packets are read in the order
// of time, and a connection that several have is one. Each is opened when its time has
// come. If one ends early, or can't be opened, the others are read to their ends.
func Together(parts []Part, o Options) *File {
	waiting := slices.Clone(parts)
	slices.SortStableFunc(waiting, func(a, b Part) int { return cmp.Compare(a.Begin, b.Begin) })
	f := &File{options: o}
	f.begin(&merge{waiting: waiting})
	return f
}

// merge reads packets in the order of time.
type merge struct {
	waiting []Part // by their beginnings
	open    []*reading
	last    *reading // which had the last packet
	over    []*place // whose files have ended, in that order
	places  uint16
	failed  []error
	system  string
	lost    uint64
}

// reading is a part that is open, with its next packet.
type reading struct {
	*File
	close  func() error
	packet capture.Packet
	at     *place
}

// place is where one capture, or one after the other, was taken.
type place struct {
	number uint16
	name   string // of the file
}

// unordered is how far the end of a file and the beginning of the next may be out of order.
const unordered = 10e6

// Next implements packets. The packet is valid until the next call.
func (m *merge) Next(p *capture.Packet) error {
	if r := m.last; r != nil {
		m.last = nil
		m.took(r, r.reader.Next(&r.packet))
	}
	next := m.first()
	for len(m.waiting) > 0 && (next == nil || next.packet.Time > int64(m.waiting[0].Begin)+unordered) {
		m.begin()
		next = m.first()
	}
	if next == nil {
		return cmp.Or(errors.Join(m.failed...), io.EOF)
	}
	*p = next.packet
	p.Place, m.last = next.at.number, next
	return nil
}

// first is the one whose packet comes first.
func (m *merge) first() (first *reading) {
	for _, r := range m.open {
		if first == nil || r.packet.Time < first.packet.Time {
			first = r
		}
	}
	return first
}

// begin opens the file that is next.
func (m *merge) begin() {
	part := m.waiting[0]
	m.waiting = m.waiting[1:]
	f, end, err := part.Open()
	if err != nil {
		m.failed = append(m.failed, err)
		return
	}
	r := &reading{File: f, close: end, packet: f.first, at: m.placeOf(part.Name)}
	m.open = append(m.open, r)
	m.took(r, f.failed)
}

// placeOf returns where a file that begins was taken: if others have ended, where the one
// was whose name is most alike, as of a ring.
func (m *merge) placeOf(name string) *place {
	if len(m.over) == 0 {
		m.places++
		return &place{m.places - 1, name}
	}
	best, most := 0, -1
	for i, p := range m.over {
		n := 0
		for n < min(len(name), len(p.name)) && name[n] == p.name[n] {
			n++
		}
		if n > most {
			best, most = i, n
		}
	}
	p := m.over[best]
	m.over, p.name = slices.Delete(m.over, best, best+1), name
	return p
}

// took looks at what came of reading the next packet of r.
func (m *merge) took(r *reading, err error) {
	m.system = cmp.Or(m.system, r.reader.System())
	if err == nil {
		return
	}
	if !errors.Is(err, io.EOF) {
		m.failed = append(m.failed, r.readError(err))
	}
	m.lost += r.reader.Lost()
	m.over = append(m.over, r.at)
	m.open = slices.DeleteFunc(m.open, func(o *reading) bool { return o == r })
	if err := r.end(); err != nil {
		m.failed = append(m.failed, fmt.Errorf("close %s: %w", r.name, err))
	}
}

func (r *reading) end() error { return errors.Join(r.Close(), r.close()) }

// System implements packets: it is that of the first that says it.
func (m *merge) System() string { return m.system }

// Lost implements packets.
func (m *merge) Lost() uint64 {
	lost := m.lost
	for _, r := range m.open {
		lost += r.reader.Lost()
	}
	return lost
}

// Close implements packets.
func (m *merge) Close() {
	for _, r := range m.open {
		_ = r.end()
	}
	m.open, m.waiting, m.last = nil, nil, nil
}

// Empty reports whether a capture that was opened has no packets.
func (f *File) Empty() bool { return errors.Is(f.failed, io.EOF) }
