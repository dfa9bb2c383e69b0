package flow_test

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/closetrace/closetrace/wire/internal/capture"
	"github.com/closetrace/closetrace/wire/internal/flow"
	"github.com/closetrace/closetrace/wire/internal/packet"
)

// judgeFolder names a folder of captures that tshark judges, if not that of make
// public-captures; judgeAll, if it is set, lets it judge all of them: make judge-captures.
const (
	judgeFolder = "CLOSETRACE_PUBLIC_CAPTURES"
	judgeAll    = "CLOSETRACE_JUDGE_ALL"
)

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
	set(hasACK, c.Opened != 0 && !c.Shown || c.Midway())
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

// TestJudge compares the reading of public captures with tshark's, by connection and
// direction: whether there was a FIN and a RST, bytes, and retransmissions. Each
// difference has a named reason.
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
	least := 500
	if os.Getenv(judgeAll) == "" { // tshark takes a quarter of a second to begin
		paths, least = oneOf(4, paths), 150
	}
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
	if files < 30 || streams < least {
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
			all := []told{completeness(conns[number].complete, s)}
			for source, side := range s.sides {
				all = append(all, compare(source, conns[number].sides[side.ours], side)...)
			}
			for _, d := range all {
				if rest := s.explain(d.what, explained); rest != 0 {
					t.Errorf("%s: stream %s: %s", filepath.Base(path), id, d.text)
				}
			}
		}
	}
	return len(streams)
}

// told is a difference in words.
type told struct {
	what difference
	text string
}

// explain counts the reasons of a difference and returns the rest, which has none.
func (s *stream) explain(what difference, explained map[string]int) (rest difference) {
	rest = what
	for why, is := range s.why {
		if r := reasons[why]; is && r.explains&what != 0 {
			rest &^= r.explains
			explained[r.text]++
		}
	}
	return rest
}

// completeness compares with tcp.completeness: which of SYN, SYN-ACK, ACK, data, FIN and
// RST a connection has.
func completeness(ours int, s *stream) (d told) {
	differ := ours ^ s.complete
	for bit, what := range map[int]difference{hasSYN | hasSYNACK | hasACK: ofBegin, hasData: ofData, hasFIN: ofFIN, hasRST: ofRST} {
		if differ&bit != 0 {
			d.what |= what
		}
	}
	if differ&(hasSYN|hasSYNACK|hasACK) == hasACK && ours&hasACK != 0 && s.withData {
		s.why["with data"] = true
	}
	if ours&hasSYN == 0 {
		s.why["midway"] = true
		s.why["lone"] = s.complete == 0
	}
	d.text = fmt.Sprintf("completeness %06b, tshark %06b", ours, s.complete)
	return d
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
		if l.rst && x.began && l.next > x.bytes {
			s.why["ahead"] = true
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
		s.why["self"] = len(s.sides) == 1 && s.complete&(hasSYN|hasSYNACK) == hasSYN|hasSYNACK
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

// compare says what differs in one direction.
func compare(source string, o counts, x *side) (all []told) {
	want := x.bytes
	if want > 0 {
		want-- // the SYN
	}
	if x.fin && want > 0 {
		want--
	}
	say := func(differ bool, what difference, name string, ours, tsharks any) {
		if differ {
			all = append(all, told{what, fmt.Sprintf("from %s: %s: %v, tshark %v", source, name, ours, tsharks)})
		}
	}
	say(o.fin != x.fin, ofFIN, "FIN", o.fin, x.fin)
	say(o.rst != x.rst, ofRST, "RST", o.rst, x.rst)
	say(x.began && o.bytes != want, ofBytes, "bytes", o.bytes, want)
	say(o.retransmits != x.retransmits, ofRetransmits, "retransmits", o.retransmits, x.retransmits)
	return all
}
