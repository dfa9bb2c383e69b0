package wire_test

import (
	"bytes"
	"math/rand/v2"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/gopacket/gopacket"
	"github.com/gopacket/gopacket/layers"
	"github.com/gopacket/gopacket/pcapgo"
	"golang.org/x/sys/unix"
)

// harmful is a router of two devices that loses, delays, reorders and doubles segments, and
// captures what comes in and goes out: tc's netem is not in every kernel.
type harmful struct {
	t       *testing.T
	devices [2]*os.File
	running sync.WaitGroup

	mu      sync.Mutex
	random  *rand.Rand
	capture bytes.Buffer
	writer  *pcapgo.NgWriter
	lost    int
}

func newHarmful(t *testing.T) *harmful {
	h := &harmful{t: t, random: rand.New(rand.NewPCG(5, 6))}
	var err error
	if h.writer, err = pcapgo.NewNgWriter(&h.capture, layers.LinkTypeRaw); err != nil {
		t.Fatal(err)
	}
	if _, err = h.writer.AddInterface(pcapgo.NgInterface{LinkType: layers.LinkTypeRaw}); err != nil {
		t.Fatal(err)
	}
	return h
}

// open makes the device of a side in the thread's namespace.
func (h *harmful) open(side int) {
	fd, err := unix.Open("/dev/net/tun", unix.O_RDWR|unix.O_CLOEXEC|unix.O_NONBLOCK, 0)
	if err != nil {
		h.t.Error(err)
		return
	}
	request, _ := unix.NewIfreq("wire0")
	request.SetUint16(unix.IFF_TUN | unix.IFF_NO_PI)
	if err := unix.IoctlIfreq(fd, unix.TUNSETIFF, request); err != nil {
		h.t.Error(err)
		unix.Close(fd)
		return
	}
	h.devices[side] = os.NewFile(uintptr(fd), "wire0")
}

// start forwards until the test ends.
func (h *harmful) start() {
	for side := range h.devices {
		if h.devices[side] == nil {
			h.t.Fatal("no device")
		}
		h.running.Go(func() { h.forward(side) })
	}
	h.t.Cleanup(func() {
		for _, f := range h.devices {
			f.Close()
		}
		h.running.Wait()
	})
}

func (h *harmful) forward(side int) {
	packet := make([]byte, 1<<16)
	for {
		n, err := h.devices[side].Read(packet)
		if err != nil {
			return
		}
		if n < 20 || packet[0] != 0x45 {
			continue
		}
		for _, delay := range h.fate(side, packet[:n]) {
			out := bytes.Clone(packet[:n])
			h.running.Go(func() {
				time.Sleep(delay)
				h.send(1-side, out)
			})
		}
	}
}

// fate returns after which delays a packet goes on: none if it is lost.
func (h *harmful) fate(side int, packet []byte) (delays []time.Duration) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.seen(side, packet)
	const way = 2 * time.Millisecond
	switch x := h.random.IntN(100); {
	case x < 4:
		h.lost++
		return nil
	case x < 6:
		return []time.Duration{way, way + time.Duration(h.random.IntN(3000))*time.Microsecond}
	case x < 12:
		return []time.Duration{way + time.Duration(h.random.IntN(8000))*time.Microsecond}
	}
	return []time.Duration{way}
}

// send forwards a packet: with its TTL decremented, and the header's checksum updated
// (RFC 1624).
func (h *harmful) send(side int, packet []byte) {
	packet[8]--
	if packet[10]++; packet[10] == 0 {
		packet[11]++
	}
	h.mu.Lock()
	h.seen(side, packet)
	h.mu.Unlock()
	_, _ = h.devices[side].Write(packet) // at the end it may be closed
}

func (h *harmful) seen(side int, packet []byte) {
	info := gopacket.CaptureInfo{Timestamp: time.Now(), CaptureLength: min(len(packet), 128), Length: len(packet), InterfaceIndex: side}
	if err := h.writer.WritePacket(info, packet[:info.CaptureLength]); err != nil {
		h.t.Error(err)
	}
}

// file writes what was captured.
func (h *harmful) file() string {
	h.mu.Lock()
	defer h.mu.Unlock()
	path := filepath.Join(h.t.TempDir(), "router.pcapng")
	if err := h.writer.Flush(); err != nil {
		h.t.Fatal(err)
	}
	writeFile(h.t, path, h.capture.Bytes())
	h.t.Logf("the router lost %d packets", h.lost)
	return path
}
