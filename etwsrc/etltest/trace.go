package etltest

import (
	"cmp"
	"encoding/binary"
	"slices"
	"time"
	"unicode/utf16"

	"github.com/closetrace/closetrace/etwsrc/internal/raw"
)

// The kinds of clock a trace can have.
const (
	ClockQPC    = 1
	ClockSystem = 2
	ClockCPU    = 3
)

// Trace is an .etl file in the making. The zero value, with events, is a
// trace of a 64-bit Windows 10 with the performance counter.
type Trace struct {
	// PointerSize of the system: 8 unless set.
	PointerSize int
	// Clock is ClockQPC unless set; Frequency its ticks per second.
	Clock     uint32
	Frequency uint64
	Start     time.Time
	// Major, Minor and Build are the version of Windows: 10.0.19045 unless set.
	Major, Minor byte
	Build        uint32
	Compressed   bool
	// BufferSize is 8192 unless set.
	BufferSize              int
	EventsLost, BuffersLost uint32
	Circular, Unfinished    bool
	// Memory: the session kept its newest buffers in memory.
	Memory bool
	Events []Event
}

// Event is one event of a trace.
type Event struct {
	// At counts from the trace's start.
	At  time.Duration
	CPU int
	// Logger is the session's number: a merged file has several.
	Logger   uint16
	Provider raw.GUID
	ID       uint16
	Version  uint8
	Level    uint8
	Opcode   uint8
	Keyword  uint64
	PID, TID uint32
	// Hook is set for a record of the kernel logger: group and type.
	Hook uint16
	// PointerSize is that of the trace unless set: a 32-bit process on a
	// 64-bit system writes 4.
	PointerSize int
	// Extended adds extended data items to the header.
	Extended int
	Data     []byte
}

func (t *Trace) defaults() {
	t.PointerSize = cmp.Or(t.PointerSize, 8)
	t.Clock = cmp.Or(t.Clock, ClockQPC)
	t.Frequency = cmp.Or(t.Frequency, 10_000_000)
	t.BufferSize = cmp.Or(t.BufferSize, 8192)
	if t.Start.IsZero() {
		t.Start = time.Date(2026, 11, 20, 17, 23, 0, 0, time.UTC)
	}
	if t.Major == 0 {
		t.Major, t.Build = 10, 19045
	}
}

// zero is the counter's value at the trace's start.
const zero = 1_000_000_000_000

func (t *Trace) ticks(at time.Duration) uint64 {
	if t.Clock == ClockSystem {
		return fileTime(t.Start.Add(at))
	}
	return zero + uint64(at/time.Microsecond)*t.Frequency/1_000_000 + uint64(at%time.Microsecond)*t.Frequency/1_000_000_000
}

func fileTime(t time.Time) uint64 { return uint64(t.UnixNano()/100 + 116444736000000000) }

// buffer is a buffer in the making; at is when its last event was.
type buffer struct {
	cpu     int
	logger  uint16
	at      time.Duration
	records []byte
}

// Bytes returns the file. Events of one CPU should be in the order of time.
func (t *Trace) Bytes() []byte {
	t.defaults()
	var done []buffer
	current := map[int]*buffer{} // by session and CPU
	for _, e := range t.Events {
		record := t.record(e)
		key := int(e.Logger)<<16 | e.CPU
		b := current[key]
		if b != nil && len(b.records)+len(record) > t.BufferSize-72 {
			done = append(done, *b)
			b = nil
		}
		if b == nil {
			b = &buffer{cpu: e.CPU, logger: e.Logger}
			current[key] = b
		}
		b.records, b.at = append(b.records, record...), e.At
	}
	for _, b := range current {
		done = append(done, *b)
	}
	slices.SortStableFunc(done, func(a, b buffer) int {
		return cmp.Or(cmp.Compare(a.at, b.at), cmp.Compare(a.cpu, b.cpu), cmp.Compare(a.logger, b.logger))
	})
	file := t.buffer(buffer{records: t.header(len(done) + 1)}, 4)
	for _, b := range done {
		file = append(file, t.buffer(b, 0)...)
	}
	return file
}

func (t *Trace) buffer(b buffer, kind uint16) []byte {
	le := binary.LittleEndian
	head := make([]byte, 72)
	flags, records, size := uint16(0x20), b.records, t.BufferSize
	if t.Compressed && kind == 0 {
		flags |= 0x40
		records = Compress(records)
		size = 72 + len(records)
	}
	le.PutUint32(head[0:], uint32(size))
	le.PutUint32(head[4:], uint32(72+len(b.records)))
	le.PutUint16(head[0x28:], uint16(b.cpu))
	le.PutUint16(head[0x2A:], b.logger)
	le.PutUint32(head[0x30:], uint32(72+len(b.records)))
	le.PutUint16(head[0x34:], flags)
	le.PutUint16(head[0x36:], kind)
	head = append(head, records...)
	for len(head) < size {
		head = append(head, 0xFF)
	}
	return head
}

// header returns the record with the TRACE_LOGFILE_HEADER.
func (t *Trace) header(buffers int) []byte {
	le := binary.LittleEndian
	b := []byte{t.Major, t.Minor, 0, 1}
	u32 := func(v uint32) { b = le.AppendUint32(b, v) }
	u64 := func(v uint64) { b = le.AppendUint64(b, v) }
	b = append(le.AppendUint32(nil, uint32(t.BufferSize)), b...)
	u32(t.Build)
	u32(4)
	if t.Unfinished {
		u64(0)
	} else {
		u64(fileTime(t.Start.Add(time.Hour)))
	}
	u32(156250)
	u32(0)
	mode := map[bool]uint32{false: 1, true: 2}[t.Circular]
	if t.Memory {
		mode |= 0x400
	}
	u32(mode)
	u32(uint32(buffers))
	u32(1)
	u32(uint32(t.PointerSize))
	u32(t.EventsLost)
	u32(uint32(t.Frequency / 1_000_000))
	b = append(b, make([]byte, 2*t.PointerSize)...)
	b = append(b, make([]byte, 172)...)
	for len(b)%8 != 0 {
		b = append(b, 0)
	}
	u64(fileTime(t.Start.Add(-time.Hour)))
	u64(t.Frequency)
	u64(fileTime(t.Start))
	u32(t.Clock)
	u32(t.BuffersLost)
	for _, u := range utf16.Encode([]rune("closetrace test\x00C:\\trace.etl\x00")) {
		b = le.AppendUint16(b, u)
	}
	kind := byte(2)
	if t.PointerSize == 4 {
		kind = 1
	}
	head := []byte{2, 0, kind, 0xC0}
	head = le.AppendUint16(head, uint16(32+len(b)))
	head = le.AppendUint16(head, 0)
	head = le.AppendUint32(head, 1)
	head = le.AppendUint32(head, 2)
	head = le.AppendUint64(head, t.ticks(0))
	head = append(head, make([]byte, 8)...)
	return pad(append(head, b...))
}

func pad(b []byte) []byte {
	for len(b)%8 != 0 {
		b = append(b, 0xFF)
	}
	return b
}

// record returns an event with its header.
func (t *Trace) record(e Event) []byte {
	if e.Hook != 0 {
		return t.hooked(e)
	}
	le := binary.LittleEndian
	size := cmp.Or(e.PointerSize, t.PointerSize)
	kind, flags := byte(0x13), uint16(0x40)
	if t.PointerSize == 4 {
		kind = 0x12
	}
	if size == 4 {
		flags = 0x20
	}
	var extended []byte
	for i := range e.Extended {
		flags |= 1
		more := uint16(0)
		if i+1 < e.Extended {
			more = 1
		}
		item := le.AppendUint16(make([]byte, 2), 1)
		item = le.AppendUint16(item, more)
		item = le.AppendUint16(item, 13)
		extended = append(extended, pad(append(item, make([]byte, 13)...))...)
	}
	b := le.AppendUint16(nil, uint16(80+len(extended)+len(e.Data)))
	b = append(b, kind, 0xC0)
	b = le.AppendUint16(b, flags)
	b = le.AppendUint16(b, 0)
	b = le.AppendUint32(b, e.TID)
	b = le.AppendUint32(b, e.PID)
	b = le.AppendUint64(b, t.ticks(e.At))
	b = append(b, e.Provider[:]...)
	b = le.AppendUint16(b, e.ID)
	b = append(b, e.Version, 0x10, e.Level, e.Opcode, 0, 0)
	b = le.AppendUint64(b, e.Keyword)
	b = append(b, make([]byte, 24)...)
	return pad(append(append(b, extended...), e.Data...))
}

// hooked returns a record of the kernel logger.
func (t *Trace) hooked(e Event) []byte {
	le := binary.LittleEndian
	kind := byte(2)
	if t.PointerSize == 4 {
		kind = 1
	}
	b := []byte{e.Version, 0, kind, 0xC0}
	b = le.AppendUint16(b, uint16(32+len(e.Data)))
	b = le.AppendUint16(b, e.Hook)
	b = le.AppendUint32(b, e.TID)
	b = le.AppendUint32(b, e.PID)
	b = le.AppendUint64(b, t.ticks(e.At))
	b = append(b, make([]byte, 8)...)
	return pad(append(b, e.Data...))
}
