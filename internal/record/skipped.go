package record

import (
	"fmt"
	"strings"
)

// Skipped says what a Reader could not read. Nothing is left out of it, so a
// reading with an empty Skipped is complete.
type Skipped struct {
	Lines  int64 // not read: garbage, cut, too long
	Bytes  int64 // of these lines
	Kinds  int64 // lines of kinds that this version does not know
	Names  int64 // lines with an unknown name, which was read as "unknown"
	Frames int64 // zstd frames that are damaged or cut
	// First are the first of them, with their place.
	First []Note
}

// maxNotes bounds Skipped.First.
const maxNotes = 20

// Note is something that was skipped.
type Note struct {
	Line   int64 // from 1; 0 for a zstd frame
	Byte   int64 // of the uncompressed stream, from 0; for a frame, of the file
	Reason string
}

// String returns "line 12, byte 3456: reason".
func (n Note) String() string {
	if n.Line == 0 {
		return fmt.Sprintf("byte %d of the file: %s", n.Byte, n.Reason)
	}
	return fmt.Sprintf("line %d, byte %d: %s", n.Line, n.Byte, n.Reason)
}

// Any reports whether anything was skipped.
func (s *Skipped) Any() bool { return s.Lines+s.Kinds+s.Names+s.Frames > 0 }

// String returns one line with the counts.
func (s *Skipped) String() string {
	var parts []string
	add := func(n int64, one, many string) {
		if n == 1 {
			parts = append(parts, "1 "+one)
		} else if n > 1 {
			parts = append(parts, fmt.Sprintf("%d %s", n, many))
		}
	}
	add(s.Lines, fmt.Sprintf("line (%d bytes) that can't be read", s.Bytes), fmt.Sprintf("lines (%d bytes) that can't be read", s.Bytes))
	add(s.Kinds, "line of an unknown kind", "lines of unknown kinds")
	add(s.Frames, "damaged zstd frame", "damaged zstd frames")
	add(s.Names, "line with a name of a newer version, read as unknown", "lines with names of a newer version, read as unknown")
	if len(parts) == 0 {
		return "skipped nothing"
	}
	return "skipped " + strings.Join(parts, ", ")
}

func (s *Skipped) note(line, at int64, format string, args ...any) {
	if len(s.First) < maxNotes {
		s.First = append(s.First, Note{line, at, fmt.Sprintf(format, args...)})
	}
}
