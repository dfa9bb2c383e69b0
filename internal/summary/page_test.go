package summary

import (
	"bytes"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/closetrace/closetrace/model"
)

// ended is an end of a process, seconds after start.
func ended(process, peer string, seconds int, v model.Verdict, c model.Cause) *model.Record {
	r := &model.Record{Kind: model.KindTeardown}
	r.Teardown.Time = start.Add(time.Duration(seconds) * time.Second)
	r.Teardown.Process.Name, r.Teardown.Verdict, r.Teardown.Cause = process, v, c
	if peer != "" {
		r.Teardown.Network.Peer.Address = netip.MustParseAddr(peer)
	}
	return r
}

// TestHeadOfAPage: when, where and how much, and all that makes the numbers other than they look.
func TestHeadOfAPage(t *testing.T) {
	head := func(edit func(*Summary)) string {
		s := New()
		first := model.Record{Kind: model.KindStart}
		first.Start = model.Start{Time: start, Backend: "fentry", Host: model.Host{Name: "web-1"}, OS: model.OS{Type: "linux", Version: "6.18"}}
		s.Add(&first)
		s.Add(ended("nginx", "", 10, model.Graceful, model.CauseFIN))
		s.Add(&model.Record{Kind: model.KindStop, Stop: model.Stop{Time: start.Add(10 * time.Second)}})
		edit(s)
		p := &page{options: TextOptions{Width: 100}}
		p.head(s)
		return p.String()
	}
	begin := start.Go().Format("2006-01-02 15:04:05")
	end := start.Add(10 * time.Second).Go().Format("15:04:05")
	fits := strings.Repeat("x", 38) // in 100 columns
	line := begin + " - " + end + " UTC (10s)  web-1, linux 6.18, fentry\n"
	for _, c := range []struct {
		edit func(*Summary)
		want string
	}{
		{func(*Summary) {}, line + "1 connection end, 0.1 a second\n"},
		{func(s *Summary) { s.Inferred = 2 }, line + "1 connection end, 0.1 a second; 2 inferred\n"},
		{func(s *Summary) { s.Amended = 2 }, line + "1 connection end, 0.1 a second; 2 amended by later evidence\n"},
		{func(s *Summary) { s.Retracted = 2 }, line + "1 connection end, 0.1 a second; 2 linger timeouts taken back\n"},
		{func(s *Summary) { s.CloseFailed = 2 }, line + "1 connection end, 0.1 a second; 2 closes failed\n"},
		{func(s *Summary) { s.ClockSet = 1 }, line + "1 connection end, 0.1 a second; the clock was set 1 time\n"},
		{func(s *Summary) { s.Slept = time.Minute }, line + "1 connection end, 0.1 a second; the machine slept 1m00s\n"},
		{func(s *Summary) { s.OnlyCounted = 2 }, line + "1 connection end, 0.1 a second; 2 only counted in the kernel\n"},
		{func(s *Summary) { s.Start.Filter = "process.pid == 7" }, line + "1 connection end, 0.1 a second\nonly what matched the filter process.pid == 7\n"},
		{func(s *Summary) { s.Chosen = "since 17:00" }, line + "1 connection end, 0.1 a second\nshown is only since 17:00\n"},
		{func(s *Summary) { s.Stopped = 0 }, line + "1 connection end, 0.1 a second\nno stop line: the recording was cut, or is still being written\n"},
		{func(s *Summary) { s.Stopped, s.Live = 0, true }, line + "1 connection end, 0.1 a second\n"},
		{func(s *Summary) { s.Recordings = 3 }, line + "1 connection end, 0.1 a second\n3 recordings, 1 of them ended with a stop line\n"},
		{func(s *Summary) { s.Start.OS, s.Start.Host.Name = model.OS{}, "" }, begin + " - " + end + " UTC (10s)  fentry\n1 connection end, 0.1 a second\n"},
		{func(s *Summary) { s.Start.Host.Name = fits }, begin + " - " + end + " UTC (10s)  " + fits + ", linux 6.18, fentry\n1 connection end, 0.1 a second\n"},
		{func(s *Summary) { s.Start.Host.Name = fits + "x" }, begin + " - " + end + " UTC (10s)\n" + fits + "x, linux 6.18, fentry\n1 connection end, 0.1 a second\n"},
		{func(s *Summary) { s.First = 0 }, "nothing was recorded\n"},
	} {
		if got := head(c.edit); got != c.want {
			t.Errorf("got\n%swant\n%s", got, c.want)
		}
	}
	for after, want := range map[time.Duration]string{time.Second: "", 24 * time.Hour: "2006-01-02 ", 365 * 24 * time.Hour: "2006-01-02 "} {
		if got := dayIfOther(&Summary{First: start, Last: start.Add(after)}); got != want {
			t.Errorf("%v later: got %q, want %q", after, got, want)
		}
	}
}

// TestOrdinaryEndsAreCounted: those that were only counted are in every count but those of peers, and can be taken back.
func TestOrdinaryEndsAreCounted(t *testing.T) {
	s := New()
	counts := func(process string, ends, back, sent, received uint64) {
		r := model.Record{Kind: model.KindCounts, Counted: model.Counted{Ends: ends, TakenBack: back, Sent: sent, Received: received}}
		r.Teardown.Time, r.Teardown.Process.Name = start, process
		s.Add(&r)
	}
	counts("nginx", 5, 0, 100, 20)
	counts("curl", 2, 0, 1, 2)
	counts("nginx", 1, 2, 0, 0)
	if s.OnlyCounted != 6 || s.Total.Total() != 6 || s.Total.Verdicts[model.Graceful] != 6 || s.Causes[model.CauseFIN].Total() != 6 || s.Total.Moved != 123 {
		t.Errorf("got %d, %+v", s.OnlyCounted, s.Total)
	}
	if list := s.Processes(9); len(list) != 2 || list[0].Process != "nginx" || list[0].Teardowns != 4 || list[1].Teardowns != 2 || list[0].Verdicts["graceful"] != 4 {
		t.Errorf("got %+v", list)
	}
	var timed uint32
	for _, b := range s.Timeline.Buckets() {
		timed += b.Verdicts[model.Graceful]
	}
	if timed != 6 || len(s.Peers(9)) != 0 {
		t.Errorf("%d over time, peers %+v", timed, s.Peers(9))
	}
}

// TestComparisonText: both recordings, what makes them differ, and each change with its name.
func TestComparisonText(t *testing.T) {
	before, after := New(), New()
	for i := range 1000 {
		v, c := model.Graceful, model.CauseFIN
		if i < 50 {
			v, c = model.Abortive, model.CausePeerReset
		}
		before.Add(ended("nginx", "", i, v, c))
		if i < 200 {
			v, c = model.Abortive, model.CausePeerReset
		}
		after.Add(ended("nginx", "", i, v, c))
	}
	for i := range 12 {
		after.Add(ended("app"+string(rune('a'+i)), "", i, model.Graceful, model.CauseFIN))
	}
	before.Recordings, after.Recordings, after.Start.Backend = 1, 1, "kprobe"
	before.Lost.Ends = 7
	var out bytes.Buffer
	c := Compare(before, after)
	if err := c.Text(&out, TextOptions{}); err != nil {
		t.Fatal(err)
	}
	begin := start.Go().Format("2006-01-02 15:04:05")
	for _, want := range []string{
		"before   1,000 ends in 16m39s from " + begin + " UTC, 1 a second\n", "after    1,012 ends in 16m39s from " + begin + " UTC, 1.01 a second\n",
		"caution: backend differs: \"\" and \"kprobe\"\n", "caution: losses: before 7", "verdict ", "before     after      %      %  change\n",
		"abortive                          50       200    5.0   19.8  x 3.95, clear\n", "and 3 more (--json lists all)\n", "  <0.1  new, few\n",
		"\nby chance: clear once in 1,000 times",
	} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("no %q in\n%s", want, out.String())
		}
	}
	out.Reset()
	if err := Compare(New(), after).Text(&out, TextOptions{}); err != nil || !strings.Contains(out.String(), "before   nothing was recorded\n") || strings.Contains(out.String(), "caution") {
		t.Errorf("%v\n%s", err, out.String())
	}
	if got := extent(&Export{Teardowns: 1, First: start, Last: start.Add(999 * time.Millisecond)}); got != "1 end in 999ms from "+begin+" UTC" {
		t.Errorf("got %q", got)
	}
	for name, want := range map[string]string{"": "(process not known)", " ": `" "`, "nginx": "nginx"} {
		if got := known(name); got != want {
			t.Errorf("%q: got %q, want %q", name, got, want)
		}
	}
}

// TestNamesOfGroups: who talked to whom.
func TestNamesOfGroups(t *testing.T) {
	for _, c := range []struct {
		g    Group
		want string
	}{
		{Group{Process: "nginx"}, "nginx"},
		{Group{Peer: "10.0.0.9"}, "10.0.0.9"},
		{Group{Process: "nginx", Peer: "10.0.0.9", Port: 443, Role: model.Passive}, "nginx:443 < 10.0.0.9"},
		{Group{Process: "curl", Peer: "2001:db8::1", Port: 443, Role: model.Active}, "curl > [2001:db8::1]:443"},
	} {
		if got := c.g.Name(true); got != c.want {
			t.Errorf("got %q, want %q", got, c.want)
		}
	}
	if got := about(Group{Teardowns: 5}) + about(Group{Teardowns: 5, Over: 1}); got != "5<5" {
		t.Errorf("got %q, want that what may be too high says so", got)
	}
}

// TestSpark: the highest column is full, and the least end is seen.
func TestSpark(t *testing.T) {
	s := New()
	for range 799 {
		s.Add(ended("x", "", 0, model.Graceful, model.CauseFIN))
	}
	s.Add(ended("x", "", 300, model.Graceful, model.CauseFIN))
	p := &page{options: TextOptions{Width: 60, ASCII: true}}
	got := p.spark(s, model.Graceful)
	if !strings.HasPrefix(got, "@") || !strings.HasSuffix(got, " .") || len(got) > 20 {
		t.Errorf("got %q", got)
	}
	if p.options.ASCII = false; !strings.HasPrefix(p.spark(s, model.Graceful), "█") {
		t.Errorf("got %q", p.spark(s, model.Graceful))
	}
	if got := p.spark(s, model.Silent); got != "" {
		t.Errorf("nothing: got %q", got)
	}
}
