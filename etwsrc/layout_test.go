package etwsrc

import (
	"testing"
	"unsafe"
)

// The sizes and places of 64-bit Windows, as a C compiler has them from the
// headers of the SDK (evntrace.h, evntcons.h).
func TestLayoutsAreThoseOfWindows(t *testing.T) {
	if unsafe.Sizeof(uintptr(0)) != 8 {
		t.Skip("live sessions are for 64 bits")
	}
	var p traceProperties
	var l traceLogfile
	var r eventRecord
	var e enableParameters
	for _, tt := range []struct {
		what      string
		got, want uintptr
	}{
		{"WNODE_HEADER", unsafe.Sizeof(wnodeHeader{}), 48},
		{"EVENT_TRACE_PROPERTIES", unsafe.Sizeof(p), 120},
		{"EventsLost", unsafe.Offsetof(p.eventsLost), 88},
		{"RealTimeBuffersLost", unsafe.Offsetof(p.realTimeBuffersLost), 100},
		{"LoggerNameOffset", unsafe.Offsetof(p.loggerNameOffset), 116},
		{"EVENT_TRACE_LOGFILEW", unsafe.Sizeof(l), 448},
		{"ProcessTraceMode", unsafe.Offsetof(l.processTraceMode), 28},
		{"EventRecordCallback", unsafe.Offsetof(l.eventCallback), 424},
		{"Context", unsafe.Offsetof(l.context), 440},
		{"EVENT_RECORD", unsafe.Sizeof(r), 112},
		{"TimeStamp", unsafe.Offsetof(r.timeStamp), 16},
		{"ProviderId", unsafe.Offsetof(r.provider), 24},
		{"EventDescriptor.Id", unsafe.Offsetof(r.id), 40},
		{"EventDescriptor.Keyword", unsafe.Offsetof(r.keyword), 48},
		{"UserDataLength", unsafe.Offsetof(r.dataLength), 86},
		{"UserData", unsafe.Offsetof(r.data), 96},
		{"UserContext", unsafe.Offsetof(r.context), 104},
		{"ENABLE_TRACE_PARAMETERS", unsafe.Sizeof(e), 48},
		{"EnableFilterDesc", unsafe.Offsetof(e.filters), 32},
		{"EVENT_FILTER_DESCRIPTOR", unsafe.Sizeof(filterDescriptor{}), 16},
	} {
		if tt.got != tt.want {
			t.Errorf("%s: %d, want %d", tt.what, tt.got, tt.want)
		}
	}
}
