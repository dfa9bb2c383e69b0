package flow_test

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/closetrace/closetrace/wire/internal/capture"
	"github.com/closetrace/closetrace/wire/internal/flow"
	"github.com/closetrace/closetrace/wire/internal/packet"
)

// judgeFolder names a folder of captures that tshark judges, if not that of make
// public-captures.
const judgeFolder = "CLOSETRACE_PUBLIC_CAPTURES"

// counts are of one direction of a connection.
type counts struct {
	fin, rst    bool
	bytes       uint64
	retransmits uint64
}

// frame is where a packet belongs.
type frame struct {
	conn uint64 // 0: none
	side int
}

// followed is a connection as we see it.
type followed struct {
	sides    [2]counts
	complete int
}

// The bits of tcp.completeness (epan/dissectors/packet-tcp.h of Wireshark).
const (
	hasSYN = 1 << iota
	hasSYNACK
	hasACK
	hasData
	hasFIN
	hasRST
)

// complete returns what tcp.completeness would be of a connection.
func complete(c *flow.Conn, rst bool) (bits int) {
	set := func(bit int, is bool) {
		if is {
			bits |= bit
		}
	}
	a, b := &c.Sides[0], &c.Sides[1]
	if c.Client >= 0 {
		set(hasSYN, c.Sides[c.Client].HasISN)
		set(hasSYNACK, c.Sides[1-c.Client].HasISN)
	}
	set(hasACK, c.Opened != 0 || c.Midway())
	set(hasData, a.FirstData != 0 || b.FirstData != 0)
	set(hasFIN, a.FIN != 0 || b.FIN != 0)
	set(hasRST, rst)
	return bits
}

// ours reads a capture and returns where each packet belongs, and what is known of each
// connection.
func ours(t *testing.T, path string) (frames []frame, conns map[uint64]followed) {
	t.Helper()
	in, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	r, _, err := capture.Open(in)
	if err != nil {
		t.Fatalf("%s: %v", path, err)
	}
	defer r.Close()
	conns = map[uint64]followed{}
	table := flow.NewTable(0, func(*flow.Conn) {})
	var d packet.Decoder
	var p capture.Packet
	for {
		if err := r.Next(&p); err != nil {
			if !errors.Is(err, io.EOF) {
				t.Logf("%s: %v", path, err)
			}
			return frames, conns
		}
		var s packet.Segment
		f := frame{}
		if d.Decode(p.Link, p.Data, int(p.Length), &s) == packet.TCP {
			if c, side := table.Add(&s, p.Time); c != nil {
				f = frame{c.Number, side}
				both := conns[c.Number]
				for i := range c.Sides {
					x := &c.Sides[i]
					both.sides[i].fin = x.FIN != 0
					both.sides[i].bytes, both.sides[i].retransmits = x.Bytes, x.Retransmits
				}
				both.sides[side].rst = both.sides[side].rst || s.Has(packet.RST)
				both.complete = complete(c, both.sides[0].rst || both.sides[1].rst)
				conns[c.Number] = both
			}
		}
		frames = append(frames, f)
	}
}

// line is what tshark says of a packet.
type line struct {
	stream, source string
	fin, rst, syn  bool
	next           uint64 // the number after it, relative to the first
	bare           bool   // it carries nothing
	again          bool   // a retransmission
	complete       int    // tcp.completeness, of the whole stream
	why            []string
}

// reasons are tshark's names for what makes two readers of a capture count differently,
// and what it is.
var reasons = map[string]string{
	"tcp.analysis.out_of_order":     "segments came in another order: tshark takes some for retransmissions by the round trip, we by 3 ms",
	"tcp.analysis.lost_segment":     "the capture lacks segments",
	"tcp.analysis.ack_lost_segment": "the capture lacks segments that were acknowledged",
	"tcp.analysis.keep_alive":       "keepalive probes with a byte",
	"tcp.analysis.reused_ports":     "the tuple was used again",
	"stragglers":                    "segments after the end",
	"midway":                        "the begin is not in the capture",
	"odd":                           "packets that tshark does not take for TCP (fuzzed ones)",
	"fins":                          "FINs with different numbers",
	"copies":                        "packets captured twice, with the same IP identification, which tshark takes for retransmissions",
}

var fields = []string{
	"frame.number", "tcp.stream", "ip.src", "ipv6.src", "tcp.srcport", "tcp.flags.fin", "tcp.flags.reset", "tcp.flags.syn", "tcp.nxtseq",
	"tcp.analysis.retransmission", "tcp.analysis.out_of_order", "tcp.analysis.ack_lost_segment", "tcp.analysis.lost_segment",
	"tcp.analysis.keep_alive", "tcp.analysis.reused_ports",
	"tcp.completeness", "ip.id", "frame.time_epoch", "tcp.seq", "tcp.ack", "tcp.flags",
}

// identity is the place of ip.id, after which are the time and what else makes two
// packets the same.
const identity = 16

// tshark returns what it says of the packets that have TCP. Its dissector of VNC hides
// the fields of TCP.
func tshark(path string) (map[int]line, error) {
	args := []string{"-r", path, "-2", "-Y", "tcp", "--disable-protocol", "vnc", "-o", "tcp.desegment_tcp_streams:FALSE", "-T", "fields", "-E", "occurrence=l"}
	for _, f := range fields {
		args = append(args, "-e", f)
	}
	out, _ := exec.Command("tshark", args...).Output() // of a file that was cut it fails, and what it read counts
	lines, before := map[int]line{}, map[string]float64{}
	for text := range strings.Lines(string(out)) {
		f := strings.Split(strings.TrimSuffix(text, "\n"), "\t")
		if len(f) != len(fields) {
			return nil, fmt.Errorf("%s: tshark says %q", path, text)
		}
		number, _ := strconv.Atoi(f[0])
		next, _ := strconv.ParseUint(f[8], 10, 64)
		seq, _ := strconv.ParseUint(f[identity+2], 10, 64)
		l := line{stream: f[1], source: f[2] + f[3] + ":" + f[4], fin: f[5] == "1", rst: f[6] == "1", syn: f[7] == "1", next: next, bare: next == seq, again: f[9] != ""}
		l.complete, _ = strconv.Atoi(f[identity-1])
		for i := 10; i < identity-1; i++ {
			if f[i] != "" {
				l.why = append(l.why, fields[i])
			}
		}
		same := strings.Join([]string{l.source, f[4], f[identity], strings.Join(f[identity+2:], " ")}, " ")
		at, _ := strconv.ParseFloat(f[identity+1], 64)
		if last, ok := before[same]; ok && l.again && at-last < 0.01 {
			l.why = append(l.why, "copies")
		}
		before[same] = at
		lines[number] = l
	}
	return lines, nil
}

// tsharks runs tshark for all files, two at a time: it takes most of the time.
func tsharks(paths []string) (all []map[int]line, err error) {
	all = make([]map[int]line, len(paths))
	errs := make([]error, len(paths))
	next := make(chan int)
	var running sync.WaitGroup
	for range 2 {
		running.Go(func() {
			for i := range next {
				all[i], errs[i] = tshark(paths[i])
			}
		})
	}
	for i := range paths {
		next <- i
	}
	close(next)
	running.Wait()
	return all, errors.Join(errs...)
}

// stream is a connection as tshark sees it.
type stream struct {
	conns map[uint64]bool  // ours
	sides map[string]*side // by address
	why   map[string]bool

	complete int
	opened   bool // what comes after the SYNs was seen
	withData bool // and it carried data
}

type side struct {
	counts
	ours  int
	began bool
	ends  map[uint64]bool // the numbers of FINs
}

// TestJudge compares with what tshark makes of public captures, connection by
// connection and direction by direction: whether there was a FIN and a RST, bytes, and
// retransmissions. Each difference has a name.
func TestJudge(t *testing.T) {
	folder := os.Getenv(judgeFolder)
	if folder == "" {
		folder = "../../../build/public-captures"
	}
	_, noTshark := exec.LookPath("tshark")
	if _, err := os.Stat(folder); err != nil || noTshark != nil {
		if slices.Contains(strings.Split(os.Getenv("CLOSETRACE_REQUIRE"), ","), "captures") {
			t.Fatalf("%v %v", err, noTshark)
		}
		t.Skip("needs tshark, and make public-captures")
	}
	paths, _ := filepath.Glob(filepath.Join(folder, "*.*cap*"))
	slices.Sort(paths)
	paths = slices.DeleteFunc(paths, func(path string) bool {
		info, err := os.Stat(path)
		return err != nil || info.Size() > judgedSize
	})
	said, err := tsharks(paths)
	if err != nil {
		t.Fatal(err)
	}
	files, streams, explained := len(paths), 0, map[string]int{}
	for i, path := range paths {
		streams += judge(t, path, said[i], explained)
	}
	t.Logf("%d files, %d connections", files, streams)
	for what, n := range explained {
		t.Logf("%d times another number: %s", n, what)
	}
	if files < 30 || streams < 500 {
		t.Errorf("%d files with %d connections: the test shows little", files, streams)
	}
}

// judgedSize leaves large files out, for which tshark takes long.
const judgedSize = 300_000

func judge(t *testing.T, path string, lines map[int]line, explained map[string]int) int {
	t.Helper()
	frames, conns := ours(t, path)
	streams := streamsOf(frames, lines)
	for id, s := range streams {
		if len(s.conns) != 1 {
			if len(s.conns) == 0 && s.why["stragglers"] {
				explained["RSTs without a connection"]++
			} else if !s.why["tcp.analysis.reused_ports"] && !s.why["stragglers"] {
				t.Errorf("%s: stream %s is %d connections", filepath.Base(path), id, len(s.conns))
			}
			continue
		}
		for number := range s.conns {
			completeness(t, path, id, conns[number].complete, s, explained)
		}
		for source, side := range s.sides {
			for number := range s.conns {
				what := difference(conns[number].sides[side.ours], side)
				switch {
				case what == "":
				case len(s.why) > 0:
					for why := range s.why {
						explained[reasons[why]]++
					}
				default:
					t.Errorf("%s: stream %s from %s: %s", filepath.Base(path), id, source, what)
				}
			}
		}
	}
	return len(streams)
}

// completeness compares with tcp.completeness: which of SYN, SYN-ACK, ACK, data, FIN and
// RST a connection has.
func completeness(t *testing.T, path, id string, ours int, s *stream, explained map[string]int) {
	t.Helper()
	differ := ours ^ s.complete
	switch {
	case differ == 0:
	case differ == hasACK && ours&hasACK != 0 && s.withData:
		explained["completeness: data came with the ACK that opened the connection, and tshark counts one without"]++
	case ours&hasSYN == 0:
		explained["completeness: "+reasons["midway"]]++
	case len(s.why) > 0:
		for why := range s.why {
			explained["completeness: "+reasons[why]]++
		}
	default:
		t.Errorf("%s: stream %s: completeness %06b, tshark %06b", filepath.Base(path), id, ours, s.complete)
	}
}

// streamsOf puts our connections and tshark's lines together.
func streamsOf(frames []frame, lines map[int]line) map[string]*stream {
	streams, odd := map[string]*stream{}, map[uint64]bool{}
	for n, f := range frames {
		l, ok := lines[n+1]
		if !ok {
			odd[f.conn] = true
			continue
		}
		s := streams[l.stream]
		if s == nil {
			s = &stream{conns: map[uint64]bool{}, sides: map[string]*side{}, why: map[string]bool{}}
			streams[l.stream] = s
		}
		x := s.sides[l.source]
		if x == nil {
			x = &side{ends: map[uint64]bool{}}
			s.sides[l.source] = x
		}
		x.add(&l)
		s.complete |= l.complete
		if !l.syn && !s.opened {
			s.opened, s.withData = true, !l.bare
		}
		if x.ours = f.side; f.conn == 0 {
			s.why["stragglers"] = true
		} else {
			s.conns[f.conn] = true
		}
		for _, why := range l.why {
			s.why[why] = true
		}
	}
	shared := map[uint64]int{}
	for _, s := range streams {
		for number := range s.conns {
			shared[number]++
		}
	}
	for _, s := range streams {
		for number := range s.conns {
			if odd[number] {
				s.why["odd"] = true
			}
			if shared[number] > 1 {
				s.why["tcp.analysis.reused_ports"] = true
			}
		}
		for _, x := range s.sides {
			if !x.began {
				s.why["midway"] = true
			}
			if x.bytes > 1<<31 { // a number before the first one
				s.why["midway"] = true
			}
			if len(x.ends) > 1 || x.fin && !x.ends[x.bytes] {
				s.why["fins"] = true
			}
		}
	}
	return streams
}

func (x *side) add(l *line) {
	x.fin, x.rst, x.began = x.fin || l.fin, x.rst || l.rst, x.began || l.syn
	if !l.rst {
		x.bytes = max(x.bytes, l.next)
	}
	if l.fin {
		x.ends[l.next] = true
	}
	if l.again {
		x.retransmits++
	}
}

// difference says what differs in one direction.
func difference(o counts, x *side) string {
	want := x.bytes
	if want > 0 {
		want-- // the SYN
	}
	if x.fin && want > 0 {
		want--
	}
	switch {
	case o.fin != x.fin:
		return fmt.Sprintf("FIN: %v, tshark %v", o.fin, x.fin)
	case o.rst != x.rst:
		return fmt.Sprintf("RST: %v, tshark %v", o.rst, x.rst)
	case x.began && o.bytes != want:
		return fmt.Sprintf("bytes: %d, tshark %d", o.bytes, want)
	case o.retransmits != x.retransmits:
		return fmt.Sprintf("retransmits: %d, tshark %d", o.retransmits, x.retransmits)
	}
	return ""
}
