//go:build linux

package process

import (
	"os"
	"testing"

	"github.com/closetrace/closetrace/tracer/process/processtest"
)

// BenchmarkDescribe is what an end costs whose owner is known already.
func BenchmarkDescribe(b *testing.B) {
	o := NewOwners(Options{})
	p, ok := programNow(os.Getpid())
	if !ok {
		b.Fatal("this process is not in /proc")
	}
	o.tree.add(4711, "/kubepods/besteffort/pod"+processtest.PodUID+"/"+processtest.ContainerID)
	b.ReportAllocs()
	for b.Loop() {
		f := factsOf(p.pid, p.name)
		o.Describe(&f, p.start*startTick, 4711, 0)
	}
}
