package capture_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/gopacket/gopacket"
	"github.com/gopacket/gopacket/layers"
	"github.com/gopacket/gopacket/pcapgo"
	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"

	"github.com/closetrace/closetrace/wire/internal/capture"
)

var begin = time.Date(2026, 11, 20, 17, 23, 0, 123456789, time.UTC)

// written are the same packets as gopacket writes them.
func written(t testing.TB, format string) []byte {
	t.Helper()
	var b bytes.Buffer
	info := gopacket.CaptureInfo{Timestamp: begin, CaptureLength: 60, Length: 1500}
	data := bytes.Repeat([]byte("x"), 60)
	switch format {
	case "pcap", "pcap-nano":
		w := pcapgo.NewWriter(&b)
		if format == "pcap-nano" {
			w = pcapgo.NewWriterNanos(&b)
		}
		must(t, w.WriteFileHeader(65536, layers.LinkTypeEthernet))
		for range 3 {
			must(t, w.WritePacket(info, data))
		}
	case "pcapng":
		w, err := pcapgo.NewNgWriter(&b, layers.LinkTypeEthernet)
		must(t, err)
		_, err = w.AddInterface(pcapgo.NgInterface{LinkType: layers.LinkTypeRaw})
		must(t, err)
		for i := range 3 {
			info.InterfaceIndex = i % 2
			must(t, w.WritePacketWithOptions(info, data, pcapgo.NgPacketOptions{Comments: []string{"PID: 7\nCmd: /bin/x", "two"}}))
		}
		must(t, w.Flush())
	}
	return b.Bytes()
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func packed(t testing.TB, format string, data []byte) []byte {
	var b bytes.Buffer
	var w io.WriteCloser = gzip.NewWriter(&b)
	if format == "zstd" {
		w, _ = zstd.NewWriter(&b)
	}
	_, err := w.Write(data)
	must(t, err)
	must(t, w.Close())
	return b.Bytes()
}

func readAll(data io.Reader) (all []capture.Packet, comments []string, err error) {
	r, _, err := capture.Open(data)
	if err != nil {
		return nil, nil, err
	}
	defer r.Close()
	var p capture.Packet
	for err = r.Next(&p); err == nil; err = r.Next(&p) {
		p.Data = bytes.Clone(p.Data)
		all = append(all, p)
		for c := range p.Comments {
			comments = append(comments, c)
		}
	}
	if errors.Is(err, io.EOF) {
		err = nil
	}
	return all, comments, err
}

// What gopacket writes is read, of each format, compressed or not, and however few
// bytes the file hands out at a time.
func TestReadWhatOthersWrite(t *testing.T) {
	for _, format := range []string{"pcap", "pcap-nano", "pcapng"} {
		for _, packing := range []string{"plain", "gzip", "zstd", "slow"} {
			t.Run(format+" "+packing, func(t *testing.T) {
				data := written(t, format)
				in := io.Reader(bytes.NewReader(data))
				switch packing {
				case "gzip", "zstd":
					in = bytes.NewReader(packed(t, packing, data))
				case "slow":
					in = iotest.OneByteReader(in)
				}
				all, comments, err := readAll(in)
				if err != nil || len(all) != 3 {
					t.Fatalf("%d packets, %v; want 3", len(all), err)
				}
				want := begin
				if format == "pcap" {
					want = begin.Truncate(time.Microsecond)
				}
				for i, p := range all {
					link := uint16(1)
					if format == "pcapng" && i%2 == 1 {
						link = 101
					}
					if p.Time != want.UnixNano() || p.Length != 1500 || len(p.Data) != 60 || p.Link != link {
						t.Errorf("packet %d: time %d length %d of %d, link %d", i, p.Time, len(p.Data), p.Length, p.Link)
					}
				}
				if wantComments := map[bool]int{true: 6}[format == "pcapng"]; len(comments) != wantComments {
					t.Errorf("comments %q, want %d", comments, wantComments)
				}
			})
		}
	}
}

// What is not a capture comes back from its begin on.
func TestOthersAreHandedBack(t *testing.T) {
	for _, text := range []string{"", "{", "{\"kind\":\"start\"}\n", "\x1f\x8b", "\x28\xb5\x2f\xfd....", string(packed(t, "gzip", []byte("hello"))), string(packed(t, "zstd", []byte("{}")))} {
		_, rest, err := capture.Open(strings.NewReader(text))
		if !errors.Is(err, capture.ErrNotACapture) {
			t.Fatalf("%q: error %v", text, err)
		}
		if again, err := io.ReadAll(rest); string(again) != text || err != nil {
			t.Errorf("%q came back as %q, %v", text, again, err)
		}
	}
}

// A file that was cut anywhere is read until there, and one line says where.
func TestCutAnywhere(t *testing.T) {
	for _, format := range []string{"pcap", "pcapng"} {
		data := written(t, format)
		before := 0
		for n := 4; n < len(data); n++ {
			all, _, err := readAll(bytes.NewReader(data[:n]))
			if len(all) < before || len(all) > 3 || err != nil && strings.Contains(err.Error(), "\n") {
				t.Fatalf("%s, %d of %d bytes: %d packets, %v", format, n, len(data), len(all), err)
			}
			before = len(all)
		}
		if before < 2 {
			t.Errorf("%s: %d packets of the longest", format, before)
		}
	}
}

// Wrong lengths do not allocate memory, and what comes before them is read.
func TestWrongLengths(t *testing.T) {
	change := func(data []byte, at int, v uint32) []byte {
		data = bytes.Clone(data)
		binary.LittleEndian.PutUint32(data[at:], v)
		return data
	}
	pcap, ng := written(t, "pcap"), written(t, "pcapng")
	second := 24 + 76
	last := len(ng) - int(binary.LittleEndian.Uint32(ng[len(ng)-4:])) // the block of the last packet
	for _, c := range []struct {
		name    string
		data    []byte
		packets int
		want    string
	}{
		{"a packet of 4 GiB", change(pcap, second+8, 0xffffffff), 1, "damaged at byte 100: a packet of 4294967295 bytes"},
		{"a packet of 200 MiB", change(pcap, second+8, 200<<20), 1, "cut at byte"},
		{"a block of 4 GiB", change(ng, last+4, 0xfffffffc), 2, "a block of 4294967292 bytes"},
		{"a block of 0 bytes", change(ng, last+4, 0), 2, "a block of 0 bytes"},
		{"a block of 13 bytes", change(ng, last+4, 13), 2, "a block of 13 bytes: lengths are multiples of 4"},
		{"another length at the end", change(ng, len(ng)-4, 16), 2, "that ends with the length 16"},
		{"a packet longer than its block", change(ng, last+20, 1<<30), 2, "a packet of 1073741824 bytes in a block"},
		{"an interface that is not there", change(ng, last+8, 9), 2, "a packet of interface 9, which is not there"},
		{"no byte order", change(ng, 8, 0), 0, "a section without a byte order"},
	} {
		t.Run(c.name, func(t *testing.T) {
			all, _, err := readAll(bytes.NewReader(c.data))
			if len(all) != c.packets || err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%d packets, %v; want %d, %q", len(all), err, c.packets, c.want)
			}
		})
	}
}

// A block that is longer than the buffer is skipped; of a long packet the beginning is
// returned.
func TestLongerThanTheBuffer(t *testing.T) {
	var b bytes.Buffer
	w := pcapgo.NewWriter(&b)
	must(t, w.WriteFileHeader(8<<20, layers.LinkTypeEthernet))
	for _, size := range []int{100, 3 << 20, 100} {
		must(t, w.WritePacket(gopacket.CaptureInfo{Timestamp: begin, CaptureLength: size, Length: size}, make([]byte, size)))
	}
	all, _, err := readAll(&b)
	if err != nil || len(all) != 3 || len(all[1].Data) != 1<<20-16 || all[1].Length != 3<<20 || len(all[2].Data) != 100 {
		t.Fatalf("%d packets, %v", len(all), err)
	}
}

// The resolution and offset of an interface's clock (draft-ietf-opsawg-pcapng, section
// 4.2: if_tsresol, if_tsoffset).
func TestClocks(t *testing.T) {
	for _, c := range []struct {
		resolution byte
		offset     int64
		stamp      uint64
		want       int64
	}{
		{6, 0, 1_500_000, 1_500_000_000},
		{9, 0, 1_500_000_001, 1_500_000_001},
		{0, 0, 7, 7_000_000_000},
		{3, 10, 1_001, 11_001_000_000},
		{0x80 | 10, 0, 1<<10 + 1<<9, 1_500_000_000},
		{0x80 | 63, 0, 1 << 62, 500_000_000},
		{12, 0, 1_000_000_000_123, 1_000_000_000},
		{19, 0, 15_000_000_000_000_000_000, 1_500_000_000},
		{20, 0, 1, 0},
		{0x80 | 64, 0, 1, 0},
		{0, 0, 1 << 60, 0},
		{0, 1 << 62, 1, 0},
	} {
		block := binary.LittleEndian.AppendUint16(nil, 1)
		block = append(block, 0, 0, 0, 0, 0, 0)
		block = append(block, 9, 0, 1, 0, c.resolution, 0, 0, 0, 14, 0, 8, 0)
		block = binary.LittleEndian.AppendUint64(block, uint64(c.offset))
		block = append(block, 0, 0, 0, 0)
		packet := binary.LittleEndian.AppendUint32(nil, 0)
		packet = binary.LittleEndian.AppendUint32(packet, uint32(c.stamp>>32))
		packet = binary.LittleEndian.AppendUint32(packet, uint32(c.stamp))
		packet = append(packet, 4, 0, 0, 0, 4, 0, 0, 0, 1, 2, 3, 4)
		file := blockOf(0x0a0d0d0a, []byte("\x4d\x3c\x2b\x1a\x01\x00\x00\x00\xff\xff\xff\xff\xff\xff\xff\xff"))
		file = append(append(file, blockOf(1, block)...), blockOf(6, packet)...)
		all, _, err := readAll(bytes.NewReader(file))
		if err != nil || len(all) != 1 || all[0].Time != c.want {
			t.Errorf("resolution %#x, offset %d, %d: %v, %v; want %d", c.resolution, c.offset, c.stamp, fmt.Sprint(all), err, c.want)
		}
	}
}

func blockOf(kind uint32, content []byte) []byte {
	b := binary.LittleEndian.AppendUint32(nil, kind)
	b = binary.LittleEndian.AppendUint32(b, uint32(len(content)+12))
	b = append(b, content...)
	return binary.LittleEndian.AppendUint32(b, uint32(len(content)+12))
}

// FuzzRead: for any file, the reader ends, and returns no more than is there.
func FuzzRead(f *testing.F) {
	for _, format := range []string{"pcap", "pcap-nano", "pcapng"} {
		f.Add(written(f, format))
		f.Add(packed(f, "gzip", written(f, format)))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		r, _, err := capture.Open(bytes.NewReader(data))
		if err != nil {
			return
		}
		defer r.Close()
		var p capture.Packet
		for n := 0; r.Next(&p) == nil; n++ {
			for range p.Comments {
			}
			p.Direction()
			if n > 16*len(data)+1 && !bytes.HasPrefix(data, []byte{0x1f, 0x8b}) && !bytes.HasPrefix(data, []byte{0x28, 0xb5}) {
				t.Fatal("more packets than bytes")
			}
		}
	})
}
