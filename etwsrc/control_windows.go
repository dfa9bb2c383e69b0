//go:build cgo

package etwsrc

/*
#cgo LDFLAGS: -ladvapi32
#include <windows.h>
#include <wmistr.h>
#include <evntrace.h>
#include <evntcons.h>
#include <evntprov.h>

// closetrace_query fills in the state of a session by its name.
static ULONG closetrace_query(LPCWSTR name, TRACEHANDLE *handle, ULONG *mode, ULONG *lost, ULONG *buffers) {
	struct { EVENT_TRACE_PROPERTIES p; WCHAR names[2048]; } q;
	ZeroMemory(&q, sizeof q);
	q.p.Wnode.BufferSize = sizeof q;
	q.p.LoggerNameOffset = sizeof q.p;
	q.p.LogFileNameOffset = sizeof q.p + 1024 * sizeof(WCHAR);
	ULONG status = ControlTraceW(0, name, &q.p, EVENT_TRACE_CONTROL_QUERY);
	*handle = q.p.Wnode.HistoricalContext;
	*mode = q.p.LogFileMode;
	*lost = q.p.EventsLost;
	*buffers = q.p.RealTimeBuffersLost;
	return status;
}

// closetrace_enable enables a provider, with a filter by event if there are any.
// The filter is not in every SDK: EVENT_FILTER_EVENT_ID, Windows 8.1.
static ULONG closetrace_enable(TRACEHANDLE handle, const GUID *provider, UCHAR level, ULONGLONG any, const USHORT *ids, USHORT count) {
	struct { UCHAR in, reserved; USHORT count, ids[64]; } filter;
	EVENT_FILTER_DESCRIPTOR d;
	ENABLE_TRACE_PARAMETERS p;
	ZeroMemory(&p, sizeof p);
	p.Version = count > 0 ? 2 : 1; // 2 came with the filters
	if (count > 0) {
		if (count > 64)
			return ERROR_INVALID_PARAMETER;
		filter.in = TRUE;
		filter.reserved = 0;
		filter.count = count;
		CopyMemory(filter.ids, ids, count * sizeof *ids);
		d.Ptr = (ULONGLONG)(ULONG_PTR)&filter;
		d.Size = 4 + count * sizeof *ids;
		d.Type = 0x80000200; // EVENT_FILTER_TYPE_EVENT_ID
		p.EnableFilterDesc = &d;
		p.FilterDescCount = 1;
	}
	return EnableTraceEx2(handle, provider, EVENT_CONTROL_CODE_ENABLE_PROVIDER, level, any, 0, 2000, &p);
}

// closetrace_rundown asks a provider for what is open now.
static ULONG closetrace_rundown(TRACEHANDLE handle, const GUID *provider) {
	return EnableTraceEx2(handle, provider, EVENT_CONTROL_CODE_CAPTURE_STATE, 0, 0, 0, 0, NULL);
}
*/
import "C"

import (
	"fmt"
	"unsafe"

	"golang.org/x/sys/windows"

	"github.com/closetrace/closetrace/etwsrc/internal/raw"
)

// state is what Windows tells about a session.
type state struct {
	handle C.TRACEHANDLE
	// file: it writes a file, and is none of ours.
	file    bool
	lost    uint32 // events
	buffers uint32 // real-time buffers
}

// query asks for the state of the session (ControlTrace, QUERY).
func query() (state, error) {
	name, err := windows.UTF16PtrFromString(SessionName)
	if err != nil {
		return state{}, err
	}
	var s state
	var mode, lost, buffers C.ULONG
	code := C.closetrace_query(C.LPCWSTR(unsafe.Pointer(name)), &s.handle, &mode, &lost, &buffers)
	if code != 0 {
		return s, explain("query ETW session", uint32(code), windows.Errno(code))
	}
	s.file = mode&C.EVENT_TRACE_REAL_TIME_MODE == 0
	s.lost, s.buffers = uint32(lost), uint32(buffers)
	return s, nil
}

// enable subscribes to a provider; where the filter by event is not known,
// without it, at a lower level if that would be too much.
func (s state) enable(sub subscription) error {
	guid := sub.provider.GUID()
	id := (*C.GUID)(unsafe.Pointer(&guid))
	code := C.closetrace_enable(s.handle, id, C.UCHAR(sub.level), C.ULONGLONG(sub.any), (*C.USHORT)(unsafe.Pointer(&sub.ids[0])), C.USHORT(len(sub.ids)))
	if code == codeInvalidParameter && sub.plainLevel > 0 {
		code = C.closetrace_enable(s.handle, id, C.UCHAR(sub.plainLevel), C.ULONGLONG(sub.plainAny), nil, 0)
	}
	if code == codeTimeout {
		code = 0 // it is enabled; some process has not answered yet
	}
	if code != 0 {
		return explain(fmt.Sprintf("enable %v", sub.provider), uint32(code), windows.Errno(code))
	}
	if sub.provider == raw.TCPIP {
		// Connections that are open: without this they are only known by what
		// happens to them. Windows before 8 does not know the request.
		C.closetrace_rundown(s.handle, id)
	}
	return nil
}

// also adds a second error to a first, on one line.
func also(err, more error) error {
	switch {
	case more == nil:
		return err
	case err == nil:
		return more
	default:
		return fmt.Errorf("%w; and %w", err, more)
	}
}
