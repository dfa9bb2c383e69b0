package sockets

import (
	"time"

	"golang.org/x/sys/unix"

	"github.com/closetrace/closetrace/model"
)

// readLingers asks each socket for SO_LINGER through a copy of its descriptor
// (pidfd_getfd, since 5.6; needs CAP_SYS_PTRACE or the same user).
//
// The copy lives for four system calls. Should its owner close the socket
// just then, the close happens when the copy is closed, in our process; a BPF
// iterator (Options.Held) has no such side effect and is preferred.
func readLingers(pid, dir int, held []Held, wanted map[uint32]*Conn) {
	process, err := unix.PidfdOpen(pid, 0)
	if err != nil {
		return
	}
	defer unix.Close(process)
	if _, alive := readAt(dir, "stat"); !alive { // the PID was reused before pidfd_open
		return
	}
	for i := range held {
		h := &held[i]
		c := wanted[h.Inode]
		if c == nil || c.key.protocol != protocolTCP || c.Linger.On.Known() {
			continue
		}
		fd, err := unix.PidfdGetfd(process, h.Descriptor, 0)
		if err != nil {
			if err == unix.EPERM {
				return
			}
			continue // closed meanwhile
		}
		readLinger(fd, h, c.Socket.Cookie)
		_ = unix.Close(fd)
	}
}

// readLinger reads the options, if the descriptor is still that socket.
func readLinger(fd int, h *Held, cookie uint64) {
	if protocol, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_PROTOCOL); err == nil && protocol == unix.IPPROTO_MPTCP {
		h.MPTCP = true // the listed socket is a subflow of this one
		return
	}
	number, err := unix.GetsockoptUint64(fd, unix.SOL_SOCKET, unix.SO_COOKIE)
	if err != nil || number != cookie {
		return
	}
	l, err := unix.GetsockoptLinger(fd, unix.SOL_SOCKET, unix.SO_LINGER)
	if err != nil {
		return
	}
	h.Linger = lingerOf(l.Onoff != 0, int64(l.Linger))
	if seconds, err := unix.GetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_LINGER2); err == nil {
		h.Linger2 = model.Some(seconds)
	}
	if on, err := unix.GetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_REPAIR); err == nil {
		h.Repair = on == 1
	}
	h.Limits = socketLimits(fd)
}

// socketLimits asks for a socket's own limits; where it has none, these are its namespace's.
// There is no option for tcp_retries2.
func socketLimits(fd int) Limits {
	get := func(option int) int {
		n, err := unix.GetsockoptInt(fd, unix.IPPROTO_TCP, option)
		if err != nil {
			return 0
		}
		return n
	}
	const rtoMaxMs = 44 // TCP_RTO_MAX_MS, since 6.15
	return Limits{
		KeepaliveProbes: get(unix.TCP_KEEPCNT), KeepaliveInterval: time.Duration(get(unix.TCP_KEEPINTVL)) * time.Second,
		UserTimeout: time.Duration(get(unix.TCP_USER_TIMEOUT)) * time.Millisecond,
		SYNRetries:  get(unix.TCP_SYNCNT), RTOMax: time.Duration(get(rtoMaxMs)) * time.Millisecond,
	}
}

// lingerOf translates SO_LINGER as the kernel gives it back. A negative time
// was stored as MAX_SCHEDULE_TIMEOUT jiffies: what getsockopt makes of that is
// LONG_MAX/HZ cut to 32 bits, negative but for HZ=100.
func lingerOf(on bool, seconds int64) model.Linger {
	const foreverAt100Hz = (1<<63 - 1) / 100 & (1<<32 - 1)
	l := model.Linger{On: model.Some(on)}
	switch {
	case !on:
	case seconds < 0, seconds == foreverAt100Hz:
		l.Seconds = model.Some(-1)
	default:
		l.Seconds = model.Some(int(seconds))
	}
	return l
}
