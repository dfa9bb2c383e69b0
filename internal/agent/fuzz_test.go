package agent

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/klauspost/compress/zstd"
	dto "github.com/prometheus/client_model/go"
)

// FuzzSpool: whatever an earlier run or a damaged disk has left in the spool, it is read to
// its end in bounded memory, no count is negative, and what this run puts there comes out
// as it was, or is counted as lost with the damaged file that it was in.
func FuzzSpool(f *testing.F) {
	z, err := zstd.NewWriter(nil)
	if err != nil {
		f.Fatal(err)
	}
	batch := func(count uint32, lines []byte) []byte {
		raw := z.EncodeAll(lines, binary.BigEndian.AppendUint32(nil, count))
		return append(binary.BigEndian.AppendUint32(nil, uint32(len(raw))), raw...)
	}
	good := batch(2, []byte("one\ntwo\n"))
	for _, data := range [][]byte{
		nil, good, good[:len(good)-3], append(bytes.Clone(good), good...), batch(1<<32-1, []byte("x")), batch(1, make([]byte, 70<<20)),
		{0, 0, 0, 1, 0},
		{0xff, 0xff, 0xff, 0xff},
		{0, 0, 0, 5, 0, 0, 0, 1, 0x28},
		bytes.Repeat([]byte{0}, 100),
	} {
		f.Add(data, int16(1), int16(0), int16(0), int16(0), int16(len(data)))
		f.Add(data, int16(3), int16(0), int16(4), int16(1), int16(0))
	}
	f.Add(good, int16(-1), int16(-2), int16(-3), int16(-4), int16(-5))
	f.Fuzz(func(t *testing.T, data []byte, depth, readFile, readAt, writeFile, writeAt int16) {
		dir := t.TempDir()
		meta := fmt.Sprintf("%d\n%d,%d\n%d,%d\n", depth, readFile, readAt, writeFile, writeAt)
		if os.WriteFile(filepath.Join(dir, "closetrace.diskqueue.meta.dat"), []byte(meta), 0o600) != nil ||
			os.WriteFile(filepath.Join(dir, "closetrace.diskqueue.000000.dat"), data, 0o600) != nil {
			t.Fatal("no spool")
		}
		m := newMeter(&Options{MaxSeries: 10})
		s, err := openSpool(&Options{Spool: dir, SpoolSize: 1 << 20, Log: t.Logf}, m)
		if err != nil {
			return
		}
		var found, quiet bool
		want := []byte("a line of this run\n")
		s.put(parcel{lines: want, count: 1})
		for !found && !quiet {
			select {
			case raw := <-s.queue.ReadChan():
				p, ok := s.open(raw)
				found = ok && bytes.Equal(p.lines, want) && p.count == 1
				if len(p.lines) > 64<<20 || p.count < 0 {
					t.Fatalf("a batch of %d bytes, %d records", len(p.lines), p.count)
				}
			case <-time.After(300 * time.Millisecond):
				quiet = true // the depth need not be true
			}
			if s.bytes < 0 || s.old < 0 || s.in < 0 {
				t.Fatalf("%d bytes, %d old batches, %d records", s.bytes, s.old, s.in)
			}
		}
		left := s.queue.Depth()
		if err := s.close(); err != nil {
			t.Fatal(err)
		}
		lost := &dto.Metric{}
		if err := m.lost[lostDisk].Write(lost); err != nil {
			t.Fatal(err)
		}
		if !found && lost.Counter.GetValue() < 1 {
			t.Fatalf("what was put there neither comes out nor is lost; %d batches are left", left)
		}
	})
}
