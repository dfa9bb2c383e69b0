package etwsrc

import (
	"bytes"
	"runtime"
	"testing"
	"time"

	"github.com/closetrace/closetrace/etwsrc/etltest"
	"github.com/closetrace/closetrace/model"
)

// load is a trace of n connections that are opened and closed, 50 of them open
// at any time, with 10 to 14 events each.
func load(tb testing.TB, n int) (data []byte, events int) {
	b := etltest.NewBuilder(tb, etltest.Releases()[7])
	for i := range n {
		c := connection(b, i%40_000)
		c.TCB, c.Endpoint, c.Socket = uint64(0x8bdd0000+i%4000*0x100), uint64(0x60060000+i%4000*0x100), uint64(0x200+i%4000*4)
		b.Base = time.Duration(i) * 10 * ms
		s := closes[i%4]
		if i%2 == 1 {
			s = ends[i%5]
		}
		s.play(c)
	}
	tr := b.Trace()
	tr.BufferSize = 64 << 10
	return tr.Bytes(), len(b.Events)
}

// BenchmarkFile decodes, joins and judges on one core.
func BenchmarkFile(b *testing.B) {
	data, events := load(b, 4000)
	runtime.GC()
	b.SetBytes(int64(len(data)))
	b.ReportAllocs()
	ends := 0
	for b.Loop() {
		f, err := NewFile(bytes.NewReader(data), int64(len(data)))
		if err != nil {
			b.Fatal(err)
		}
		for r, err := range model.Judged(f.Events(b.Context())) {
			if err != nil {
				b.Fatal(err)
			}
			if r.Kind == model.KindTeardown {
				ends++
			}
		}
	}
	b.ReportMetric(float64(events)*float64(b.N)/b.Elapsed().Seconds(), "events/s")
	b.ReportMetric(float64(ends)/b.Elapsed().Seconds(), "ends/s")
}

// Memory depends on the connections that are open, not on those that were.
func TestMemoryIsBoundedByOpenConnections(t *testing.T) {
	var before int
	for _, n := range []int{2000, 8000} {
		data, _ := load(t, n)
		f, err := NewFile(bytes.NewReader(data), int64(len(data)))
		if err != nil {
			t.Fatal(err)
		}
		most, ends := 0, 0
		for _, err := range f.Events(t.Context()) {
			if err != nil {
				t.Fatal(err)
			}
			ends++
			most = max(most, f.joiner.Open())
		}
		if ends < n*9/10 {
			t.Errorf("%d ends, want about %d", ends, n)
		}
		if before != 0 && most > before*11/10 {
			t.Errorf("%d connections are held of %d, %d of fewer", most, n, before)
		}
		before = most
	}
}
