//go:build linux

package tracer

import (
	"time"

	"github.com/cilium/ebpf"
	"golang.org/x/sys/unix"
)

// ownListener is what the program on inet_sock_set_state sees of a listening socket of
// our own.
type ownListener struct {
	port      variable // hertz_port
	hertz100  variable
	monotonic variable // hertz_monotonic
	boottime  variable // hertz_boottime
}

func newOwnListener(objects *ebpf.Collection) *ownListener {
	v := objects.Variables
	return &ownListener{v["hertz_port"], v["hertz100"], v["hertz_monotonic"], v["hertz_boottime"]}
}

// learnt is what it shows of the kernel; zero if it shows nothing.
type learnt struct {
	// hertz is CONFIG_HZ, the unit of sk_lingertime.
	hertz uint32
	// ahead is how far the kernel's clocks are ahead of this process's.
	ahead timeNamespace
	// port is that of the listener; 0 if there could be none.
	port int
}

// timeNamespace is the distance of clocks in ns: time_namespaces(7).
type timeNamespace struct{ monotonic, boottime int64 }

// learn listens on a port of its own with SO_LINGER {1,100}; that the program sees it
// also shows that the hook is live.
func (l *ownListener) learn(now clocks) (found learnt) {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return found
	}
	defer unix.Close(fd)
	linger := unix.Linger{Onoff: 1, Linger: 100}
	if unix.SetsockoptLinger(fd, unix.SOL_SOCKET, unix.SO_LINGER, &linger) != nil {
		return found
	}
	_ = unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_LINGER2, ownLinger2) // the rest is for checkOwn
	_ = unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_USER_TIMEOUT, ownUserTimeout)
	port, ok := bindAnyPort(fd)
	before := now.both()
	if !ok || l.port.Set(uint32(port)) != nil || unix.Listen(fd, 0) != nil || l.port.Set(uint32(0)) != nil {
		return found
	}
	after := now.both()
	found.port = port
	var hundred, monotonic, boottime uint64
	if l.hertz100.Get(&hundred) != nil || l.monotonic.Get(&monotonic) != nil || l.boottime.Get(&boottime) != nil || hundred == 0 {
		return found
	}
	found.hertz = uint32(hundred / 100)
	found.ahead = timeNamespace{
		ahead(int64(monotonic), before.monotonic, after.monotonic), ahead(int64(boottime), before.boottime, after.boottime),
	}
	return found
}

// ahead returns how far a clock that was read between two readings of another one is
// ahead of that; 0 without a time namespace.
func ahead(at, before, after int64) int64 {
	if at >= before && at <= after {
		return 0
	}
	return int64(time.Duration(at - before - (after-before)/2).Round(clockUnit))
}

// clockUnit: offsets of time namespaces are usually whole seconds, and an error here
// would shift all times.
const clockUnit = time.Millisecond

func (now clocks) both() timeNamespace {
	return timeNamespace{now(unix.CLOCK_MONOTONIC), now(unix.CLOCK_BOOTTIME)}
}

// kernels returns the kernel's own clocks, as its messages have them.
func (now clocks) kernels(ahead timeNamespace) clocks {
	if ahead == (timeNamespace{}) {
		return now
	}
	return func(id int32) int64 {
		switch id {
		case unix.CLOCK_MONOTONIC:
			return now(id) + ahead.monotonic
		case unix.CLOCK_BOOTTIME:
			return now(id) + ahead.boottime
		default:
			return now(id)
		}
	}
}

// bindAnyPort prefers the loopback address, which a namespace may lack.
func bindAnyPort(fd int) (port int, ok bool) {
	if unix.Bind(fd, &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}) != nil && unix.Bind(fd, &unix.SockaddrInet4{}) != nil {
		return 0, false
	}
	name, err := unix.Getsockname(fd)
	if err != nil {
		return 0, false
	}
	inet, ok := name.(*unix.SockaddrInet4)
	if !ok {
		return 0, false
	}
	return inet.Port, true
}
