package lab

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"strconv"
	"strings"

	"golang.org/x/net/bpf"
	"golang.org/x/sys/unix"
)

// forgedTTL marks the segments that a script sends through a raw socket. (Not
// the type of service: the kernel's RSTs have that of what they answer.)
const forgedTTL = 77

// loopbackIndex is LOOPBACK_IFINDEX: lo in every namespace.
const loopbackIndex = 1

// capture keeps the segments with SYN, FIN or RST that come in. The kernel
// queues them; they are few, so nobody has to read before the end.
type capture struct{ fd int }

func openCapture() (*capture, error) {
	fd, err := unix.Socket(unix.AF_PACKET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		return nil, fmt.Errorf("open packet socket: %w", err)
	}
	c := &capture{fd}
	if err := attachFilter(fd, captureFilter()); err != nil {
		c.close()
		return nil, fmt.Errorf("attach capture filter: %w", err)
	}
	if err := unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, 16<<20); err != nil {
		c.close()
		return nil, fmt.Errorf("enlarge capture buffer: %w", err)
	}
	protocol := binary.NativeEndian.Uint16([]byte{0, unix.ETH_P_ALL})
	if err := unix.Bind(fd, &unix.SockaddrLinklayer{Protocol: protocol}); err != nil {
		c.close()
		return nil, fmt.Errorf("bind packet socket: %w", err)
	}
	return c, nil
}

func (c *capture) close() { _ = unix.Close(c.fd) }

// captureFilter passes TCP segments with SYN, FIN or RST; it starts at the IP
// header. On lo, which shows each packet twice, it takes them as they are sent: on a
// busy machine they come in later (ksoftirqd), perhaps when the scenario is over.
func captureFilter() []int {
	program, err := bpf.Assemble([]bpf.Instruction{
		bpf.LoadExtension{Num: bpf.ExtInterfaceIndex},
		bpf.JumpIf{Cond: bpf.JumpNotEqual, Val: loopbackIndex, SkipTrue: 3},
		bpf.LoadExtension{Num: bpf.ExtType},
		bpf.JumpIf{Cond: bpf.JumpNotEqual, Val: unix.PACKET_OUTGOING, SkipTrue: 18},
		bpf.Jump{Skip: 2},
		bpf.LoadExtension{Num: bpf.ExtType},
		bpf.JumpIf{Cond: bpf.JumpEqual, Val: unix.PACKET_OUTGOING, SkipTrue: 15},
		bpf.LoadAbsolute{Off: 0, Size: 1},
		bpf.ALUOpConstant{Op: bpf.ALUOpShiftRight, Val: 4},
		bpf.JumpIf{Cond: bpf.JumpEqual, Val: 6, SkipTrue: 6},
		bpf.JumpIf{Cond: bpf.JumpNotEqual, Val: 4, SkipTrue: 11},
		bpf.LoadAbsolute{Off: 9, Size: 1},
		bpf.JumpIf{Cond: bpf.JumpNotEqual, Val: unix.IPPROTO_TCP, SkipTrue: 9},
		bpf.LoadMemShift{Off: 0},
		bpf.LoadIndirect{Off: 13, Size: 1},
		bpf.Jump{Skip: 4},
		bpf.LoadAbsolute{Off: 6, Size: 1},
		bpf.JumpIf{Cond: bpf.JumpNotEqual, Val: unix.IPPROTO_TCP, SkipTrue: 4},
		bpf.LoadConstant{Dst: bpf.RegX, Val: 40},
		bpf.LoadIndirect{Off: 13, Size: 1},
		bpf.JumpIf{Cond: bpf.JumpBitsNotSet, Val: 0x07, SkipTrue: 1},
		bpf.RetConstant{Val: 128},
		bpf.RetConstant{Val: 0},
	})
	if err != nil {
		panic(err) // the program is a constant
	}
	var words []int
	for _, i := range program {
		words = append(words, int(i.Op), int(i.Jt), int(i.Jf), int(i.K))
	}
	return words
}

// drain returns what was captured, in order.
func (c *capture) drain() ([]Packet, error) {
	var packets []Packet
	buffer := make([]byte, 256)
	for {
		n, from, err := unix.Recvfrom(c.fd, buffer, 0)
		if errors.Is(err, unix.EAGAIN) {
			break
		}
		if err != nil {
			return nil, fmt.Errorf("read packet socket: %w", err)
		}
		p, err := parsePacket(buffer[:n])
		if err != nil {
			return nil, err
		}
		if link, ok := from.(*unix.SockaddrLinklayer); ok {
			p.Far = link.Ifindex != loopbackIndex
		}
		packets = append(packets, p)
	}
	stats, err := unix.GetsockoptTpacketStats(c.fd, unix.SOL_PACKET, unix.PACKET_STATISTICS)
	if err != nil {
		return nil, fmt.Errorf("read capture statistics: %w", err)
	}
	if stats.Drops != 0 {
		return nil, fmt.Errorf("the capture dropped %d packets", stats.Drops)
	}
	return packets, nil
}

// parsePacket reads a TCP segment from its IP header on.
func parsePacket(b []byte) (p Packet, err error) {
	if len(b) < 40 {
		return p, fmt.Errorf("packet of %d bytes", len(b))
	}
	var from, to netip.Addr
	var tcp []byte
	switch b[0] >> 4 {
	case 4:
		from, to = netip.AddrFrom4([4]byte(b[12:16])), netip.AddrFrom4([4]byte(b[16:20]))
		tcp = b[min(len(b), int(b[0]&0x0f)*4):]
		p.Forged = b[8] == forgedTTL
	case 6:
		from, to = netip.AddrFrom16([16]byte(b[8:24])), netip.AddrFrom16([16]byte(b[24:40]))
		tcp = b[40:]
	}
	if len(tcp) < 14 {
		return p, fmt.Errorf("TCP segment of %d bytes", len(tcp))
	}
	p.From = netip.AddrPortFrom(from, binary.BigEndian.Uint16(tcp))
	p.To = netip.AddrPortFrom(to, binary.BigEndian.Uint16(tcp[2:]))
	if tcp[13]&2 != 0 {
		p.Seq = binary.BigEndian.Uint32(tcp[4:])
	}
	p.FIN, p.SYN, p.RST = tcp[13]&1 != 0, tcp[13]&2 != 0, tcp[13]&4 != 0
	return p, nil
}

// readCounters reads the Tcp and TcpExt counters of the caller's namespace.
func readCounters() (map[string]uint64, error) {
	counters := map[string]uint64{}
	for _, path := range []string{"/proc/self/net/snmp", "/proc/self/net/netstat"} {
		text, err := os.ReadFile(path)
		if err != nil {
			return nil, fmt.Errorf("read counters: %w", err)
		}
		if err := parseCounters(text, counters); err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
	}
	return counters, nil
}

// parseCounters reads pairs of lines, names and values, into counters.
func parseCounters(text []byte, counters map[string]uint64) error {
	lines := strings.Split(string(bytes.TrimSpace(text)), "\n")
	for i := 0; i+1 < len(lines); i += 2 {
		names, values := strings.Fields(lines[i]), strings.Fields(lines[i+1])
		if len(names) != len(values) || len(names) == 0 || names[0] != values[0] {
			return fmt.Errorf("lines %d and %d do not match", i, i+1)
		}
		if names[0] != "Tcp:" && names[0] != "TcpExt:" {
			continue
		}
		for j := 1; j < len(names); j++ {
			n, err := strconv.ParseInt(values[j], 10, 64) // MaxConn is -1
			if err != nil {
				return fmt.Errorf("counter %s: %w", names[j], err)
			}
			counters[names[j]] = uint64(n)
		}
	}
	return nil
}

// difference returns the counters that moved.
func difference(before, after map[string]uint64) map[string]uint64 {
	moved := map[string]uint64{}
	for name, n := range after {
		if n != before[name] {
			moved[name] = n - before[name]
		}
	}
	return moved
}
