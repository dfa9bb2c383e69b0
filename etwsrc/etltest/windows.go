package etltest

import (
	"slices"
	"testing"
	"time"

	"github.com/closetrace/closetrace/etwsrc/internal/raw"
)

// Windows is a release of Windows, with what its events look like.
type Windows struct {
	Name         string
	Major, Minor byte
	Build        uint32
	PointerSize  int
	// Sockets: the release has Microsoft-Windows-Winsock-Sockets.
	Sockets bool
	// WOW64: the process has 32 bits on a system of 64, so that the events of
	// its own calls have pointers of 4 bytes.
	WOW64 bool
	// release is its place in releases.
	release int
}

// releases are those at which windows-events.json saw an event change.
var releases = []string{
	"", "Windows 7", "Windows 10 1511", "Windows 10 1703", "Windows 10 1803", "Windows 10 1809", "Windows 10 1903",
	"Windows 10 2004", "Windows 11 21H2", "Windows 11 22H2", "Windows 11 24H2", "Windows 11 25H2",
}

// Releases are systems from Windows 7 to Windows 11 24H2, of 32 and 64 bits.
func Releases() []Windows {
	var list []Windows
	add := func(name string, major, minor byte, build uint32, sizes ...int) {
		at := slices.Index(releases, name)
		for _, size := range sizes {
			list = append(list, Windows{
				Name: name, Major: major, Minor: minor, Build: build, PointerSize: size,
				Sockets: at >= slices.Index(releases, "Windows 11 21H2"), release: at,
			})
		}
	}
	add("Windows 7", 6, 1, 7601, 4, 8)
	add("Windows 10 1511", 10, 0, 10586, 4, 8)
	add("Windows 10 2004", 10, 0, 19041, 4, 8)
	add("Windows 11 21H2", 10, 0, 22000, 8)
	add("Windows 11 24H2", 10, 0, 26100, 8)
	wow64 := list[len(list)-1]
	wow64.Name, wow64.WOW64 = wow64.Name+" WOW64", true
	return append(list, wow64)
}

// Builder lays out the events of one release.
type Builder struct {
	tb testing.TB
	m  *Manifest
	// Windows is the release.
	Windows
	// Base is added to the time of each event.
	Base   time.Duration
	Events []Event
}

// NewBuilder returns a builder without events.
func NewBuilder(tb testing.TB, w Windows) *Builder {
	return &Builder{tb: tb, m: Load(tb), Windows: w}
}

// Has reports whether the release has the event. The events of the kernel
// logger are in all of them; those that were first listed for Windows 10 1511,
// where the list begins, were in Windows 7 as well.
func (b *Builder) Has(provider string, id uint16) bool {
	_, ok := b.version(provider, id)
	return ok
}

func (b *Builder) version(provider string, id uint16) (uint8, bool) {
	for v := 9; v >= 0; v-- {
		e, ok := b.m.events[eventKey{provider, id, uint8(v)}]
		if !ok {
			continue
		}
		first := slices.Index(releases, e.FirstSeen)
		if first <= b.release || e.FirstSeen == "Windows 10 1511" {
			return uint8(v), true
		}
	}
	return 0, false
}

// Add adds one event of a thread. Events that the release has not are left out.
func (b *Builder) Add(at time.Duration, pid, tid uint32, provider raw.Provider, id uint16, fields Fields) {
	b.tb.Helper()
	version, ok := b.version(provider.String(), id)
	if !ok {
		return
	}
	keyword := uint64(0x84)
	if provider == raw.AFD {
		keyword = 0x6
	}
	size := b.PointerSize
	if provider == raw.Sockets && b.WOW64 {
		size = 4
	}
	b.Events = append(b.Events, Event{
		At: b.Base + at, CPU: int(tid) % 4, Provider: provider.GUID(), ID: id, Version: version, Level: 4,
		Keyword: 1<<63 | keyword, PID: pid, TID: tid, PointerSize: size,
		Data: b.m.Payload(b.tb, provider.String(), id, version, size, fields),
	})
}

// Trace returns the events as a trace of the release.
func (b *Builder) Trace() *Trace {
	list := slices.Clone(b.Events)
	slices.SortStableFunc(list, func(a, c Event) int { return int(a.At - c.At) })
	return &Trace{Major: b.Major, Minor: b.Minor, Build: b.Build, PointerSize: b.PointerSize, Events: list}
}
