package sockets

import (
	"os"
	"runtime"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// foresee says what will end each connection, by what its holder showed of the socket's own
// limits, and by the sysctls of its network namespace, or of ours where there is no way in.
func foresee(all []Conn, spaces spaces) {
	of := map[uint32]Limits{}
	for i := range all {
		c := &all[i]
		if c.Transport != "tcp" || c.TCP.Timer.Name == "" && c.Silent.Or(0) < closeWaitLeast {
			continue // nothing that ends it
		}
		l, known := of[c.Network.NetNS]
		if !known {
			l = spaces.limits(c.Network.NetNS)
			of[c.Network.NetNS] = l
		}
		c.Doom = Doomed(c, l.of(&c.limits))
	}
}

// of returns l with a socket's own limits, if they are known.
func (l Limits) of(socket *Limits) Limits {
	for to, n := range map[*int]int{
		&l.Retries2: socket.Retries2, &l.KeepaliveProbes: socket.KeepaliveProbes,
		&l.SYNRetries: socket.SYNRetries, &l.SYNLinear: socket.SYNLinear,
	} {
		if n > 0 {
			*to = n
		}
	}
	for to, d := range map[*time.Duration]time.Duration{
		&l.KeepaliveInterval: socket.KeepaliveInterval, &l.UserTimeout: socket.UserTimeout, &l.RTOMax: socket.RTOMax,
	} {
		if d > 0 {
			*to = d
		}
	}
	return l
}

// limits reads the sysctls of a namespace. /proc/sys/net is that of the thread which opens it.
func (s spaces) limits(inode uint32) Limits {
	for n := range s.all {
		if n.inode != inode || n.file == nil {
			continue
		}
		read := make(chan Limits, 1)
		go func() {
			runtime.LockOSThread() // never unlocked: the thread ends with the goroutine
			_ = unix.Setns(int(n.file.Fd()), unix.CLONE_NEWNET)
			read <- readLimits()
		}()
		return <-read
	}
	return readLimits()
}

// readLimits reads the sysctls of this thread's namespace; the kernel's defaults stand for
// those that it lacks.
func readLimits() Limits {
	l := defaults()
	for name, to := range map[string]*int{
		"tcp_retries2": &l.Retries2, "tcp_keepalive_probes": &l.KeepaliveProbes, "tcp_orphan_retries": &l.OrphanRetries,
		"tcp_syn_retries": &l.SYNRetries, "tcp_syn_linear_timeouts": &l.SYNLinear,
	} {
		if n, ok := sysctl(name); ok {
			*to = n
		}
	}
	for name, to := range map[string]*time.Duration{"tcp_keepalive_intvl": &l.KeepaliveInterval, "tcp_fin_timeout": &l.FinTimeout} {
		if n, ok := sysctl(name); ok {
			*to = time.Duration(n) * time.Second
		}
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
