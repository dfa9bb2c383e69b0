package sockets

import (
	"os"
	"strconv"
	"strings"
	"time"
)

// foresee says what will end each connection. What a socket's holder did not show of its
// limits is that of our own namespace.
func foresee(all []Conn) {
	own := readLimits()
	for i := range all {
		l, c := own, &all[i]
		if c.limits.Retries2 > 0 {
			l.Retries2, l.UserTimeout = c.limits.Retries2, c.limits.UserTimeout
		}
		if c.limits.KeepaliveProbes > 0 && c.limits.KeepaliveInterval > 0 {
			l.KeepaliveProbes, l.KeepaliveInterval = c.limits.KeepaliveProbes, c.limits.KeepaliveInterval
		}
		c.Doom = Doomed(c, l)
	}
}

// readLimits reads the sysctls of our namespace; the kernel's defaults stand for those that
// it lacks.
func readLimits() Limits {
	l := defaults()
	for name, to := range map[string]*int{
		"tcp_retries2": &l.Retries2, "tcp_keepalive_probes": &l.KeepaliveProbes,
		"tcp_syn_retries": &l.SYNRetries, "tcp_syn_linear_timeouts": &l.SYNLinear,
	} {
		if n, ok := sysctl(name); ok {
			*to = n
		}
	}
	if n, ok := sysctl("tcp_orphan_retries"); ok && n > 0 { // 0 is 8
		l.OrphanRetries = n
	}
	if n, ok := sysctl("tcp_keepalive_intvl"); ok {
		l.KeepaliveInterval = time.Duration(n) * time.Second
	}
	if n, ok := sysctl("tcp_rto_max_ms"); ok && n > 0 { // since 6.15
		l.RTOMax = time.Duration(n) * time.Millisecond
	}
	return l
}

func sysctl(name string) (int, bool) {
	text, err := os.ReadFile("/proc/sys/net/ipv4/" + name)
	if err != nil {
		return 0, false
	}
	n, err := strconv.Atoi(strings.TrimSpace(string(text)))
	return n, err == nil
}
