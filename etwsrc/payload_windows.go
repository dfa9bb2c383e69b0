//go:build cgo

package etwsrc

import (
	"reflect"
	"unsafe"

	"github.com/bi-zone/etw"
)

// layout is where the payload lies behind an [etw.Event]. The package decodes
// payloads only with TDH, which takes milliseconds for an event and fails as a
// whole; the record that the event refers to is not exported. Its layout is
// therefore looked up and checked, never assumed: where anything differs from
// EVENT_RECORD (evntcons.h), ok is false and events have no payload.
type layout struct {
	record, data, length uintptr
	ok                   bool
}

func payloadLayout() (l layout) {
	event, found := reflect.TypeFor[etw.Event]().FieldByName("eventRecord")
	if !found || event.Type.Kind() != reflect.Pointer || event.Type.Elem().Kind() != reflect.Struct {
		return l
	}
	record := event.Type.Elem()
	header, h := record.FieldByName("EventHeader")
	length, n := record.FieldByName("UserDataLength")
	data, d := record.FieldByName("UserData")
	pointer := unsafe.Sizeof(uintptr(0))
	// EVENT_RECORD: header 80, context 4, two counts of 2, three pointers.
	if !h || !n || !d || header.Offset != 0 || header.Type.Size() != 80 ||
		length.Type.Kind() != reflect.Uint16 || length.Offset != 86 ||
		data.Offset != 88+pointer || record.Size() != 88+3*pointer {
		return l
	}
	switch data.Type.Kind() {
	case reflect.Pointer, reflect.UnsafePointer, reflect.Uintptr:
	default:
		return l
	}
	return layout{record: event.Offset, data: data.Offset, length: length.Offset, ok: true}
}

// payload returns the payload of e, which is the system's memory and is only
// valid inside of the callback.
func (l *layout) payload(e *etw.Event) ([]byte, bool) {
	if !l.ok {
		return nil, false
	}
	record := *(*unsafe.Pointer)(unsafe.Add(unsafe.Pointer(e), l.record))
	if record == nil {
		return nil, false
	}
	data := *(*unsafe.Pointer)(unsafe.Add(record, l.data))
	length := *(*uint16)(unsafe.Add(record, l.length))
	if length == 0 {
		return nil, true
	}
	if data == nil {
		return nil, false
	}
	return unsafe.Slice((*byte)(data), int(length)), true
}
