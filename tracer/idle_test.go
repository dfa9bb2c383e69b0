//go:build linux

package tracer

import (
	"encoding/binary"
	"errors"
	"io"
	"net"
	"testing"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/closetrace/closetrace/internal/lab/sourcetest"
	"github.com/closetrace/closetrace/model"
)

// TestIdleTime checks when data was last sent and received against a packet capture.
func TestIdleTime(t *testing.T) {
	tr := OpenOrSkip(t, Options{})
	jiffy := time.Second / time.Duration(max(tr.asm.hertz, 100))
	var (
		port  uint16
		wires []wireData
	)
	records := sourcetest.RecordWhile(t, tr, func() { port, wires = talkAndClose(t) })
	// A quarter of a jiffy more for what lies between the counter and the capture.
	near := func(what string, got, want model.Time) {
		t.Helper()
		if off := got.Sub(want).Abs(); got == 0 || off > jiffy+jiffy/4+time.Millisecond {
			t.Errorf("%s: got %v, the capture has %v: %v off, a jiffy is %v", what, got, want, off, jiffy)
		}
	}
	ends := 0
	for i := range records {
		d := &records[i].Teardown
		server := d.Network.Local.Port == port
		if records[i].Kind != model.KindTeardown || !server && d.Network.Peer.Port != port {
			continue
		}
		ends++
		var sent, received model.Time
		for _, w := range wires {
			if w.fromServer == server {
				sent = w.at
			} else {
				received = w.at
			}
		}
		near("last sent", d.TCP.LastSent, sent)
		near("last received", d.TCP.LastReceived, received)
		if want := model.SidePeer; server && d.TCP.LastSpeaker != model.SideLocal || !server && d.TCP.LastSpeaker != want {
			t.Errorf("server %v: last speaker is %v", server, d.TCP.LastSpeaker)
		}
		if d.TCP.Fingerprint == 0 || d.TCP.MSS.Or(0) == 0 || d.TCP.Segments.Out.Or(0) == 0 {
			t.Errorf("not told: fingerprint %v, MSS %v, segments %v", d.TCP.Fingerprint, d.TCP.MSS, d.TCP.Segments)
		}
		if d.TCP.LateData.Known() {
			t.Errorf("data came %v after the begin of the end; there was none", d.TCP.LateData)
		}
		if idle := d.TCP.Idle.Or(0); idle < pause-2*jiffy || idle > pause+time.Second {
			t.Errorf("idle for %v, want about %v", idle, pause)
		}
	}
	if ends != 2 {
		t.Errorf("got %d ends, want 2", ends)
	}
}

// pause is how long the connection is idle before the client closes.
const pause = 300 * time.Millisecond

// talkAndClose lets a client ask and a server answer, and returns the data on the wire.
func talkAndClose(t *testing.T) (port uint16, wires []wireData) {
	t.Helper()
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	port = l.Addr().(*net.TCPAddr).AddrPort().Port()
	capture := captureData(t, port)
	done := make(chan error, 1)
	go func() {
		server, err := l.Accept()
		if err == nil {
			buffer := make([]byte, 100)
			if _, err = io.ReadFull(server, buffer); err == nil {
				<-time.After(pause / 2)
				_, err = server.Write(buffer)
			}
			_, _ = server.Read(buffer) // until the client closes
			err = errors.Join(err, server.Close())
		}
		done <- err
	}()
	client, err := net.Dial("tcp4", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	buffer := make([]byte, 100)
	if _, err := client.Write(buffer); err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadFull(client, buffer); err != nil {
		t.Fatal(err)
	}
	<-time.After(pause)
	if err := errors.Join(client.Close(), <-done); err != nil {
		t.Fatal(err)
	}
	return port, capture()
}

// wireData is a segment with data, as it left.
type wireData struct {
	at         model.Time
	fromServer bool
}

// captureData records segments with data of a server's port on lo, with the kernel's
// time stamps, until the function that it returns is called.
func captureData(t *testing.T, port uint16) func() []wireData {
	t.Helper()
	fd, err := unix.Socket(unix.AF_PACKET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, int(htons(unix.ETH_P_ALL)))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { unix.Close(fd) })
	err = errors.Join(unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_TIMESTAMPNS, 1),
		unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, 64<<20)) // other tests are busy on lo
	if err != nil {
		t.Fatal(err)
	}
	packet, control := make([]byte, 256), make([]byte, 128)
	awaitStamps(t, fd, packet, control)
	return func() (wires []wireData) {
		for {
			n, size, _, from, err := unix.Recvmsg(fd, packet, control, 0)
			if errors.Is(err, unix.EAGAIN) {
				return wires
			}
			if err != nil {
				t.Fatal(err)
			}
			link, ok := from.(*unix.SockaddrLinklayer)
			if !ok || link.Pkttype != unix.PACKET_OUTGOING || n < 52 || packet[0] != 0x45 || packet[9] != unix.IPPROTO_TCP {
				continue
			}
			source, dest := binary.BigEndian.Uint16(packet[20:]), binary.BigEndian.Uint16(packet[22:])
			data := int(binary.BigEndian.Uint16(packet[2:])) - 20 - int(packet[32]>>4)*4
			if data > 0 && (source == port || dest == port) {
				wires = append(wires, wireData{at: stampOf(t, control[:size]), fromServer: source == port})
			}
		}
	}
}

// awaitStamps: the kernel begins to stamp packets some time after it was asked to
// (net_enable_timestamp); until then a packet gets the time at which it is read.
func awaitStamps(t *testing.T, fd int, packet, control []byte) {
	t.Helper()
	probe, err := net.Dial("udp4", "127.0.0.1:9")
	if err != nil {
		t.Fatal(err)
	}
	defer probe.Close()
	for stamped := false; !stamped; {
		_, _ = probe.Write([]byte{1})
		reading := model.TimeOf(time.Now())
		_, size, _, _, err := unix.Recvmsg(fd, packet, control, 0)
		stamped = err == nil && stampOf(t, control[:size]) < reading
	}
}

func htons(v uint16) uint16 { return v<<8 | v>>8 }

func stampOf(t *testing.T, control []byte) model.Time {
	t.Helper()
	messages, err := unix.ParseSocketControlMessage(control)
	if err != nil || len(messages) != 1 {
		t.Fatalf("no time stamp: %v", err)
	}
	stamp := (*unix.Timespec)(unsafe.Pointer(&messages[0].Data[0]))
	return model.Time(stamp.Nano())
}
