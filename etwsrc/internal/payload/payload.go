package payload

import (
	"encoding/binary"
	"fmt"
	"net/netip"

	"github.com/closetrace/closetrace/etwsrc/internal/raw"
	"github.com/closetrace/closetrace/model"
)

// Payload is a decoded payload. It is valid until the next Decode.
type Payload struct {
	data   []byte
	fields []field
	// ends[i] is where field i ends and field i+1 begins.
	ends [maxFields]uint32
}

// ShortError: a payload ends before its template does.
type ShortError struct {
	Provider raw.Provider
	ID       uint16
	Version  uint8
	// Field is the first one that does not fit, Need the size that would hold it.
	Field     Field
	Need, Got int
}

// Error implements error.
func (e *ShortError) Error() string {
	return fmt.Sprintf("decode %v event %d version %d: %v needs %d bytes, payload has %d",
		e.Provider, e.ID, e.Version, e.Field, e.Need, e.Got)
}

// UnknownError: the table has no template for an event.
type UnknownError struct {
	Provider raw.Provider
	ID       uint16
	Version  uint8
}

// Error implements error.
func (e *UnknownError) Error() string {
	return fmt.Sprintf("decode %v event %d version %d: no template", e.Provider, e.ID, e.Version)
}

// split finds where each field ends.
func (p *Payload) split(t *template, e *raw.Event) error {
	p.data, p.fields = e.Data, t.fields
	size, at := uint64(len(e.Data)), uint64(0)
	for i := range t.fields {
		f := &t.fields[i]
		switch f.kind {
		case fixed:
			at += uint64(f.n)
		case pointer:
			at += uint64(e.PointerSize)
		case sized:
			at += p.uintAt(int(f.n))
		case text:
			at += textSize(p.data[at:])
		}
		if at > size {
			return &ShortError{t.provider, t.id, t.version, f.name, int(min(at, 1<<31)), len(e.Data)}
		}
		p.ends[i] = uint32(at)
	}
	return nil
}

// textSize returns the size of the NUL-terminated UTF-16 string that b begins with.
func textSize(b []byte) uint64 {
	for i := 0; i+1 < len(b); i += 2 {
		if b[i] == 0 && b[i+1] == 0 {
			return uint64(i) + 2
		}
	}
	return uint64(len(b))
}

func (p *Payload) at(i int) []byte {
	var from uint32
	if i > 0 {
		from = p.ends[i-1]
	}
	return p.data[from:p.ends[i]]
}

func (p *Payload) uintAt(i int) uint64 {
	switch b := p.at(i); len(b) {
	case 1:
		return uint64(b[0])
	case 2:
		return uint64(binary.LittleEndian.Uint16(b))
	case 4:
		return uint64(binary.LittleEndian.Uint32(b))
	case 8:
		return binary.LittleEndian.Uint64(b)
	default:
		return 0
	}
}

func (p *Payload) find(name Field) int {
	for i := range p.fields {
		if p.fields[i].name == name {
			return i
		}
	}
	return -1
}

// Uint returns the number in the field, and whether the template has it.
func (p *Payload) Uint(name Field) (uint64, bool) {
	if i := p.find(name); i >= 0 {
		return p.uintAt(i), true
	}
	return 0, false
}

// Uint32 is Uint for a field of 32 bits; 0 if there is none.
func (p *Payload) Uint32(name Field) uint32 {
	v, _ := p.Uint(name)
	return uint32(v)
}

// Pointer is Uint for an address in the kernel or a handle; 0 if there is none.
func (p *Payload) Pointer(name Field) uint64 {
	v, _ := p.Uint(name)
	return v
}

// Bytes returns the field as it is, or nil. The slice is part of the event.
func (p *Payload) Bytes(name Field) []byte {
	if i := p.find(name); i >= 0 {
		return p.at(i)
	}
	return nil
}

// Address returns the SOCKADDR in the field; the zero Endpoint if there is
// none or it is not of TCP/IP.
func (p *Payload) Address(name Field) model.Endpoint { return SockAddr(p.Bytes(name)) }

// SockAddr decodes a SOCKADDR_IN (16 bytes) or SOCKADDR_IN6 (28 bytes): the
// family in the byte order of the machine, the port in that of the network
// (ws2def.h). IPv4-mapped addresses become IPv4; scope ids are left out,
// because they are numbers of this machine's interfaces.
func SockAddr(b []byte) model.Endpoint {
	const inet, inet6 = 2, 23
	if len(b) < 8 {
		return model.Endpoint{}
	}
	port := binary.BigEndian.Uint16(b[2:])
	switch binary.LittleEndian.Uint16(b) {
	case inet:
		return model.Endpoint{Address: netip.AddrFrom4([4]byte(b[4:8])), Port: port}
	case inet6:
		if len(b) < 24 {
			return model.Endpoint{}
		}
		return model.Endpoint{Address: netip.AddrFrom16([16]byte(b[8:24])).Unmap(), Port: port}
	default:
		return model.Endpoint{}
	}
}

// NetAddress returns an address of the kernel logger (4 or 16 bytes) with its
// port, both in the byte order of the network.
func (p *Payload) NetAddress(address, port Field) model.Endpoint {
	a, ok := netip.AddrFromSlice(p.Bytes(address))
	b := p.Bytes(port)
	if !ok || len(b) != 2 {
		return model.Endpoint{}
	}
	return model.Endpoint{Address: a.Unmap(), Port: binary.BigEndian.Uint16(b)}
}
