package lab

import (
	"bytes"
	"errors"
	"fmt"
	"net/netip"
	"os"

	"golang.org/x/sys/unix"
)

// probe says why the kernel does not offer a feature. It runs in the
// scenario's namespace.
func probe(f Feature) error {
	switch f {
	case SockDestroy:
		return probeDestroy()
	case IPv6:
		return tryBind(netip.AddrPortFrom(loopback6, 0))
	case GlobalSysctl:
		return nil // the parent has seen to it
	case RTOMax:
		_, err := os.Stat("/proc/sys/net/ipv4/tcp_rto_max_ms")
		return err
	case IOURing:
		return probeRing()
	case KTLS:
		return probeULP("tls")
	case Tunnel:
		return probeTunnel()
	case Firewall:
		return probeFirewall()
	case NAT:
		return probeNAT()
	case MPTCP:
		return probeMPTCP()
	default:
		return fmt.Errorf("unknown feature %q", f)
	}
}

func tryBind(address netip.AddrPort) error {
	fd, err := unix.Socket(unix.AF_INET6, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("open socket: %w", err)
	}
	defer unix.Close(fd)
	return unix.Bind(fd, sockaddr(address))
}

// probeULP looks for an upper layer protocol. Without a connection, one that
// exists says that the socket is not connected (tls_init).
func probeULP(name string) error {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, unix.IPPROTO_TCP)
	if err != nil {
		return fmt.Errorf("open socket: %w", err)
	}
	defer unix.Close(fd)
	if err := unix.SetsockoptString(fd, unix.SOL_TCP, unix.TCP_ULP, name); !errors.Is(err, unix.ENOTCONN) {
		return fmt.Errorf("set upper layer protocol %s: %w", name, err)
	}
	return nil
}

func probeMPTCP() error {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, unix.IPPROTO_MPTCP)
	if err != nil {
		return fmt.Errorf("open socket: %w", err)
	}
	return unix.Close(fd)
}

// timeWaitResetTraced reports whether the tracepoint tcp_send_reset fires for
// resets by TIME_WAIT minisocks. It came with the reasons of resets, whose
// names are in the kernel's type information.
func timeWaitResetTraced() bool { return kernelHas("SK_RST_REASON_") }

// icmpSendTraced reports whether a tracepoint shows ICMP errors over IPv4 that the
// kernel sends: icmp_send, since 6.10.
func icmpSendTraced() bool { return kernelHas("btf_trace_icmp_send") }

func kernelHas(name string) bool {
	btf, err := os.ReadFile("/sys/kernel/btf/vmlinux")
	return err == nil && bytes.Contains(btf, []byte(name))
}
