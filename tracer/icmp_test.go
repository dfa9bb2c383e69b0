//go:build linux

package tracer

import (
	"testing"

	"golang.org/x/sys/unix"

	"github.com/closetrace/closetrace/bpf"
)

// TestSoftErrorOfICMP: the errors are those that programs get, by icmp_err_convert
// (net/ipv4/icmp.c) and tab_unreach (net/ipv6/icmp.c).
func TestSoftErrorOfICMP(t *testing.T) {
	ipv4 := bpf.TraceEnd{Family: unix.AF_INET}
	mapped := bpf.TraceEnd{Family: unix.AF_INET6, Peer: [16]byte{10: 0xff, 11: 0xff, 12: 127, 15: 1}}
	ipv6 := bpf.TraceEnd{Family: unix.AF_INET6, Peer: [16]byte{15: 1}}
	for name, c := range map[string]struct {
		end  bpf.TraceEnd
		icmp uint16
		want string
	}{
		"no ICMP":                         {ipv4, 0, ""},
		"port unreachable":                {ipv4, 3<<8 | 3, "ECONNREFUSED"},
		"host unreachable":                {ipv4, 3<<8 | 1, "EHOSTUNREACH"},
		"administratively prohibited":     {ipv4, 3<<8 | 13, "EHOSTUNREACH"},
		"fragmentation needed ends none":  {ipv4, 3<<8 | 4, ""},
		"time exceeded":                   {ipv4, 11 << 8, "EHOSTUNREACH"},
		"an unknown code":                 {ipv4, 3<<8 | 200, ""},
		"redirect":                        {ipv4, 5 << 8, ""},
		"port, of an IPv6 socket to IPv4": {mapped, 3<<8 | 3, "ECONNREFUSED"},
		"no route, IPv6":                  {ipv6, 1 << 8, "ENETUNREACH"},
		"port unreachable, IPv6":          {ipv6, 1<<8 | 4, "ECONNREFUSED"},
		"an unknown code, IPv6":           {ipv6, 1<<8 | 99, "EPROTO"},
		"packet too big, IPv6":            {ipv6, 2 << 8, ""},
	} {
		c.end.Icmp = c.icmp
		if got := softError(&c.end); got != c.want {
			t.Errorf("%s: got %q, want %q", name, got, c.want)
		}
	}
	ipv4.Icmp, ipv4.SoftError = 3<<8|3, uint8(unix.EHOSTUNREACH)
	if got := softError(&ipv4); got != "EHOSTUNREACH" {
		t.Errorf("got %q, want what the socket still has", got)
	}
}
