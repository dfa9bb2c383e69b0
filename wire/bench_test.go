package wire_test

import (
	"bytes"
	"testing"
	"time"

	"github.com/closetrace/closetrace/model"
	"github.com/closetrace/closetrace/wire"
	"github.com/closetrace/closetrace/wire/wiretest"
)

var begin = time.Date(2026, 11, 20, 17, 23, 0, 0, time.UTC)

// BenchmarkRead reads a capture of a busy host, from packets to judged ends.
func BenchmarkRead(b *testing.B) {
	var file bytes.Buffer
	m := wiretest.New(&file, begin)
	m.Traffic(64 << 20)
	b.SetBytes(m.Written)
	b.ReportAllocs()
	for b.Loop() {
		f, _, err := wire.Open(bytes.NewReader(file.Bytes()), "made", wire.Options{})
		if err != nil {
			b.Fatal(err)
		}
		ends := 0
		for r, err := range model.Judged(f.Events(b.Context())) {
			if err != nil {
				b.Fatal(err)
			}
			if r.Kind == model.KindTeardown {
				ends++
			}
		}
		b.ReportMetric(float64(ends), "ends")
	}
}
