//go:build amd64 || arm64

package etwsrc

import (
	"runtime"
	"sync"
	"sync/atomic"
	"time"
	"unsafe"

	"golang.org/x/sys/windows"

	"github.com/closetrace/closetrace/etwsrc/internal/raw"
	"github.com/closetrace/closetrace/model"
)

// ETW's calls need no C compiler: syscall.NewCallback gives ProcessTrace its
// function. They are looked up when they are called, because Wine lacks some.
var (
	advapi32       = windows.NewLazySystemDLL("advapi32.dll")
	startTrace     = advapi32.NewProc("StartTraceW")
	controlTrace   = advapi32.NewProc("ControlTraceW")
	enableTraceEx2 = advapi32.NewProc("EnableTraceEx2")
	queryAllTraces = advapi32.NewProc("QueryAllTracesW")
	openTrace      = advapi32.NewProc("OpenTraceW")
	processTrace   = advapi32.NewProc("ProcessTrace")
	closeTrace     = advapi32.NewProc("CloseTrace")

	kernel32       = windows.NewLazySystemDLL("kernel32.dll")
	queryCounter   = kernel32.NewProc("QueryPerformanceCounter")
	queryFrequency = kernel32.NewProc("QueryPerformanceFrequency")
)

// The constants of evntrace.h and evntcons.h.
const (
	wnodeFlagTracedGUID      = 0x00020000
	clockQPC                 = 1
	realTimeMode             = 0x00000100 // EVENT_TRACE_REAL_TIME_MODE and PROCESS_TRACE_MODE_REAL_TIME
	modeRawTimestamp         = 0x00001000
	modeEventRecord          = 0x10000000
	controlQuery             = 0
	controlStop              = 1
	controlUpdate            = 2
	controlEnableProvider    = 1
	enableVersion1           = 1
	enableVersion2           = 2 // with filters
	filterTypeEventID        = 0x80000200
	invalidHandle            = ^uintptr(0)
	headerFlag32Bit          = 0x0020
	headerFlagClassic        = 0x0100
	mostSessions             = 64
	enableTimeoutMillisecond = 2000
)

// windowsSystem is the real system.
type windowsSystem struct{}

// call calls p if this Windows has it. Its arguments that are addresses stay
// where they are meanwhile.
//
//go:uintptrescapes
func call(p *windows.LazyProc, args ...uintptr) uint32 {
	if p.Find() != nil {
		return codeCallNotThere
	}
	code, _, _ := p.Call(args...)
	return uint32(code)
}

func newProperties() *namedProperties {
	p := &namedProperties{}
	p.wnode.bufferSize = uint32(unsafe.Sizeof(*p))
	p.loggerNameOffset = uint32(unsafe.Offsetof(p.logger))
	p.logFileNameOffset = uint32(unsafe.Offsetof(p.file))
	return p
}

func (b buffers) set(p *namedProperties) {
	p.wnode.clientContext, p.wnode.flags = clockQPC, wnodeFlagTracedGUID
	p.logFileMode, p.flushTimer = realTimeMode, 1
	p.bufferSize, p.minimumBuffers, p.maximumBuffers = b.size, b.least, b.most
	p.logFileNameOffset = 0 // there is no file
}

func (windowsSystem) start(name string, b buffers) (uint64, uint32) {
	text, err := windows.UTF16PtrFromString(name)
	if err != nil {
		return 0, codeInvalidParameter
	}
	p := newProperties()
	b.set(p)
	var handle uint64
	code := call(startTrace, uintptr(unsafe.Pointer(&handle)), uintptr(unsafe.Pointer(text)), uintptr(unsafe.Pointer(p)))
	if code != 0 {
		return 0, code
	}
	// Wine says that the session runs, and then knows nothing of it.
	p = newProperties()
	if code = call(controlTrace, uintptr(handle), 0, uintptr(unsafe.Pointer(p)), controlQuery); code == 0 && p.wnode.historicalContext == 0 {
		return 0, codeCallNotThere
	}
	return handle, code
}

func (windowsSystem) query(handle uint64) (losses, uint32) {
	p := newProperties()
	code := call(controlTrace, uintptr(handle), 0, uintptr(unsafe.Pointer(p)), controlQuery)
	return losses{p.eventsLost, p.realTimeBuffersLost}, code
}

func (windowsSystem) update(handle uint64, b buffers) uint32 {
	p := newProperties()
	b.set(p)
	return call(controlTrace, uintptr(handle), 0, uintptr(unsafe.Pointer(p)), controlUpdate)
}

func (windowsSystem) stop(name string) uint32 {
	text, err := windows.UTF16PtrFromString(name)
	if err != nil {
		return codeInvalidParameter
	}
	code := call(controlTrace, 0, uintptr(unsafe.Pointer(text)), uintptr(unsafe.Pointer(newProperties())), controlStop)
	if code == uint32(windows.ERROR_MORE_DATA) { // it is stopped, its names were too long to return
		return 0
	}
	return code
}

func (windowsSystem) enable(handle uint64, p raw.Provider, level uint8, any uint64, ids []uint16) uint32 {
	guid := p.GUID()
	parameters := enableParameters{version: enableVersion1}
	var filter eventFilter
	descriptor := filterDescriptor{kind: filterTypeEventID}
	var pin runtime.Pinner // the descriptor holds the filter's address as a number
	defer pin.Unpin()
	if len(ids) > 0 {
		filter.in, filter.count = 1, uint16(copy(filter.ids[:], ids))
		pin.Pin(&filter)
		descriptor.pointer, descriptor.size = uint64(uintptr(unsafe.Pointer(&filter))), uint32(4+2*len(ids))
		pin.Pin(&descriptor)
		parameters.version, parameters.filters, parameters.filterCount = enableVersion2, &descriptor, 1
	}
	return call(enableTraceEx2, uintptr(handle), uintptr(unsafe.Pointer(&guid)), controlEnableProvider, uintptr(level), uintptr(any), 0,
		enableTimeoutMillisecond, uintptr(unsafe.Pointer(&parameters)))
}

func (windowsSystem) sessions() ([]string, uint32) {
	all := make([]*namedProperties, mostSessions)
	var pin runtime.Pinner
	defer pin.Unpin()
	for i := range all {
		all[i] = newProperties()
		pin.Pin(all[i])
	}
	var count uint32
	code := call(queryAllTraces, uintptr(unsafe.Pointer(&all[0])), mostSessions, uintptr(unsafe.Pointer(&count)))
	if code != 0 && code != uint32(windows.ERROR_MORE_DATA) {
		return nil, code
	}
	var names []string
	for _, p := range all[:min(count, mostSessions)] {
		names = append(names, windows.UTF16ToString(p.logger[:]))
	}
	return names, 0
}

// consumers are the functions that take events, by the number that OpenTrace
// gives to the callback: a callback can't be freed, so that there is only one,
// and what it is called with must not be a pointer of Go's.
var (
	consumers    sync.Map
	lastConsumer atomic.Uintptr
	callback     = sync.OnceValue(func() uintptr { return windows.NewCallback(received) })
)

// received is called by ProcessTrace. The record is only valid meanwhile.
func received(r *eventRecord) uintptr {
	take, ok := consumers.Load(r.context)
	if !ok {
		return 0
	}
	e := r.event()
	take.(func(*raw.Event, int64))(&e, r.timeStamp)
	return 0
}

func (r *eventRecord) event() raw.Event {
	e := raw.Event{
		Provider: r.provider, Keyword: r.keyword, PID: r.processID, TID: r.threadID,
		ID: r.id, Version: r.version, Level: r.level, Opcode: r.opcode, PointerSize: 8,
	}
	if r.flags&headerFlag32Bit != 0 {
		e.PointerSize = 4
	}
	if r.flags&headerFlagClassic != 0 {
		e.ID = uint16(r.opcode)
	}
	if r.data != nil {
		e.Data = unsafe.Slice(r.data, int(r.dataLength))
	}
	return e
}

func (windowsSystem) process(name string, take func(*raw.Event, int64)) uint32 {
	text, err := windows.UTF16PtrFromString(name)
	if err != nil {
		return codeInvalidParameter
	}
	key := lastConsumer.Add(1)
	consumers.Store(key, take)
	defer consumers.Delete(key)
	var pin runtime.Pinner
	defer pin.Unpin()
	pin.Pin(text)
	file := &traceLogfile{
		loggerName: text, processTraceMode: realTimeMode | modeRawTimestamp | modeEventRecord,
		eventCallback: callback(), context: key,
	}
	if openTrace.Find() != nil || processTrace.Find() != nil {
		return codeCallNotThere
	}
	opened, _, failure := openTrace.Call(uintptr(unsafe.Pointer(file)))
	if opened == invalidHandle {
		if code, ok := failure.(windows.Errno); ok && code != 0 {
			return uint32(code)
		}
		return codeAccessDenied
	}
	handle := uint64(opened)
	defer call(closeTrace, opened)
	code := call(processTrace, uintptr(unsafe.Pointer(&handle)), 1, 0, 0)
	if code == uint32(windows.ERROR_CANCELLED) {
		return 0
	}
	return code
}

func (windowsSystem) ticks() int64 { return counter(queryCounter) }

func (windowsSystem) frequency() int64 { return counter(queryFrequency) }

func counter(p *windows.LazyProc) int64 {
	var n int64
	p.Call(uintptr(unsafe.Pointer(&n))) // never fails since Windows XP
	return n
}

func (windowsSystem) wall() model.Time { return model.TimeOf(time.Now()) }

func (windowsSystem) cpus() int { return runtime.NumCPU() }

func (windowsSystem) self() (pid uint32, began uint64) {
	pid = windows.GetCurrentProcessId()
	return pid, processBegan(pid)
}

func (windowsSystem) running(pid uint32, began uint64) bool {
	now := processBegan(pid)
	return now == began || now == unknownBegan
}

// unknownBegan: the process is there, and can't be asked.
const unknownBegan = ^uint64(0)

// processBegan returns when a process began, 0 if there is none of that number.
func processBegan(pid uint32) uint64 {
	h, err := windows.OpenProcess(windows.PROCESS_QUERY_LIMITED_INFORMATION, false, pid)
	if err == windows.ERROR_INVALID_PARAMETER {
		return 0
	}
	if err != nil {
		return unknownBegan
	}
	defer windows.CloseHandle(h)
	var created, exited, kernel, user windows.Filetime
	var code uint32
	if windows.GetProcessTimes(h, &created, &exited, &kernel, &user) != nil || windows.GetExitCodeProcess(h, &code) != nil {
		return unknownBegan
	}
	if code != stillActive {
		return 0
	}
	return uint64(created.HighDateTime)<<32 | uint64(created.LowDateTime)
}

const stillActive = 259 // STILL_ACTIVE
