// Package raw holds one undecoded ETW event, as a trace file or a live session
// delivers it.
package raw

import (
	"encoding/binary"
	"fmt"

	"github.com/closetrace/closetrace/model"
)

// GUID is a provider's identity in the byte order of the file (the first
// three groups are little endian).
type GUID [16]byte

// String returns the usual form in lower case, without braces.
func (g GUID) String() string {
	return fmt.Sprintf("%08x-%04x-%04x-%x-%x", binary.LittleEndian.Uint32(g[0:]),
		binary.LittleEndian.Uint16(g[4:]), binary.LittleEndian.Uint16(g[6:]), g[8:10], g[10:16])
}

// ParseGUID is the inverse of String; braces and upper case are taken.
func ParseGUID(s string) (g GUID, err error) {
	if len(s) == 38 && s[0] == '{' && s[37] == '}' {
		s = s[1:37]
	}
	var a uint32
	var b, c uint16
	var d, e []byte
	if _, err := fmt.Sscanf(s, "%08x-%04x-%04x-%4x-%12x", &a, &b, &c, &d, &e); err != nil || len(d) != 2 || len(e) != 6 {
		return GUID{}, fmt.Errorf("parse GUID %q: not of the form xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx", s)
	}
	binary.LittleEndian.PutUint32(g[0:], a)
	binary.LittleEndian.PutUint16(g[4:], b)
	binary.LittleEndian.PutUint16(g[6:], c)
	copy(g[8:], d)
	copy(g[10:], e)
	return g, nil
}

// NoThread is the PID and TID of records whose header has none (the short
// headers of the kernel logger).
const NoThread = 0xFFFFFFFF

// Event is one event. Data is only valid until the next event is read.
type Event struct {
	Time     model.Time
	Provider GUID
	Keyword  uint64
	PID      uint32
	TID      uint32
	// ID is the event's number; for classic (MOF) events it is the type.
	ID      uint16
	Version uint8
	Level   uint8
	Opcode  uint8
	// PointerSize is 4 or 8: the width of pointers in Data.
	PointerSize uint8
	Data        []byte
}
