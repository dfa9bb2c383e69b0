package etwsrc

// The structures of ETW (evntrace.h, evntcons.h, evntprov.h, wmistr.h) with the
// layout of 64-bit Windows, on every system, so that their sizes are tested on
// every system.

// wnodeHeader is WNODE_HEADER.
type wnodeHeader struct {
	bufferSize, providerID uint32
	historicalContext      uint64
	timeStamp              int64
	guid                   [16]byte
	clientContext, flags   uint32
}

// traceProperties is EVENT_TRACE_PROPERTIES.
type traceProperties struct {
	wnode                                                    wnodeHeader
	bufferSize, minimumBuffers, maximumBuffers               uint32
	maximumFileSize, logFileMode, flushTimer, enableFlags    uint32
	ageLimit                                                 int32
	numberOfBuffers, freeBuffers, eventsLost, buffersWritten uint32
	logBuffersLost, realTimeBuffersLost                      uint32
	loggerThreadID                                           uintptr
	logFileNameOffset, loggerNameOffset                      uint32
}

// namedProperties is what StartTrace, ControlTrace and QueryAllTraces take: the
// names follow.
type namedProperties struct {
	traceProperties
	logger, file [1024]uint16
}

// eventFilter is EVENT_FILTER_EVENT_ID with room for all events that are asked for.
type eventFilter struct {
	in, reserved uint8
	count        uint16
	ids          [64]uint16
}

// filterDescriptor is EVENT_FILTER_DESCRIPTOR.
type filterDescriptor struct {
	pointer    uint64
	size, kind uint32
}

// enableParameters is ENABLE_TRACE_PARAMETERS.
type enableParameters struct {
	version, enableProperty, controlFlags uint32
	sourceID                              [16]byte
	filters                               *filterDescriptor
	filterCount                           uint32
}

// eventRecord is EVENT_RECORD with its EVENT_HEADER.
type eventRecord struct {
	size, headerType, flags, property uint16
	threadID, processID               uint32
	timeStamp                         int64
	provider                          [16]byte
	id                                uint16
	version, channel, level, opcode   uint8
	task                              uint16
	keyword                           uint64
	processorTime                     uint64
	activity                          [16]byte
	bufferContext                     uint32
	extendedCount, dataLength         uint16
	extended, data                    *byte
	context                           uintptr
}

// traceLogfile is EVENT_TRACE_LOGFILEW: of EVENT_TRACE and TRACE_LOGFILE_HEADER,
// which it holds, only the size matters.
type traceLogfile struct {
	logFileName, loggerName        *uint16
	currentTime                    int64
	buffersRead, processTraceMode  uint32
	currentEvent                   [88 / 8]uint64
	header                         [280 / 8]uint64
	bufferCallback                 uintptr
	bufferSize, filled, eventsLost uint32
	eventCallback                  uintptr
	isKernelTrace                  uint32
	context                        uintptr
}
