package tui

import (
	"net/netip"
	"reflect"
	"unsafe"

	"github.com/closetrace/closetrace/model"
)

// layout is how a record lies in memory, by the words of 8 bytes.
type layout struct {
	plain   []uintptr // words without a pointer
	texts   []uintptr
	unique  []bool // of texts: of one record only
	address []uintptr
	lists   []uintptr // maps and slices: a record that has one is kept whole
}

var shape = layoutOf(reflect.TypeFor[model.Record]())

func layoutOf(t reflect.Type) *layout {
	l := &layout{}
	pointers := make([]bool, t.Size()/8)
	l.walk(t, 0, "", pointers)
	for i, has := range pointers {
		if !has {
			l.plain = append(l.plain, uintptr(i)*8)
		}
	}
	return l
}

func (l *layout) walk(t reflect.Type, at uintptr, name string, pointers []bool) {
	switch {
	case t == reflect.TypeFor[netip.Addr]():
		l.address = append(l.address, at)
	case t.Kind() == reflect.String:
		l.texts = append(l.texts, at)
		l.unique = append(l.unique, name == "ID" || name == "PeerEnd")
	case t.Kind() == reflect.Map, t.Kind() == reflect.Slice:
		l.lists = append(l.lists, at)
	case t.Kind() == reflect.Struct:
		for i := range t.NumField() {
			f := t.Field(i)
			l.walk(f.Type, at+f.Offset, f.Name, pointers)
		}
		return
	case t.Kind() == reflect.Array:
		for i := range t.Len() {
			l.walk(t.Elem(), at+uintptr(i)*t.Elem().Size(), name, pointers)
		}
		return
	case t.Kind() <= reflect.Float64: // numbers
		return
	default:
		panic("a record has a " + t.String() + ", which the journal does not know how to keep")
	}
	for i := at / 8; i < (at+t.Size())/8; i++ {
		pointers[i] = true
	}
}

// field returns what lies at an offset of layout in a record.
func field[T any](r *model.Record, at uintptr) *T {
	return (*T)(unsafe.Add(unsafe.Pointer(r), at)) // #nosec G103 -- offsets are the type's own, by reflection
}
