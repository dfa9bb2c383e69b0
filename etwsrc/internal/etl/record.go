package etl

import (
	"encoding/binary"

	"github.com/closetrace/closetrace/etwsrc/internal/raw"
)

// The types of a record's header (TRACE_HEADER_TYPE_*), byte 2 of the record.
const (
	typeSystem32   = 0x01
	typeSystem64   = 0x02
	typeCompact32  = 0x03
	typeCompact64  = 0x04
	typeFull32     = 0x0A
	typeInstance32 = 0x0B
	typePerfInfo32 = 0x10
	typePerfInfo64 = 0x11
	typeEvent32    = 0x12
	typeEvent64    = 0x13
	typeFull64     = 0x14
	typeInstance64 = 0x15
)

// Byte 3 of a record marks it (TRACE_HEADER_FLAG with EVENT_TRACE or MESSAGE).
const (
	markEvent   = 0xC0
	markMessage = 0x90
)

// longestHeader is the size of EVENT_HEADER.
const longestHeader = 80

// header is what all the layouts of a record's header have.
type header struct {
	// ticks is the clock's value, if timed.
	ticks int64
	timed bool
	// size is that of the record with its header, head that of the header.
	size, head uint16
	kind       uint8
}

// parseStart parses the header of the record that b begins with; b may end
// behind the header. It fails where no record is.
func parseStart(b []byte) (h header, ok bool) {
	if len(b) < 8 {
		return h, false
	}
	le := binary.LittleEndian
	if b[3]&markMessage == markMessage && b[3]&markEvent != markEvent {
		h.size, h.head = le.Uint16(b), 8
		return h, h.size >= h.head
	}
	if b[3]&markEvent != markEvent {
		return h, false
	}
	h.kind = b[2]
	at := 16
	switch h.kind {
	case typeSystem32, typeSystem64:
		h.size, h.head = le.Uint16(b[4:]), 32
	case typeCompact32, typeCompact64:
		h.size, h.head = le.Uint16(b[4:]), 24
	case typePerfInfo32, typePerfInfo64:
		h.size, h.head, at = le.Uint16(b[4:]), 16, 8
	case typeEvent32, typeEvent64:
		h.size, h.head = le.Uint16(b), 80
	case typeFull32, typeFull64:
		h.size, h.head = le.Uint16(b), 48
	default: // instances, errors, what is to come: their size is where the others have it
		h.size, h.head = le.Uint16(b), 24
	}
	if h.size < h.head || len(b) < int(h.head) {
		return h, false
	}
	h.ticks, h.timed = int64(le.Uint64(b[at:])), true
	return h, true
}

// describesTrace: the record is the trace's TRACE_LOGFILE_HEADER.
func (h *header) describesTrace() bool {
	return h.kind >= typeSystem32 && h.kind <= typeCompact64
}

// event fills e from the record in b. It reports false for records that no
// provider of closetrace writes: software traces (WPP) and instances.
func (h *header) event(b []byte, e *raw.Event) bool {
	le := binary.LittleEndian
	switch h.kind {
	case typeEvent32, typeEvent64:
		return h.manifest(b, e)
	case typeFull32, typeFull64:
		*e = raw.Event{
			Provider: raw.GUID(b[24:40]), ID: uint16(b[4]), Opcode: b[4], Level: b[5], Version: b[6],
			TID: le.Uint32(b[8:]), PID: le.Uint32(b[12:]),
		}
	case typeSystem32, typeSystem64, typeCompact32, typeCompact64:
		hook := le.Uint16(b[6:])
		*e = raw.Event{
			Provider: classOf(hook), ID: hook & 0xFF, Opcode: uint8(hook), Version: b[0],
			TID: le.Uint32(b[8:]), PID: le.Uint32(b[12:]),
		}
	case typePerfInfo32, typePerfInfo64:
		hook := le.Uint16(b[6:])
		*e = raw.Event{
			Provider: classOf(hook), ID: hook & 0xFF, Opcode: uint8(hook), Version: b[0],
			TID: raw.NoThread, PID: raw.NoThread,
		}
	default:
		return false
	}
	e.PointerSize = 8
	switch h.kind {
	case typeSystem32, typeCompact32, typePerfInfo32, typeFull32:
		e.PointerSize = 4
	}
	e.Data = b[h.head:h.size]
	return true
}

// The flags of EVENT_HEADER.
const (
	flagExtended = 0x0001
	flag32Bit    = 0x0020
	flag64Bit    = 0x0040
)

// manifest fills e from an EVENT_HEADER. A 32-bit process on a 64-bit system
// is decided by the header's flags, not by its type.
func (h *header) manifest(b []byte, e *raw.Event) bool {
	le := binary.LittleEndian
	flags := le.Uint16(b[4:])
	*e = raw.Event{
		Provider: raw.GUID(b[24:40]), TID: le.Uint32(b[8:]), PID: le.Uint32(b[12:]),
		ID: le.Uint16(b[40:]), Version: b[42], Level: b[44], Opcode: b[45], Keyword: le.Uint64(b[48:]),
		PointerSize: 8,
	}
	if flags&flag32Bit != 0 || flags&flag64Bit == 0 && h.kind == typeEvent32 {
		e.PointerSize = 4
	}
	data := b[h.head:h.size]
	for more := flags&flagExtended != 0; more; {
		// An extended data item: 2 reserved bytes, type, a bit that says
		// whether another follows, size; then the data, to a multiple of 8.
		if len(data) < 8 {
			return false
		}
		skip := (8 + int(le.Uint16(data[6:])) + 7) &^ 7
		more = data[4]&1 != 0
		if skip > len(data) {
			return false
		}
		data = data[skip:]
	}
	e.Data = data
	return true
}

// classOf returns the GUID of a kernel logger class by the group in the
// record's hook identifier (EVENT_TRACE_GROUP_*); zero for those that
// closetrace does not read.
func classOf(hook uint16) raw.GUID {
	if hook>>8 == 0x06 {
		return raw.KernelTCP.GUID()
	}
	return raw.GUID{}
}
