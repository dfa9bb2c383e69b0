package etl

import (
	"encoding/binary"
	"fmt"
	"unicode/utf16"

	"github.com/closetrace/closetrace/model"
)

// Info is the trace's description (TRACE_LOGFILE_HEADER).
type Info struct {
	// OS is the version of Windows: major.minor.build.
	OS          string
	CPUs        int
	PointerSize int
	// BufferSize is that of the session's buffers.
	BufferSize uint32
	// Session is the name of the logger.
	Session string
	// Start is when the trace began, End when it was stopped: 0 if it was not
	// stopped properly, and then the losses are not known either.
	Start, End model.Time
	// BuffersWritten is how many buffers the file should have.
	BuffersWritten int
	// Circular: the file keeps only the newest buffers.
	Circular bool
	// Memory: the session kept the newest buffers of each CPU in memory until
	// it was asked for them. How many it had written over is not known.
	Memory bool
	// EventsLost and BuffersLost are what the session lost.
	EventsLost, BuffersLost uint32
}

// describe parses the trace's first record.
func describe(record []byte, h header) (Info, clock, error) {
	b := record[h.head:]
	if len(b) < 272 {
		return Info{}, clock{}, fmt.Errorf("description of %d bytes, want 272", len(b))
	}
	if len(b) < 280 {
		b = append(b[:len(b):len(b)], make([]byte, 280-len(b))...) // names may be absent
	}
	le := binary.LittleEndian
	info := Info{
		OS:             fmt.Sprintf("%d.%d.%d", b[4], b[5], le.Uint32(b[8:])),
		BufferSize:     le.Uint32(b),
		CPUs:           int(le.Uint32(b[12:])),
		End:            fileTime(int64(le.Uint64(b[16:]))),
		Circular:       le.Uint32(b[32:])&0x2 != 0,   // EVENT_TRACE_FILE_MODE_CIRCULAR
		Memory:         le.Uint32(b[32:])&0x400 != 0, // EVENT_TRACE_BUFFERING_MODE
		BuffersWritten: int(le.Uint32(b[36:])),
		PointerSize:    int(le.Uint32(b[44:])),
		EventsLost:     le.Uint32(b[48:]),
	}
	// Two pointers and the padding of BootTime make the rest lie elsewhere on
	// 32-bit systems.
	rest, names := b[248:], b[280:]
	if info.PointerSize == 4 {
		rest, names = b[240:], b[272:]
	} else if info.PointerSize != 8 {
		return Info{}, clock{}, fmt.Errorf("pointers of %d bytes", info.PointerSize)
	}
	start := int64(le.Uint64(rest[16:]))
	info.Start = fileTime(start)
	info.BuffersLost = le.Uint32(rest[28:])
	info.Session = utf16String(names)
	c := clock{start: info.Start, zero: h.ticks, kind: le.Uint32(rest[24:]), frequency: le.Uint64(rest[8:])}
	return info, c.prepared(start, le.Uint32(b[52:])), nil
}

// utf16String returns the NUL-terminated string that b begins with.
func utf16String(b []byte) string {
	var units []uint16
	for ; len(b) >= 2 && (b[0] != 0 || b[1] != 0); b = b[2:] {
		units = append(units, binary.LittleEndian.Uint16(b))
	}
	return string(utf16.Decode(units))
}
