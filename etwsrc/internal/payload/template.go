package payload

import "github.com/closetrace/closetrace/etwsrc/internal/raw"

// Field names a field of a template. The constants are generated.
type Field uint8

// String returns the field's name in the manifest.
func (f Field) String() string {
	if int(f) < len(fieldNames) {
		return fieldNames[f]
	}
	return ""
}

// kind is how a field's size is found.
type kind uint8

const (
	fixed   kind = iota // n bytes
	pointer             // 4 or 8 bytes, as the event's header says
	sized               // as many bytes as the value of field n of the same template says
	text                // UTF-16LE up to and including a NUL, or to the end
)

type field struct {
	name Field
	kind kind
	n    uint8
}

type template struct {
	provider raw.Provider
	id       uint16
	version  uint8
	fields   []field
}

// maxFields is more than the longest template has (46 in 1477 version 1).
const maxFields = 64

// index finds the templates of an event: by provider and number, the place of
// the first in the table, plus one.
type index [raw.Providers][]uint16

func newIndex() *index {
	x := &index{}
	for i := len(templates) - 1; i >= 0; i-- {
		t := &templates[i]
		ids := x[t.provider]
		if need := int(t.id) + 1; len(ids) < need {
			ids = append(ids, make([]uint16, need-len(ids))...)
			x[t.provider] = ids
		}
		ids[t.id] = uint16(i + 1)
	}
	return x
}

// find returns the newest template that is not newer than version, or nil.
func (x *index) find(p raw.Provider, id uint16, version uint8) *template {
	if int(id) >= len(x[p]) || x[p][id] == 0 {
		return nil
	}
	var found *template
	for i := int(x[p][id]) - 1; i < len(templates); i++ {
		t := &templates[i]
		if t.provider != p || t.id != id || t.version > version {
			break
		}
		found = t
	}
	return found
}
