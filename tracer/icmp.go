//go:build linux

package tracer

import (
	"golang.org/x/sys/unix"

	"github.com/closetrace/closetrace/bpf"
	"github.com/closetrace/closetrace/model"
)

// softError returns an error that did not end the attempt to connect: what the socket
// still has, or that of the ICMP error which came for its SYN.
func softError(e *bpf.TraceEnd) string {
	if e.SoftError != 0 || e.Icmp == 0 {
		return errno(e.SoftError)
	}
	kind, code := e.Icmp>>8, e.Icmp&0xff
	number := icmp6Error(kind, code)
	if isIPv4(e) {
		number = icmp4Error(kind, code)
	}
	if number == 0 {
		return ""
	}
	return unix.ErrnoName(number)
}

// isIPv4: also by an IPv6 socket.
func isIPv4(e *bpf.TraceEnd) bool { return address(e.Family, &e.Peer).Is4() }

// icmpWatched returns, for an end while connecting, whether every ICMP error about it is
// seen, or only those that its socket keeps.
func (t *translator) icmpWatched(e *bpf.TraceEnd) model.Opt[bool] {
	if model.State(e.Last) != model.SynSent {
		return model.Opt[bool]{}
	}
	if isIPv4(e) {
		return model.Some(t.seesICMP4)
	}
	return model.Some(t.seesICMP6)
}

// icmp4Error is tcp_v4_err() with icmp_err_convert; 0 if TCP ignores it.
func icmp4Error(kind, code uint16) unix.Errno {
	const unreachable, timeExceeded, parameterProblem, fragmentationNeeded = 3, 11, 12, 4
	table := [...]unix.Errno{
		unix.ENETUNREACH, unix.EHOSTUNREACH, unix.ENOPROTOOPT, unix.ECONNREFUSED, 0, unix.EOPNOTSUPP,
		unix.ENETUNREACH, unix.EHOSTDOWN, unix.ENONET, unix.ENETUNREACH, unix.EHOSTUNREACH,
		unix.ENETUNREACH, unix.EHOSTUNREACH, unix.EHOSTUNREACH, unix.EHOSTUNREACH, unix.EHOSTUNREACH,
	}
	switch {
	case kind == unreachable && code != fragmentationNeeded && int(code) < len(table):
		return table[code]
	case kind == timeExceeded:
		return unix.EHOSTUNREACH
	case kind == parameterProblem:
		return unix.EPROTO
	default:
		return 0
	}
}

// icmp6Error is tcp_v6_err() with icmpv6_err_convert(); 0 if TCP ignores it.
func icmp6Error(kind, code uint16) unix.Errno {
	const unreachable, timeExceeded, parameterProblem = 1, 3, 4
	table := [...]unix.Errno{
		unix.ENETUNREACH, unix.EACCES, unix.EHOSTUNREACH, unix.EHOSTUNREACH, unix.ECONNREFUSED, unix.EACCES, unix.EACCES,
	}
	switch {
	case kind == unreachable && int(code) < len(table):
		return table[code]
	case kind == timeExceeded:
		return unix.EHOSTUNREACH
	case kind == unreachable, kind == parameterProblem:
		return unix.EPROTO
	default:
		return 0
	}
}
