package etltest

import (
	"encoding/binary"
	"net/netip"
	"reflect"
	"testing"
	"unicode/utf16"

	"github.com/closetrace/closetrace/etwsrc/internal/manifest"
)

// Fields are the values of a payload by the manifest's names: numbers, byte
// slices, strings, and [netip.AddrPort] for a SOCKADDR. A length field is
// filled by the field that it measures; what is not given is zero.
type Fields map[string]any

// Manifest is the set of templates that payloads are made from.
type Manifest struct {
	events map[eventKey]manifest.Event
}

type eventKey struct {
	provider string
	id       uint16
	version  uint8
}

// Load reads the manifests.
func Load(tb testing.TB) *Manifest {
	tb.Helper()
	events, err := manifest.Events()
	if err != nil {
		tb.Fatal(err)
	}
	m := &Manifest{events: make(map[eventKey]manifest.Event)}
	for _, e := range events {
		m.events[eventKey{e.Provider, e.ID, e.Version}] = e
	}
	return m
}

// Payload lays out the values of one event.
func (m *Manifest) Payload(tb testing.TB, provider string, id uint16, version uint8, pointerSize int, values Fields) []byte {
	tb.Helper()
	event, ok := m.events[eventKey{provider, id, version}]
	if !ok {
		tb.Fatalf("no template for %s %d version %d", provider, id, version)
	}
	used := 0
	lengths := map[string]int{}
	for _, f := range event.Fields {
		if f.Size.Of != "" {
			lengths[f.Size.Of] = len(encode(tb, f, pointerSize, values[f.Name]))
		}
	}
	var b []byte
	for _, f := range event.Fields {
		value, given := values[f.Name]
		if n, ok := lengths[f.Name]; ok {
			value = n
		}
		if given {
			used++
		}
		b = append(b, encode(tb, f, pointerSize, value)...)
	}
	if used != len(values) {
		tb.Fatalf("%s %d version %d has not all the fields of %v", provider, id, version, values)
	}
	return b
}

func encode(tb testing.TB, f manifest.Field, pointerSize int, value any) []byte {
	tb.Helper()
	size := f.Size.Bytes + f.Size.Ptr*pointerSize
	switch v := value.(type) {
	case nil:
		if f.Type == "UnicodeString" {
			return []byte{0, 0}
		}
		return make([]byte, size)
	case []byte:
		return v
	case string:
		var b []byte
		for _, u := range append(utf16.Encode([]rune(v)), 0) {
			b = binary.LittleEndian.AppendUint16(b, u)
		}
		return b
	case netip.AddrPort:
		return SockAddr(v)
	default:
		var n uint64
		switch v := reflect.ValueOf(v); {
		case v.CanInt():
			n = uint64(v.Int())
		case v.CanUint():
			n = v.Uint()
		default:
			tb.Fatalf("field %s: value %v of type %T", f.Name, value, value)
		}
		return binary.LittleEndian.AppendUint64(nil, n)[:size]
	}
}

// SockAddr returns a as SOCKADDR_IN or SOCKADDR_IN6 (ws2def.h).
func SockAddr(a netip.AddrPort) []byte {
	if !a.IsValid() {
		return nil
	}
	if a.Addr().Is4() {
		b := binary.LittleEndian.AppendUint16(nil, 2)
		b = binary.BigEndian.AppendUint16(b, a.Port())
		b = append(b, a.Addr().AsSlice()...)
		return append(b, make([]byte, 8)...)
	}
	b := binary.LittleEndian.AppendUint16(nil, 23)
	b = binary.BigEndian.AppendUint16(b, a.Port())
	b = append(b, 0, 0, 0, 0)
	b = append(b, a.Addr().AsSlice()...)
	return append(b, 0, 0, 0, 0)
}
