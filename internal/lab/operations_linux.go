package lab

import (
	"errors"
	"fmt"
	"net/netip"
	"os"
	"unsafe"

	"golang.org/x/sys/unix"
)

// operations is what an agent can do. Each is one system call as far as the
// connection is concerned.
var operations = map[string]func(*request, *reply) error{
	"socket": func(r *request, p *reply) (err error) {
		p.Ret, err = unix.Socket(r.Args[0], unix.SOCK_STREAM|unix.SOCK_CLOEXEC, r.Args[1])
		return err
	},
	"bind":    func(r *request, _ *reply) error { return unix.Bind(r.FD, sockaddr(r.Addr)) },
	"listen":  func(r *request, _ *reply) error { return unix.Listen(r.FD, r.Args[0]) },
	"connect": func(r *request, _ *reply) error { return unix.Connect(r.FD, sockaddr(r.Addr)) },
	"accept": func(r *request, p *reply) (err error) {
		p.Ret, _, err = unix.Accept4(r.FD, unix.SOCK_CLOEXEC)
		return err
	},
	"disconnect": func(r *request, _ *reply) error { return disconnect(r.FD) },
	"name": func(r *request, p *reply) error {
		sa, err := unix.Getsockname(r.FD)
		p.Addr = addrPort(sa)
		return err
	},
	"set": func(r *request, _ *reply) error {
		return unix.SetsockoptInt(r.FD, r.Args[0], r.Args[1], r.Args[2])
	},
	"ulp": func(r *request, _ *reply) error {
		return unix.SetsockoptString(r.FD, unix.SOL_TCP, unix.TCP_ULP, r.Text)
	},
	"linger": func(r *request, _ *reply) error {
		return unix.SetsockoptLinger(r.FD, unix.SOL_SOCKET, unix.SO_LINGER,
			&unix.Linger{Onoff: int32(r.Args[0]), Linger: int32(r.Args[1])})
	},
	"nonblock": func(r *request, _ *reply) error { return unix.SetNonblock(r.FD, true) },
	"filter":   func(r *request, _ *reply) error { return attachFilter(r.FD, r.Args) },
	"send": func(r *request, p *reply) (err error) {
		p.Ret, err = unix.SendmsgN(r.FD, make([]byte, r.Args[0]), nil, nil, unix.MSG_NOSIGNAL)
		return err
	},
	"in-flight": func(r *request, p *reply) error {
		info, err := unix.GetsockoptTCPInfo(r.FD, unix.SOL_TCP, unix.TCP_INFO)
		if err == nil {
			p.Ret = int(info.Unacked)
		}
		return err
	},
	"error": func(r *request, p *reply) (err error) {
		p.Ret, err = unix.GetsockoptInt(r.FD, unix.SOL_SOCKET, unix.SO_ERROR)
		return err
	},
	"fill":     fill,
	"recv":     receive,
	"shutdown": func(r *request, _ *reply) error { return unix.Shutdown(r.FD, r.Args[0]) },
	"close":    func(r *request, _ *reply) error { return unix.Close(r.FD) },
	"sequence": sequence,
	"exit":     func(r *request, _ *reply) error { os.Exit(r.Args[0]); return nil },
	"destroy":  destroySocket,
	"dup2":     func(r *request, _ *reply) error { return unix.Dup3(r.FD, r.Args[0], unix.O_CLOEXEC) },
	"close-range": func(r *request, _ *reply) error {
		return unix.CloseRange(uint(r.FD), uint(r.FD), 0)
	},
	"send-descriptor":    sendDescriptor,
	"receive-descriptor": receiveDescriptor,
	"strand":             strand,
	"strand-cycle":       strandCycle,
	"fork":               forkAgent,
	"exec":               execAgent,
	"fault":              fault,
	"io-uring-close":     ringClose,
}

func sockaddr(a netip.AddrPort) unix.Sockaddr {
	if a.Addr().Is4() {
		return &unix.SockaddrInet4{Port: int(a.Port()), Addr: a.Addr().As4()}
	}
	return &unix.SockaddrInet6{Port: int(a.Port()), Addr: a.Addr().As16()}
}

func addrPort(sa unix.Sockaddr) netip.AddrPort {
	switch sa := sa.(type) {
	case *unix.SockaddrInet4:
		return netip.AddrPortFrom(netip.AddrFrom4(sa.Addr), uint16(sa.Port))
	case *unix.SockaddrInet6:
		return netip.AddrPortFrom(netip.AddrFrom16(sa.Addr), uint16(sa.Port))
	default:
		return netip.AddrPort{}
	}
}

// disconnect is connect(AF_UNSPEC), which x/sys has no Sockaddr for.
func disconnect(fd int) error {
	var unspecified unix.RawSockaddrAny
	_, _, errno := unix.Syscall(unix.SYS_CONNECT, uintptr(fd),
		uintptr(unsafe.Pointer(&unspecified)), unix.SizeofSockaddrInet4)
	if errno != 0 {
		return errno
	}
	return nil
}

// attachFilter gives fd the classic BPF program in words, four a line: code,
// jt, jf, k. On a TCP socket it runs before TCP sees a segment (tcp_filter).
func attachFilter(fd int, words []int) error {
	program := make([]unix.SockFilter, 0, len(words)/4)
	for i := 0; i+3 < len(words); i += 4 {
		program = append(program, unix.SockFilter{
			Code: uint16(words[i]), Jt: uint8(words[i+1]), Jf: uint8(words[i+2]), K: uint32(words[i+3]),
		})
	}
	return unix.SetsockoptSockFprog(fd, unix.SOL_SOCKET, unix.SO_ATTACH_FILTER,
		&unix.SockFprog{Len: uint16(len(program)), Filter: &program[0]})
}

// destroySocket ends the socket from Addr to Text.
func destroySocket(r *request, _ *reply) error {
	peer, err := netip.ParseAddrPort(r.Text)
	if err != nil {
		return fmt.Errorf("parse peer: %w", err)
	}
	d, err := openDiag()
	if err != nil {
		return err
	}
	defer d.close()
	return d.destroy(r.Args[0], r.Addr, peer)
}

// fill sends until the socket takes no more; Ret is the number of bytes.
func fill(r *request, p *reply) error {
	buffer := make([]byte, 4096)
	for {
		n, err := unix.SendmsgN(r.FD, buffer, nil, nil, unix.MSG_DONTWAIT|unix.MSG_NOSIGNAL)
		if errors.Is(err, unix.EAGAIN) {
			return nil
		}
		if err != nil {
			return err
		}
		p.Ret += n
	}
}

// receive reads Args[0] bytes or to the end of the stream.
func receive(r *request, p *reply) error {
	buffer := make([]byte, 4096)
	for p.Ret < r.Args[0] {
		n, err := unix.Read(r.FD, buffer[:min(len(buffer), r.Args[0]-p.Ret)])
		if err != nil {
			return err
		}
		if n == 0 {
			return nil
		}
		p.Ret += n
	}
	return nil
}

// Not in x/sys: include/uapi/linux/tcp.h.
const (
	repairOffNoProbe = -1 // TCP_REPAIR_OFF_NO_WP
	recvQueue        = 1  // TCP_RECV_QUEUE
	sendQueue        = 2  // TCP_SEND_QUEUE
)

// sequence returns the next sequence numbers: Seq[0] that this end writes,
// Seq[1] that it expects.
func sequence(r *request, p *reply) error {
	set := func(option, value int) error {
		return unix.SetsockoptInt(r.FD, unix.SOL_TCP, option, value)
	}
	if err := set(unix.TCP_REPAIR, 1); err != nil {
		return fmt.Errorf("enter repair mode: %w", err)
	}
	for i, queue := range []int{sendQueue, recvQueue} {
		if err := set(unix.TCP_REPAIR_QUEUE, queue); err != nil {
			return fmt.Errorf("choose queue: %w", err)
		}
		seq, err := unix.GetsockoptInt(r.FD, unix.SOL_TCP, unix.TCP_QUEUE_SEQ)
		if err != nil {
			return fmt.Errorf("read sequence number: %w", err)
		}
		p.Seq[i] = uint32(seq)
	}
	return set(unix.TCP_REPAIR, repairOffNoProbe)
}
