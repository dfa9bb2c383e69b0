package lab

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"

	"github.com/closetrace/closetrace/model"
	"github.com/google/nftables"
	"github.com/google/nftables/expr"
	"golang.org/x/sys/unix"
)

// far is a peer that is not on this host: the script plays it, behind a network
// device of the namespace.
type far struct {
	stage *stage
	fd    int
	local netip.AddrPort
	near  netip.AddrPort
	seq   uint32 // that the far end sends next
	ack   uint32 // that it expects
}

var (
	nearAddress = netip.MustParseAddr("10.77.0.1")
	farPort     = netip.MustParseAddrPort("10.77.0.2:80")
)

// farPair returns a connection from actor a to a peer behind a network device,
// over which 3 bytes have come.
func (s *stage) farPair() (*sock, *far) {
	f := &far{stage: s, local: farPort, seq: 1000}
	var err error
	f.fd, err = openTunnel()
	s.check("open tunnel", err)
	s.atEnd = append(s.atEnd, func() { _ = unix.Close(f.fd) })
	s.check("set up tunnel", setUpTunnel(nearAddress))
	a := s.a().open(nearAddress)
	a.bind(netip.AddrPortFrom(nearAddress, 0))
	a.peer, f.near = farPort, a.local
	connecting := a.start(request{Op: "connect", FD: a.fd, Addr: farPort})
	f.ack = f.awaitSYN() + 1
	f.send(flagSYN|flagACK, 0)
	f.seq++
	if o := connecting.wait(); o.err != nil || o.Errno != 0 {
		s.fail("connect to the far end: %v %v", o.Errno, o.err)
	}
	a.role = model.Active
	f.send(flagACK, 3)
	f.seq += 3
	a.recv(3)
	return a, f
}

// send sends n bytes, or a segment with flags, through the device.
func (f *far) send(flags byte, n int) {
	segment := tcpSegment(f.local, f.near, flags, f.seq, f.ack, n)
	header := ipv4Header(unix.IPPROTO_TCP, f.local.Addr(), f.near.Addr(), len(segment))
	header[8] = 64 // not forged: the far end itself sends it
	binary.BigEndian.PutUint16(header[10:], checksum(header))
	_, err := unix.Write(f.fd, append(header, segment...))
	f.stage.check("send from the far end", err)
}

// awaitSYN returns the sequence number of the first SYN.
func (f *far) awaitSYN() (seq uint32) {
	packet := make([]byte, 2048)
	f.stage.eventually("a SYN", func() (bool, string) {
		n, err := unix.Read(f.fd, packet)
		if errors.Is(err, unix.EAGAIN) {
			return false, "nothing"
		}
		f.stage.check("receive at the far end", err)
		if n < 40 || packet[0] != 4<<4|5 || packet[9] != unix.IPPROTO_TCP {
			return false, "another packet" // IPv6 looks for its neighbours
		}
		seq = binary.BigEndian.Uint32(packet[24:])
		return packet[33]&flagSYN != 0, fmt.Sprintf("flags %#x", packet[33])
	})
	return seq
}

const tunnel = "far0"

func openTunnel() (int, error) {
	fd, err := unix.Open("/dev/net/tun", unix.O_RDWR|unix.O_CLOEXEC|unix.O_NONBLOCK, 0)
	if err != nil {
		return -1, err
	}
	device, err := unix.NewIfreq(tunnel)
	if err == nil {
		device.SetUint16(unix.IFF_TUN | unix.IFF_NO_PI)
		err = unix.IoctlIfreq(fd, unix.TUNSETIFF, device)
	}
	if err != nil {
		_ = unix.Close(fd)
		return -1, err
	}
	return fd, nil
}

// setUpTunnel gives the device an address in a network of 256, and brings it up.
func setUpTunnel(address netip.Addr) error {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	device, err := unix.NewIfreq(tunnel)
	if err != nil {
		return err
	}
	for _, set := range []struct {
		call  uint
		value netip.Addr
	}{{unix.SIOCSIFADDR, address}, {unix.SIOCSIFNETMASK, netip.MustParseAddr("255.255.255.0")}} {
		if err := device.SetInet4Addr(set.value.AsSlice()); err != nil {
			return err
		}
		if err := unix.IoctlIfreq(fd, set.call, device); err != nil {
			return err
		}
	}
	device.SetUint16(unix.IFF_UP | unix.IFF_RUNNING)
	return unix.IoctlIfreq(fd, unix.SIOCSIFFLAGS, device)
}

func probeTunnel() error {
	fd, err := openTunnel()
	if err != nil {
		return fmt.Errorf("open /dev/net/tun: %w", err)
	}
	return unix.Close(fd)
}

// rejectOutput lets the namespace's firewall answer what goes to that port with
// RST: tcp dport PORT reject with tcp reset.
func (s *stage) rejectOutput(port uint16) {
	s.rejectOutputWith(port, &expr.Reject{Type: unix.NFT_REJECT_TCP_RST})
}

// unreachOutput does so with ICMP port unreachable, which is what reject alone does.
func (s *stage) unreachOutput(port uint16) {
	s.rejectOutputWith(port, &expr.Reject{Type: unix.NFT_REJECT_ICMPX_UNREACH, Code: unix.NFT_REJECT_ICMPX_PORT_UNREACH})
}

func (s *stage) rejectOutputWith(port uint16, answer *expr.Reject) {
	c, err := nftables.New()
	s.check("open nf_tables", err)
	table := c.AddTable(&nftables.Table{Family: nftables.TableFamilyINet, Name: "lab"})
	chain := c.AddChain(&nftables.Chain{
		Table: table, Name: "output", Type: nftables.ChainTypeFilter,
		Hooknum: nftables.ChainHookOutput, Priority: nftables.ChainPriorityFilter,
	})
	c.AddRule(&nftables.Rule{Table: table, Chain: chain, Exprs: []expr.Any{
		&expr.Meta{Key: expr.MetaKeyL4PROTO, Register: 1},
		&expr.Cmp{Op: expr.CmpOpEq, Register: 1, Data: []byte{unix.IPPROTO_TCP}},
		&expr.Payload{DestRegister: 1, Base: expr.PayloadBaseTransportHeader, Offset: 2, Len: 2},
		&expr.Cmp{Op: expr.CmpOpEq, Register: 1, Data: binary.BigEndian.AppendUint16(nil, port)},
		answer,
	}})
	s.check("set up firewall", c.Flush())
}

func probeFirewall() error {
	c, err := nftables.New()
	if err == nil {
		_, err = c.ListTables()
	}
	return err
}
