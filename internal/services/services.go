// Package services finds which Windows services a process runs: all the
// processes svchost.exe have one name.
package services

import (
	"encoding/binary"
	"slices"
	"strings"
	"unicode/utf16"
)

// The layout of ENUM_SERVICE_STATUS_PROCESSW (winsvc.h) on 64-bit Windows: the
// addresses of two names, then nine 32-bit members, of which the eighth is the
// process. The names lie behind the rows in the same buffer. It is decoded on
// every platform, so that it is tested on every platform.
const (
	rowSize   = 56
	processAt = 2*8 + 7*4
	// maxName is the length of a service's name in UTF-16 (CreateService).
	maxName = 256
)

// names has the names of the services by process.
type names map[int][]string

// add reads count rows of a buffer that lies at an address. Rows and names that
// are not inside of the buffer are left out.
func (n names) add(buffer []byte, address uint64, count uint32) {
	rows := min(uint64(count), uint64(len(buffer)/rowSize))
	for i := range rows {
		row := buffer[i*rowSize:][:rowSize]
		pid := int(binary.LittleEndian.Uint32(row[processAt:]))
		at := binary.LittleEndian.Uint64(row) - address // huge, if it lies before
		if pid == 0 || at >= uint64(len(buffer)) {
			continue
		}
		if name := decodeName(buffer[at:]); name != "" {
			n[pid] = append(n[pid], name)
		}
	}
}

// decodeName reads a name that ends by 0; one that does not end is none.
func decodeName(b []byte) string {
	var units []uint16
	for ; len(b) >= 2 && len(units) <= maxName; b = b[2:] {
		unit := binary.LittleEndian.Uint16(b)
		if unit == 0 {
			return string(utf16.Decode(units))
		}
		units = append(units, unit)
	}
	return ""
}

// joined returns the names of each process, in order, with a comma between.
func (n names) joined() map[int]string {
	all := make(map[int]string, len(n))
	for pid, list := range n {
		slices.Sort(list)
		all[pid] = strings.Join(slices.Compact(list), ",")
	}
	return all
}
