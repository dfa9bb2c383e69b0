//go:build cgo

package etwsrc

import (
	"encoding/binary"
	"sync/atomic"

	"github.com/bi-zone/etw"

	"github.com/closetrace/closetrace/etwsrc/internal/raw"
	"github.com/closetrace/closetrace/model"
)

// slot is a copy of one event.
type slot struct {
	event raw.Event
	room  [512]byte
}

// receiver copies events out of the system's callback. It never blocks there:
// events for which no slot is free are counted.
type receiver struct {
	free, full chan *slot
	layout     layout
	missed     atomic.Uint64
	noPayload  atomic.Uint64
}

func newReceiver(n int) *receiver {
	r := &receiver{free: make(chan *slot, n), full: make(chan *slot, n), layout: payloadLayout()}
	for range n {
		r.free <- &slot{}
	}
	return r
}

// The flags of an event's header (evntcons.h).
const (
	headerFlag32Bit   = 0x0020
	headerFlagClassic = 0x0100
)

// take is called by Windows in a thread of its own.
func (r *receiver) take(e *etw.Event) {
	h := &e.Header
	var guid raw.GUID
	binary.LittleEndian.PutUint32(guid[0:], h.ProviderID.Data1)
	binary.LittleEndian.PutUint16(guid[4:], h.ProviderID.Data2)
	binary.LittleEndian.PutUint16(guid[6:], h.ProviderID.Data3)
	copy(guid[8:], h.ProviderID.Data4[:])
	if raw.ProviderOf(&guid) == raw.Other {
		return
	}
	data, ok := r.layout.payload(e)
	if !ok {
		r.noPayload.Add(1)
		return
	}
	var s *slot
	select {
	case s = <-r.free:
	default:
		r.missed.Add(1)
		return
	}
	s.event = raw.Event{
		Time: model.TimeOf(h.TimeStamp), Provider: guid, Keyword: h.Keyword, PID: h.ProcessID, TID: h.ThreadID,
		ID: h.ID, Version: h.Version, Level: h.Level, Opcode: h.OpCode, PointerSize: 8,
	}
	if h.Flags&headerFlag32Bit != 0 {
		s.event.PointerSize = 4
	}
	if h.Flags&headerFlagClassic != 0 {
		s.event.ID = uint16(h.OpCode)
	}
	s.event.Data = append(s.room[:0], data...)
	r.full <- s // has room for all slots
}
