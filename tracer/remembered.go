//go:build linux

package tracer

import (
	"runtime"
	"unsafe"

	"golang.org/x/sys/unix"
)

// remembered is memory for ends that the collector does not count: it lets the heap grow
// by a share of what it counts, and so would add half of these 13 MB. Pages that no
// end has used yet take none.
type remembered struct{ mapped []byte }

func newRemembered() *remembered {
	const size = recentMax * int(unsafe.Sizeof(ended{}))
	m := &remembered{}
	if mapped, err := unix.Mmap(-1, 0, size, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANONYMOUS); err == nil {
		m.mapped = mapped
		runtime.AddCleanup(m, func(mapped []byte) { _ = unix.Munmap(mapped) }, mapped)
	}
	return m
}

// more returns ends that were never used: at first all of the mapped memory, then, while
// more than that are held, a few of the heap. They are valid while m is.
func (m *remembered) more() []ended {
	if m.mapped == nil {
		return make([]ended, 64)
	}
	all := unsafe.Slice((*ended)(unsafe.Pointer(unsafe.SliceData(m.mapped))), recentMax)
	m.mapped = nil // used up
	return all
}
