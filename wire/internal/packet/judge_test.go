package packet_test

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/closetrace/closetrace/wire/internal/capture"
	"github.com/closetrace/closetrace/wire/internal/packet"
)

// found is a packet, and what we find in it.
type found struct {
	file string
	link uint16
	kind packet.Kind
	tcp  string // ports, numbers, flags, length
}

// TestJudge compares the segment that is found in each packet of public captures of many
// link types and tunnels with that which tshark finds. All are put into one file first:
// tshark takes a quarter of a second to begin.
func TestJudge(t *testing.T) {
	folder := os.Getenv("CLOSETRACE_PUBLIC_CAPTURES")
	if folder == "" {
		folder = "../../../build/public-captures"
	}
	_, noTshark := exec.LookPath("tshark")
	if _, err := os.Stat(filepath.Join(folder, "tcpdump")); err != nil || noTshark != nil {
		if slices.Contains(strings.Split(os.Getenv("CLOSETRACE_REQUIRE"), ","), "captures") {
			t.Fatalf("%v %v", err, noTshark)
		}
		t.Skip("needs tshark, and make public-captures")
	}
	paths, _ := filepath.Glob(filepath.Join(folder, "tcpdump", "*.pcap*"))
	for _, all := range []string{"*.pcap*", "*.cap"} {
		more, _ := filepath.Glob(filepath.Join(folder, all))
		paths = append(paths, more...)
	}
	joined := filepath.Join(t.TempDir(), "joined.pcapng")
	packets := join(t, joined, paths)
	said, layers := tsharkOf(t, joined)
	links, differ, shown := map[uint16]int{}, map[string]int{}, 0
	for i, p := range packets {
		if p.kind == packet.TCP {
			links[p.link]++
		}
		if ours, tsharks := p.tcp, said[i+1]; ours != tsharks {
			why := explain(&p, layers[i+1])
			if differ[why]++; why == "" && shown < 40 {
				shown++
				t.Errorf("%s, packet %d of link type %d: kind %d, %q; tshark %q", p.file, i+1, p.link, p.kind, ours, tsharks)
			}
		}
	}
	t.Logf("%d packets of %d files, TCP by link type %v, differences %v", len(packets), len(paths), links, differ)
	if len(links) < 8 || differ[""] > 0 || len(packets) < 10_000 {
		t.Errorf("the test shows little")
	}
}

// explain names why tshark finds a segment where we find none, "" if there is no good
// reason.
func explain(p *found, layers string) string {
	switch {
	case p.kind == packet.Fragment:
		return "the first fragment of a packet: those are skipped, and said so"
	case p.kind == packet.UnknownLink:
		return "a link layer that is not read, and said so"
	case p.kind == packet.Short, p.kind == packet.Malformed:
		return "a header that is cut, or contradicts itself: tshark shows what there is of it"
	case p.kind == packet.Other && strings.Contains(layers, "cfp"):
		return "Cisco's FabricPath is not read"
	}
	return ""
}

// join puts the packets of all captures into one, with an interface for each link type.
func join(t *testing.T, path string, paths []string) (all []found) {
	t.Helper()
	file, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	out := bufio.NewWriter(file)
	block := func(kind uint32, parts ...[]byte) {
		b := slices.Concat(parts...)
		for len(b)%4 != 0 {
			b = append(b, 0)
		}
		frame := binary.LittleEndian.AppendUint32(nil, kind)
		frame = binary.LittleEndian.AppendUint32(frame, uint32(len(b)+12))
		out.Write(frame)
		out.Write(b)
		out.Write(frame[4:])
	}
	block(0x0a0d0d0a, []byte("\x4d\x3c\x2b\x1a\x01\x00\x00\x00\xff\xff\xff\xff\xff\xff\xff\xff"))
	numbers := map[uint16]uint32{}
	for _, name := range paths {
		each(name, func(p *capture.Packet) {
			number, ok := numbers[p.Link]
			if !ok {
				number = uint32(len(numbers))
				numbers[p.Link] = number
				block(1, []byte{byte(p.Link), byte(p.Link >> 8), 0, 0, 0, 0, 0, 0})
			}
			f := found{file: filepath.Base(name), link: p.Link}
			var d packet.Decoder
			var s packet.Segment
			if f.kind = d.Decode(p.Link, p.Data, int(p.Length), &s); f.kind == packet.TCP {
				f.tcp = fmt.Sprint(s.SrcPort, s.DstPort, s.Seq, s.Ack, s.Flags, s.Length)
			}
			header := make([]byte, 20)
			binary.LittleEndian.PutUint32(header, number)
			binary.LittleEndian.PutUint32(header[8:], uint32(len(all))*1000)
			binary.LittleEndian.PutUint32(header[12:], uint32(len(p.Data)))
			binary.LittleEndian.PutUint32(header[16:], max(p.Length, uint32(len(p.Data))))
			block(6, header, p.Data)
			all = append(all, f)
		})
	}
	if err := out.Flush(); err != nil {
		t.Fatal(err)
	}
	return all
}

// each yields the packets of a capture, as far as it can be read.
func each(path string, do func(*capture.Packet)) {
	in, err := os.Open(path)
	if err != nil {
		return
	}
	defer in.Close()
	r, _, err := capture.Open(in)
	if err != nil {
		return
	}
	defer r.Close()
	var p capture.Packet
	for n := 0; n < 400 && r.Next(&p) == nil; n++ {
		do(&p)
	}
}

// tsharkOf returns what tshark finds, and in what layers, by the number of the packet.
func tsharkOf(t *testing.T, path string) (said, layers map[int]string) {
	t.Helper()
	args := []string{
		"-r", path, "-n", "-Y", "tcp and not icmp and not icmpv6", "-T", "fields", "-E", "occurrence=l", "--disable-protocol", "vnc",
		"-o", "tcp.relative_sequence_numbers:FALSE", "-o", "ip.defragment:FALSE", "-o", "ipv6.defragment:FALSE", "-o", "tcp.desegment_tcp_streams:FALSE",
	}
	for _, f := range []string{"frame.number", "tcp.srcport", "tcp.dstport", "tcp.seq_raw", "tcp.ack_raw", "tcp.flags", "tcp.len", "frame.protocols"} {
		args = append(args, "-e", f)
	}
	out, err := exec.Command("tshark", args...).Output()
	if err != nil {
		t.Fatal(err)
	}
	said, layers = map[int]string{}, map[int]string{}
	for line := range strings.Lines(string(out)) {
		f := strings.Split(strings.TrimSuffix(line, "\n"), "\t")
		number, _ := strconv.Atoi(f[0])
		flags, _ := strconv.ParseUint(f[5], 0, 16)
		said[number] = strings.Join([]string{f[1], f[2], f[3], f[4], fmt.Sprint(flags & 0xff), f[6]}, " ")
		layers[number] = f[7]
	}
	return said, layers
}
