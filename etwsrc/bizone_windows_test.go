//go:build cgo && amd64

package etwsrc

import (
	"reflect"
	"testing"
	"unsafe"

	"github.com/bi-zone/etw"
)

// bi-zone/etw has EVENT_RECORD from the headers of the C compiler: a second
// opinion on where the payload lies.
func TestRecordsAreLaidOutAsBiZoneHasThem(t *testing.T) {
	event, found := reflect.TypeFor[etw.Event]().FieldByName("eventRecord")
	if !found || event.Type.Kind() != reflect.Pointer {
		t.Fatal("etw.Event has no record")
	}
	theirs := event.Type.Elem()
	var ours eventRecord
	if theirs.Size() != unsafe.Sizeof(ours) {
		t.Errorf("a record of %d bytes, want %d", unsafe.Sizeof(ours), theirs.Size())
	}
	for name, at := range map[string]uintptr{
		"ExtendedDataCount": unsafe.Offsetof(ours.extendedCount), "UserDataLength": unsafe.Offsetof(ours.dataLength),
		"UserData": unsafe.Offsetof(ours.data), "UserContext": unsafe.Offsetof(ours.context),
	} {
		if f, ok := theirs.FieldByName(name); !ok || f.Offset != at {
			t.Errorf("%s at %d, want %d", name, at, f.Offset)
		}
	}
}
