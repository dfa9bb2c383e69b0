package services

import (
	"encoding/binary"
	"maps"
	"strings"
	"testing"
	"unicode/utf16"
)

const address = 0x7FF6_1234_0000

type service struct {
	name string
	pid  uint32
}

// answer makes what EnumServicesStatusEx writes: the rows from the begin, the
// names from the end.
func answer(size int, list ...service) []byte {
	b := make([]byte, size)
	end := size
	for i, s := range list {
		row := b[i*56:]
		wide := utf16.Encode([]rune(s.name + "\x00"))
		end -= 2 * len(wide)
		for k, unit := range wide {
			binary.LittleEndian.PutUint16(b[end+2*k:], unit)
		}
		binary.LittleEndian.PutUint64(row, address+uint64(end))
		binary.LittleEndian.PutUint64(row[8:], address+uint64(end))
		binary.LittleEndian.PutUint32(row[16:], 0x20) // SERVICE_WIN32_SHARE_PROCESS
		binary.LittleEndian.PutUint32(row[20:], 4)    // SERVICE_RUNNING
		binary.LittleEndian.PutUint32(row[44:], s.pid)
		binary.LittleEndian.PutUint32(row[48:], 1)
	}
	return b
}

func decode(b []byte, count uint32) map[int]string {
	n := names{}
	n.add(b, address, count)
	return n.joined()
}

func TestServicesOfOneProcessAreNamedTogether(t *testing.T) {
	b := answer(1024, service{"LanmanServer", 900}, service{"Dnscache", 1234}, service{"BFE", 900}, service{"Dienst-ä𝄞", 7}, service{"stopped", 0})
	want := map[int]string{900: "BFE,LanmanServer", 1234: "Dnscache", 7: "Dienst-ä𝄞"}
	if got := decode(b, 5); !maps.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

func TestHostileAnswersNameNothing(t *testing.T) {
	one := func(change func(b []byte)) []byte {
		b := answer(128, service{"Dnscache", 9})
		change(b)
		return b
	}
	put := binary.LittleEndian.PutUint64
	for name, b := range map[string][]byte{
		"empty":             nil,
		"half a row":        answer(128, service{"Dnscache", 9})[:55],
		"name before":       one(func(b []byte) { put(b, address-2) }),
		"name nowhere":      one(func(b []byte) { put(b, 0) }),
		"name at the end":   one(func(b []byte) { put(b, address+128) }),
		"name's last byte":  one(func(b []byte) { put(b, address+127) }),
		"name far away":     one(func(b []byte) { put(b, 1<<64-1) }),
		"name without end":  one(func(b []byte) { b[126] = 'x' }),
		"name that is long": answer(1024, service{strings.Repeat("x", 257), 9}),
	} {
		if got := decode(b, 1); len(got) != 0 {
			t.Errorf("%s: got %v, want nothing", name, got)
		}
	}
	if got := decode(answer(1024, service{"Dnscache", 9}), 1<<32-1); got[9] != "Dnscache" {
		t.Errorf("of a count that is too large: %v, want what is there", got)
	}
}

// FuzzAdd: no answer makes it panic or name more than it has room for.
func FuzzAdd(f *testing.F) {
	f.Add(answer(256, service{"Dnscache", 9}, service{"BFE", 900}), uint64(address), uint32(2))
	f.Fuzz(func(t *testing.T, b []byte, at uint64, count uint32) {
		n := names{}
		n.add(b, at, count)
		if len(n) > len(b)/rowSize {
			t.Errorf("%d processes in %d bytes", len(n), len(b))
		}
	})
}
