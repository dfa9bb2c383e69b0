package incidents

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/closetrace/closetrace/internal/summary"
	"github.com/closetrace/closetrace/model"
)

// end is what the test itself reads of a connection end.
type end struct {
	Kind, ID, Verdict, Cause, Confidence string
	Retracts                             bool
	Process, Closer                      struct {
		PID  int
		Name string
	}
	Network struct{ Local, Peer endpoint }
	TCP     struct {
		Bytes struct{ Unacked, Unread *uint64 }
		FIN   struct{ Received *bool }
	}
	Teardowns map[string]uint64 // of the stop line
	amended   bool
}

type endpoint struct {
	Address string
	Port    int
}

func (e endpoint) String() string { return fmt.Sprintf("%s.%d", e.Address, e.Port) }

// count is what the test itself counts.
type count struct {
	Ends, Lost, Lossy, Inferred, Amended uint64
	Verdicts, Causes, Processes, Peers   map[string]uint64
}

// read counts the recording as docs/record.md says: each end once, under what its
// outcome says, unless that is graceful and retracts nothing.
func (w *watch) read() (all []*end, total count, stop map[string]uint64) {
	w.t.Helper()
	data, err := os.ReadFile(filepath.Join(w.dir, "ends.jsonl"))
	if err != nil {
		w.t.Fatal(err)
	}
	known := map[string]*end{}
	for line := range bytes.Lines(data) {
		e := &end{}
		if err := json.Unmarshal(line, e); err != nil {
			w.t.Fatalf("%v: %s", err, line)
		}
		was := known[e.ID]
		switch {
		case e.Kind == "stop":
			stop = e.Teardowns
		case e.Kind != "teardown" && e.Kind != "outcome":
		case was == nil:
			known[e.ID] = e
			all = append(all, e)
		default:
			if e.Verdict != "graceful" || e.Retracts {
				was.amended = !e.Retracts && (was.Verdict != e.Verdict || was.Cause != e.Cause)
				was.Verdict, was.Cause, was.Confidence = e.Verdict, e.Cause, e.Confidence
			}
			for to, from := range map[**uint64]*uint64{&was.TCP.Bytes.Unacked: e.TCP.Bytes.Unacked, &was.TCP.Bytes.Unread: e.TCP.Bytes.Unread} {
				if from != nil {
					*to = from
				}
			}
		}
	}
	return all, countOf(all, func(*end) bool { return true }), stop
}

func countOf(all []*end, which func(*end) bool) count {
	c := count{Verdicts: map[string]uint64{}, Causes: map[string]uint64{}, Processes: map[string]uint64{}, Peers: map[string]uint64{}}
	for _, e := range all {
		if !which(e) {
			continue
		}
		c.Ends++
		c.Verdicts[e.Verdict]++
		c.Causes[e.Cause+" "+e.Verdict]++
		c.Processes[e.Process.Name+" "+e.Verdict]++
		c.Peers[e.Network.Peer.Address+" "+e.Verdict]++
		lost := uint64(0)
		for _, n := range []*uint64{e.TCP.Bytes.Unacked, e.TCP.Bytes.Unread} {
			if n != nil {
				lost += *n
			}
		}
		c.Lost += lost
		for n, is := range map[*uint64]bool{&c.Lossy: lost > 0, &c.Inferred: e.Confidence == "inferred", &c.Amended: e.amended} {
			if is {
				*n++
			}
		}
	}
	return c
}

// says finds the number of ends, and of those of each verdict, in a text.
func (c *count) says(t *testing.T, what, text, ends, verdict string) {
	t.Helper()
	find := func(pattern string) [][]string { return regexp.MustCompile(pattern).FindAllStringSubmatch(text, -1) }
	number := func(pattern string, m []string) uint64 {
		text := m[regexp.MustCompile(pattern).SubexpIndex("n")]
		n, _ := strconv.ParseUint(strings.ReplaceAll(text, ",", ""), 10, 64)
		return n
	}
	if m := find(ends); len(m) != 1 || number(ends, m[0]) != c.Ends {
		t.Errorf("%s: want %d ends, got %q", what, c.Ends, text)
	}
	var names []string
	for _, v := range model.Verdicts() {
		names = append(names, v.String())
	}
	verdict = fmt.Sprintf(verdict, strings.Join(names, "|"))
	got := map[string]uint64{}
	for _, m := range find(verdict) {
		if n := number(verdict, m); n > 0 {
			got[m[regexp.MustCompile(verdict).SubexpIndex("v")]] += n
		}
	}
	if !maps.Equal(got, c.Verdicts) {
		t.Errorf("%s: want %v, got %v of %q", what, c.Verdicts, got, text)
	}
}

// summarized compares the numbers of summary --json, and those of its text.
func (w *watch) summarized(want count) {
	w.t.Helper()
	run := func(args ...string) string {
		c := exec.Command(w.program, append([]string{"summary", "ends.jsonl"}, args...)...)
		c.Dir = w.dir
		out, err := c.Output()
		if err != nil {
			w.t.Fatalf("summary: %v", err)
		}
		return string(out)
	}
	text, _, _ := strings.Cut(run(), "\ncause")
	want.says(w.t, "summary", text, `(?m)^(?P<n>[\d,]+) connection ends?\b`, `(?m)^(?P<v>%s) +(?P<n>[\d,]+) `)
	var e summary.Export
	if err := json.Unmarshal([]byte(run("--json")), &e); err != nil {
		w.t.Fatal(err)
	}
	got := count{
		Ends: e.Teardowns, Lost: e.BytesLost, Lossy: e.EndsThatLost, Inferred: e.Inferred, Amended: e.Amended,
		Verdicts: e.Verdicts, Causes: map[string]uint64{}, Processes: map[string]uint64{}, Peers: map[string]uint64{},
	}
	add := func(to map[string]uint64, name string, verdicts map[string]uint64) {
		for v, n := range verdicts {
			to[name+" "+v] += n
		}
	}
	for _, c := range e.Causes {
		add(got.Causes, c.Cause.String(), c.Verdicts)
	}
	for _, g := range e.Processes {
		add(got.Processes, g.Process, g.Verdicts)
	}
	for _, g := range e.Peers {
		add(got.Peers, g.Peer, g.Verdicts)
	}
	if !reflect.DeepEqual(got, want) {
		w.t.Errorf("summary --json: got %+v, want %+v", got, want)
	}
}

var packet = regexp.MustCompile(`([0-9a-f:.]+)\.(\d+) > ([0-9a-f:.]+)\.(\d+): Flags \[([^]]*)\]`)

// onTheWire compares the recording with what tcpdump has seen in the namespace. Of
// each connection that was accepted (SYN-ACK) and ended (FIN or RST), each end on
// this host is in the recording once; of one that failed, the end that connected, as
// failed-open. Both ends of a connection with a RST are abortive, and no others are: in
// these scenes nobody resets what both sides have finished with.
func (w *watch) onTheWire(all []*end) {
	w.t.Helper()
	local := w.addresses()
	type connection struct{ accepted, ended, reset bool }
	wire := map[[2]string]*connection{} // the end that connected first
	for _, m := range packet.FindAllStringSubmatch(w.seen.String(), -1) {
		from, to, flags := m[1]+"."+m[2], m[3]+"."+m[4], m[5]
		c := wire[[2]string{to, from}]
		if c == nil {
			if c = wire[[2]string{from, to}]; c == nil {
				c = &connection{}
				wire[[2]string{from, to}] = c
			}
		}
		c.accepted = c.accepted || flags == "S."
		c.reset = c.reset || strings.Contains(flags, "R")
		c.ended = c.ended || c.reset || strings.Contains(flags, "F")
	}
	want, got := map[string]string{}, map[string]string{}
	for tuple, c := range wire {
		for i, e := range tuple {
			dot := strings.LastIndex(e, ".")
			how := "not aborted"
			switch {
			case !local[e[:dot]], i == 1 && !c.accepted, c.accepted && !c.ended:
				continue
			case !c.accepted:
				how = "failed-open"
			case c.reset:
				how = "abortive"
			}
			want[e+" to "+tuple[1-i]] = how
		}
	}
	for _, e := range all {
		how := e.Verdict
		if how != "abortive" && how != "failed-open" {
			how = "not aborted"
		}
		ends := fmt.Sprint(e.Network.Local, " to ", e.Network.Peer)
		if e.Verdict == "graceful" && e.Confidence == "inferred" && e.TCP.FIN.Received == nil && want[ends] == "abortive" {
			how = "abortive" // a busy peer's RST came after FIN_WAIT2 was handed over to TIME_WAIT
		}
		got[ends] += how // twice is wrong
	}
	if len(want) == 0 || !maps.Equal(got, want) {
		w.t.Errorf("recorded: %v\non the wire: %v\n%s", got, want, w.seen.String())
	}
}

// addresses are those of the scene's namespace.
func (w *watch) addresses() map[string]bool {
	w.t.Helper()
	local := map[string]bool{}
	if err := w.within(w.ns, func() error {
		list, err := net.InterfaceAddrs()
		for _, a := range list {
			local[a.(*net.IPNet).IP.String()] = true
		}
		return err
	}); err != nil {
		w.t.Fatal(err)
	}
	return local
}
