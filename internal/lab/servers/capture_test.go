//go:build linux

package servers_test

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// capture is tcpdump, running on lo of a bench's namespace: a witness that
// shares nothing with closetrace.
type capture struct {
	space    *space
	command  *exec.Cmd
	messages sync.WaitGroup
	dropped  error
	read     chan error // the reader's end
	sentinel chan struct{}
	segments []segment
}

// sentinelPort is where the datagram goes that must be in the capture before
// tcpdump may stop.
const sentinelPort = 9

func openCapture(t *testing.T, s *space) *capture {
	t.Helper()
	c := &capture{space: s, read: make(chan error, 1), sentinel: make(chan struct{})}
	c.command = exec.Command("tcpdump", "-i", "lo", "-n", "-p", "-s", "128", "-U", "--immediate-mode", "-w", "-",
		fmt.Sprintf("tcp or udp port %d", sentinelPort))
	c.command.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	packets, err := c.command.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	messages, err := c.command.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := s.do(func() error { return fork(c.command) }); err != nil {
		t.Fatalf("start tcpdump: %v", err)
	}
	t.Cleanup(func() { c.command.Process.Kill() })
	listening := make(chan struct{})
	c.messages.Go(func() { c.listen(messages, listening) })
	go func() { c.read <- c.readPackets(packets) }()
	select {
	case <-listening:
	case <-time.After(patience):
		t.Fatal("tcpdump does not capture")
	}
	return c
}

// listen reads what tcpdump says.
func (c *capture) listen(messages io.Reader, listening chan struct{}) {
	lines := bufio.NewScanner(messages)
	for lines.Scan() {
		switch text := lines.Text(); {
		case strings.Contains(text, "listening on"):
			close(listening)
		case strings.HasSuffix(text, "dropped by kernel") && !strings.HasPrefix(text, "0 "):
			c.dropped = errors.New(text)
		}
	}
}

// finish ends the capture and returns all of it.
func (c *capture) finish(t *testing.T) []segment {
	t.Helper()
	err := c.space.do(func() error {
		conn, err := net.Dial("udp", fmt.Sprintf("127.0.0.1:%d", sentinelPort))
		if err != nil {
			return err
		}
		defer conn.Close()
		_, err = conn.Write([]byte("end"))
		return err
	})
	if err != nil {
		t.Fatalf("send sentinel: %v", err)
	}
	select {
	case <-c.sentinel:
	case <-time.After(patience):
		t.Fatal("tcpdump does not show the sentinel")
	}
	c.command.Process.Signal(syscall.SIGINT)
	c.messages.Wait()
	if err := errors.Join(<-c.read, c.command.Wait(), c.dropped); err != nil {
		t.Fatalf("capture: %v", err)
	}
	return c.segments
}

// readPackets reads a pcap file (draft-ietf-opsawg-pcap) of Ethernet frames.
func (c *capture) readPackets(r io.Reader) error {
	var file [24]byte
	if _, err := io.ReadFull(r, file[:]); err != nil {
		return fmt.Errorf("read file header: %w", err)
	}
	if magic := binary.NativeEndian.Uint32(file[:]); magic != 0xa1b2c3d4 {
		return fmt.Errorf("magic %#x", magic)
	}
	if link := binary.NativeEndian.Uint32(file[20:]); link != 1 {
		return fmt.Errorf("link type %d, want Ethernet", link)
	}
	var header [16]byte
	for {
		switch _, err := io.ReadFull(r, header[:]); {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return fmt.Errorf("read packet header: %w", err)
		}
		frame := make([]byte, binary.NativeEndian.Uint32(header[8:]))
		if _, err := io.ReadFull(r, frame); err != nil {
			return fmt.Errorf("read packet: %w", err)
		}
		if err := c.add(frame); err != nil {
			return err
		}
	}
}

const (
	ethernetSize = 14
	ipv4MinSize  = 20
	tcpMinSize   = 20
)

func (c *capture) add(frame []byte) error {
	if len(frame) < ethernetSize+ipv4MinSize || frame[ethernetSize]>>4 != 4 {
		return fmt.Errorf("frame of %d bytes is not IPv4", len(frame))
	}
	ip := frame[ethernetSize:]
	if ip[9] == syscall.IPPROTO_UDP {
		close(c.sentinel)
		return nil
	}
	size := int(ip[0]&0x0f) * 4
	if len(ip) < size+tcpMinSize {
		return fmt.Errorf("TCP packet of %d bytes", len(ip))
	}
	tcp := ip[size:]
	port := func(at int) uint16 { return binary.BigEndian.Uint16(tcp[at:]) }
	payload := int(binary.BigEndian.Uint16(ip[2:])) - size - int(tcp[12]>>4)*4
	c.segments = append(c.segments, segment{
		from:  netip.AddrPortFrom(netip.AddrFrom4([4]byte(ip[12:16])), port(0)),
		to:    netip.AddrPortFrom(netip.AddrFrom4([4]byte(ip[16:20])), port(2)),
		flags: tcp[13],
		next:  binary.BigEndian.Uint32(tcp[4:]) + uint32(payload),
		ack:   binary.BigEndian.Uint32(tcp[8:]),
	})
	return nil
}

// segment is what matters of a TCP segment.
type segment struct {
	from, to netip.AddrPort
	flags    uint8
	next     uint32 // the sequence number after its payload: that of its FIN
	ack      uint32
}

const (
	flagFIN = 0x01
	flagSYN = 0x02
	flagRST = 0x04
	flagACK = 0x10
)

func (s *segment) has(flags uint8) bool { return s.flags&flags != 0 }

// connections sorts segments into connections, in the order of their SYNs.
func connections(segments []segment) []*connection {
	var all []*connection
	for i := range segments {
		s := &segments[i]
		if s.has(flagSYN) && !s.has(flagACK) && !s.of(all) {
			all = append(all, &connection{client: s.from, server: s.to})
		}
		for _, c := range all {
			c.add(s)
		}
	}
	return all
}

func (s *segment) of(all []*connection) bool {
	for _, c := range all {
		if c.client == s.from && c.server == s.to {
			return true
		}
	}
	return false
}
