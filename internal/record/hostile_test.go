package record

import (
	"bytes"
	"encoding/binary"
	"errors"
	"slices"
	"testing"
	"time"
)

// TestHostileFrames reads files that were made to take long: the time grows only with the
// size, and no file is read for ever.
func TestHostileFrames(t *testing.T) {
	magic := []byte{0x28, 0xb5, 0x2f, 0xfd}
	block := func(kind, size uint32) []byte {
		return binary.LittleEndian.AppendUint32(nil, size<<3|kind<<1)[:3]
	}
	const raw, repeated = 0, 1
	header := slices.Concat(magic, []byte{0, 0x58}) // a window of 2 MiB
	newlines := slices.Concat(block(repeated, maxBlock), []byte("\n"))
	last := slices.Concat(block(repeated|1<<1, maxBlock), []byte("\n"))
	last[0] = newlines[0] | 1
	for _, c := range []struct {
		name        string
		begin, unit []byte
		grows       bool
	}{
		{name: "magic numbers", unit: magic},
		{name: "frames in frames", unit: slices.Concat(header, block(raw, 12))},
		{name: "frames in blocks", begin: slices.Concat(header, block(raw, 8)), unit: slices.Concat(magic, []byte{0, 0x58, 0x40, 0}, block(raw, 8))},
		{name: "empty blocks", begin: header, unit: block(raw, 0)},
		{name: "frames in frames of empty blocks", unit: slices.Concat(header, block(raw, 9), magic, []byte{0, 0x58}, block(raw, 0))},
		{name: "reserved blocks", unit: slices.Concat(header, block(raw, 1), []byte{0}, block(3, 1))},
		{name: "skippable frames", begin: slices.Concat(header, block(raw, 0)), unit: []byte{0x50, 0x2a, 0x4d, 0x18, 0, 0, 0, 0}},
		{name: "newlines", begin: header, unit: newlines, grows: true},
		{name: "frames of newlines", unit: slices.Concat(header, last), grows: true},
	} {
		t.Run(c.name, func(t *testing.T) {
			for _, size := range []int{144 << 10, 1 << 20, 50 << 20} {
				if size > 1<<20 && testing.Short() {
					continue
				}
				data := slices.Concat(c.begin, bytes.Repeat(c.unit, size/len(c.unit)))
				if len(c.begin) == 0 {
					data = slices.Concat(header, block(raw, 0), data) // known as zstd
				}
				start := time.Now()
				_, _, err := readBytes(data)
				took := time.Since(start)
				t.Logf("%d bytes: %v, %v", size, took.Round(time.Millisecond), err)
				if c.grows != errors.Is(err, errGrowth) {
					t.Errorf("%d bytes: got %v, want growth refused: %v", size, err, c.grows)
				}
				if limit := 5*time.Second + time.Duration(size)*time.Microsecond; took > limit {
					t.Errorf("%d bytes took %v, more than %v", size, took, limit)
				}
			}
		})
	}
}
