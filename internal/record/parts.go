package record

import (
	"sync"

	"github.com/closetrace/closetrace/model"
)

// parts keeps the text of what many records have in common: the judgement of a rule,
// a process, the states of an ordinary connection. Half of a line is copied from here.
type parts struct {
	judgement texts[judgementPart]
	process   texts[model.Process]
	closer    texts[model.Closer]
	place     texts[placePart]
	shape     texts[shapePart]
	acceptor  texts[model.Acceptor]
	mate      texts[model.PeerProcess]
	seconds   [2]secondText // of two seconds that follow each other, each in its own
}

// secondText is the text of a time of a second; all but its microseconds is the
// same for the others. The zero value is of none.
type secondText struct {
	second int64
	text   [len(model.TimeLayout)]byte
}

// partsPool: an encoder has its parts for itself while it writes a line.
var partsPool = sync.Pool{New: func() any { return new(parts) }}

// slots bounds the texts of each part, which may be long (MaxString).
const slots = 16

// texts holds the texts of some values, each in the slot that its writer chooses.
type texts[T comparable] [slots]struct {
	value T
	text  []byte
}

// part appends the text of v: that of its slot if it is v's, otherwise what write
// appends, which then takes the slot.
func part[T comparable](e *encoder, b []byte, t *texts[T], slot int, v *T, write func(*encoder, []byte, *T) []byte) []byte {
	kept := &t[uint(slot)%slots]
	if kept.value == *v && kept.text != nil {
		return append(b, kept.text...)
	}
	at := len(b)
	b = write(e, b, v)
	kept.value, kept.text = *v, append(kept.text[:0], b[at:]...)
	return b
}

// The slots of the parts; the generator decides which fields make a part.

func judgementSlot(v *judgementPart) int { return int(v.Cause) + int(v.Initiator) }

func processSlot(v *model.Process) int { return v.PID + int(v.Source) }

func closerSlot(v *model.Closer) int { return v.TID }

func placeSlot(v *placePart) int { return len(v.Cgroup.Path) }

func shapeSlot(v *shapePart) int {
	slot := v.Path.Len() + int(v.Path.Last())
	if v.RST.Sent.Is(true) {
		slot += slots / 2
	}
	return slot
}

func acceptorSlot(v *model.Acceptor) int { return v.PID }

func mateSlot(v *model.PeerProcess) int { return v.PID }
