//go:build linux

package tracer

import (
	"encoding/binary"
	"fmt"
	"unsafe"

	"github.com/closetrace/closetrace/bpf"
)

// message is one decoded record of the ring buffer: either end or later is set.
type message struct {
	kind  bpf.TraceMessage
	end   bpf.TraceEnd
	later bpf.TraceLater
}

// decode reads a record of the ring buffer into m. The record is copied: the
// ring reuses its memory.
func (m *message) decode(raw []byte) error {
	if len(raw) < 4 {
		return fmt.Errorf("message of %d bytes is shorter than its header of 4", len(raw))
	}
	m.kind = bpf.TraceMessage(binary.NativeEndian.Uint32(raw))
	switch m.kind {
	case bpf.TraceMessageMESSAGE_END, bpf.TraceMessageMESSAGE_LINGER, bpf.TraceMessageMESSAGE_LEFT:
		return decodeInto(&m.end, raw)
	default:
		return decodeInto(&m.later, raw)
	}
}

// decodeInto copies raw into a struct that bpf2go made from the C type; the
// kernel and this program agree on its layout.
func decodeInto[T bpf.TraceEnd | bpf.TraceLater](to *T, raw []byte) error {
	if size := int(unsafe.Sizeof(*to)); len(raw) < size {
		return fmt.Errorf("message of %d bytes is shorter than the %d of its type", len(raw), size)
	}
	*to = *(*T)(unsafe.Pointer(unsafe.SliceData(raw))) // size checked; the ring aligns to 8
	return nil
}

// time returns when the message was sent, as the kernel's monotonic clock.
func (m *message) time() ktime {
	switch m.kind {
	case bpf.TraceMessageMESSAGE_END:
		return ktime(m.end.Ended)
	case bpf.TraceMessageMESSAGE_LINGER:
		return ktime(m.end.CloseBegan)
	case bpf.TraceMessageMESSAGE_LEFT:
		return ktime(m.end.CloseBegan).add(microseconds(m.end.LeftUs))
	default:
		return ktime(m.later.Time)
	}
}
