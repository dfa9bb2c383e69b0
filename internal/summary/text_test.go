package summary

import (
	"bytes"
	"encoding/json"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/charmbracelet/x/ansi"

	"github.com/closetrace/closetrace/model"
)

// TestTextFitsAndIsInert: hostile names neither control the terminal nor break
// the table.
func TestTextFitsAndIsInert(t *testing.T) {
	s := New()
	r := rand.New(rand.NewPCG(6, 6))
	for i := range 3000 {
		rec := end(r, i)
		s.Add(&rec)
	}
	s.Add(&model.Record{Kind: model.KindStart, Start: model.Start{Host: model.Host{Name: "h\x1b]0;x\a"}, Filter: "a\nb"}})
	other := New()
	rec := end(r, 1)
	other.Add(&rec)
	s.Add(&model.Record{Kind: model.KindLoss, Loss: model.Loss{Count: 17, Where: "ring-buffer\x1b[2J"}})
	s.Add(&model.Record{Kind: model.KindLoss, Loss: model.Loss{Count: 18, Where: strings.Repeat("hook", 30)}})
	for _, o := range []TextOptions{
		{Height: 23}, {Height: 23, ASCII: true}, {Height: 43}, {Width: 120, Height: 30}, {Width: 200, Height: 50}, {Rows: 1, Height: 23}, {}, {Width: 40},
	} {
		var out bytes.Buffer
		if err := s.Text(&out, o); err != nil {
			t.Fatal(err)
		}
		if n := strings.Count(out.String(), "\n"); n > o.Height && o.Height > 0 || n > 50 {
			t.Errorf("%+v: got %d lines:\n%s", o, n, &out)
		}
		for _, want := range []string{"abortive", "35 events could not be recorded", "aborted most"} {
			if !strings.Contains(out.String(), want) {
				t.Errorf("%+v: no %q in\n%s", o, want, &out)
			}
		}
		if o.Height == 0 && !strings.Contains(out.String(), `evil\x1b[2J`) {
			t.Errorf("%+v: the hostile name is not shown as text", o)
		}
		if err := Compare(s, New()).Text(&out, o); err != nil {
			t.Fatal(err)
		}
		checkInert(t, out.String(), max(o.Width, 80))
	}
	if _, err := json.Marshal(s.Export(5)); err != nil {
		t.Error(err)
	}
}

// checkInert fails if a line is wider than the screen or controls the terminal.
// The width is that of another library.
func checkInert(t *testing.T, text string, width int) {
	t.Helper()
	for line := range strings.Lines(text) {
		line = strings.TrimSuffix(line, "\n")
		if n := ansi.StringWidth(line); n > width {
			t.Errorf("%d columns, want at most %d: %s", n, width, line)
		}
		for _, c := range line {
			if c < ' ' || c == 0x7f || c == 0x202e {
				t.Errorf("line holds %U: %q", c, line)
			}
		}
	}
}

func TestEmptySummary(t *testing.T) {
	var out bytes.Buffer
	if err := New().Text(&out, TextOptions{}); err != nil || out.String() != "nothing was recorded\n" {
		t.Errorf("got %q, %v", out.String(), err)
	}
	out.Reset()
	if err := Compare(New(), New()).Text(&out, TextOptions{}); err != nil || !strings.HasPrefix(out.String(), "before   nothing was recorded\n") {
		t.Errorf("got %q, %v", out.String(), err)
	}
}

// TestNoStopLine: a recording that was cut says so in the text too, which may be all
// that is kept of it. A trace that still runs has no stop line yet.
func TestNoStopLine(t *testing.T) {
	const told = "no stop line: the recording was cut, or is still being written"
	for _, c := range []struct {
		live, stopped, want bool
	}{{want: true}, {stopped: true}, {live: true}} {
		s := New()
		s.Live = c.live
		s.Add(&model.Record{Kind: model.KindStart, Start: model.Start{Time: 1}})
		if c.stopped {
			s.Add(&model.Record{Kind: model.KindStop, Stop: model.Stop{Time: 2}})
		}
		var out bytes.Buffer
		if err := s.Text(&out, TextOptions{}); err != nil || strings.Contains(out.String(), told) != c.want {
			t.Errorf("%+v: got %q, %v", c, out.String(), err)
		}
	}
}

func TestClip(t *testing.T) {
	for _, c := range []struct {
		got, want string
	}{
		{clip("nginx", 5), "nginx"},
		{clip("postgres", 5), "post~"},
		{clip("日本語プロセス", 9), "日本語プ~"},
		{clip("日本語プロセス", 10), "日本語プ~"},
		{clip("\x1b[2J", 40), `\x1b[2J`},
		{middle("2001:db8:1234:5678:9abc:def0:1234:1", 28), "2001:db8:1234~bc:def0:1234:1"},
		{middle("10.0.0.9", 28), "10.0.0.9"},
	} {
		if c.got != c.want {
			t.Errorf("got %q, want %q", c.got, c.want)
		}
	}
}

// TestColumnsLineUp: the numbers of a table stand one below the other, whatever the
// names are made of. The widths are those of Unicode's EastAsianWidth.txt.
func TestColumnsLineUp(t *testing.T) {
	s := New()
	widths := map[string]int{"plain": 5, "ersatz\ufffd": 7, "\ufffd\ufffd": 2, "漢字": 4, "e\u0301te": 3, "Ωmega": 5, "한글": 4, "  ": 4}
	for name := range widths {
		r := model.Record{Kind: model.KindTeardown, Teardown: model.Teardown{Judgement: model.Judgement{Verdict: model.Abortive}}}
		r.Teardown.Time, r.Teardown.Process = model.Time(1e18), model.Process{PID: 1, Name: name}
		s.Add(&r)
	}
	var out bytes.Buffer
	if err := s.Text(&out, TextOptions{Rows: 20}); err != nil {
		t.Fatal(err)
	}
	for name, width := range widths {
		shown := name
		if name == "  " {
			shown = `"  "` // a name of blanks is shown as one
		}
		head := shown + strings.Repeat(" ", 23-width) + "      1"
		if !strings.Contains(out.String(), "\n"+head) {
			t.Errorf("no line begins with %q:\n%s", head, &out)
		}
	}
}

// TestNamesFit: a process is cut before an address, an address in its middle, and a
// port never.
func TestNamesFit(t *testing.T) {
	g := func(process, peer string, port uint16, role model.Role) *Group {
		return &Group{Process: process, Peer: peer, Port: port, Role: role}
	}
	for _, c := range []struct {
		g    *Group
		want string
	}{
		{g("docker-proxy", "10.0.0.9", 8000, model.Passive), "docker-proxy:8000 ← 10.0.0.9"},
		{g("docker-proxy-of-the-house", "10.0.0.9", 8000, model.Passive), "docker-proxy-of~:8000 ← 10.0.0.9"},
		{g("docker-proxy-of-the-house", "192.168.100.200", 58000, model.Active), "docker-~ → 192.168.100.200:58000"},
		{g("nginx", "2001:db8:1234:5678:9abc:def0:1234:1", 443, model.Passive), "nginx:443 ← 2001:db8:~ef0:1234:1"},
	} {
		got := c.g.fitted(32, false)
		if got != c.want || columns(got) > 32 {
			t.Errorf("got %q in %d columns, want %q", got, columns(got), c.want)
		}
	}
}

// TestNamesThatFitAreInert: the name of an interface in an address is escaped, whatever is cut.
func TestNamesThatFitAreInert(t *testing.T) {
	for _, role := range []model.Role{model.RoleUnknown, model.Active, model.Passive} {
		for width := 10; width < 60; width++ {
			g := Group{Process: "docker-proxy-of-the-house", Peer: "fe80::1%\x1b]0;x\a", Port: 443, Role: role}
			if got := g.fitted(width, false); strings.ContainsAny(got, "\x1b\a") {
				t.Errorf("%v in %d columns: %q", role, width, got)
			}
		}
	}
}

// TestTextSaysThatTheClockWasSet: the span of the recording is not what its times say then.
func TestTextSaysThatTheClockWasSet(t *testing.T) {
	s := New()
	rec := end(rand.New(rand.NewPCG(6, 6)), 1)
	s.Add(&rec)
	s.Add(&model.Record{Kind: model.KindClock, Clock: model.Clock{Time: rec.Time(), Step: -5e9, Suspended: 60e9}})
	var out bytes.Buffer
	if err := s.Text(&out, TextOptions{Width: 120}); err != nil {
		t.Fatal(err)
	}
	if want := "the clock was set 1 time; the machine slept 1m00s"; !strings.Contains(out.String(), want) {
		t.Errorf("no %q in\n%s", want, &out)
	}
}

// TestCutLongNames: a file may have names of megabytes; what is shown of them takes no
// longer than that of short ones, and is the same.
func TestCutLongNames(t *testing.T) {
	for _, unit := range []string{"n", "é", "宽", "a\u0301\u0302", "\x1b"} {
		long, fit := strings.Repeat(unit, 1<<17), strings.Repeat(unit, 200)
		begin := time.Now()
		for _, width := range []int{1, 12, 50} {
			if got, want := clip(long, width), clip(fit, width); got != want {
				t.Errorf("%q in %d columns: got %q, want %q", unit, width, got, want)
			}
			if got, want := middle(long, width), middle(fit, width); got != want {
				t.Errorf("the ends of %q in %d columns: got %q, want %q", unit, width, got, want)
			}
		}
		if took := time.Since(begin); took > 10*time.Second {
			t.Errorf("%q took %v", unit, took)
		}
	}
}
