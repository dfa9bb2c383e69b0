package main

import (
	"bufio"
	"math"
	"strings"
	"testing"
	"time"
)

// made returns rounds of a recording contender: n connections in seconds, of which the
// last round's file lacks some ends.
func made() (c *contender, rounds []round) {
	c = &contender{name: "x", command: func(string) []string { return nil }, ours: true, marks: []string{teardown, serverNet}}
	for _, r := range []struct {
		rate, cpu, own      float64
		ends, lost, counted uint64
	}{
		{900, 0.8, 0.002, 2000, 0, 0},
		{1000, 1.0, 0.004, 1980, 20, 20},
		{1400, 0.9, 0.012, 1900, 40, 45}, // 60 neither reported nor counted in the file
	} {
		rounds = append(rounds, round{
			load: load{Mode: "graceful", Connections: 1000, Seconds: 1, CPU: r.cpu}, rate: r.rate, tracerCPU: r.own,
			output: output{ends: r.ends, bytes: int64(r.ends) * 700, losses: map[string]uint64{"ring-buffer": r.lost, "late-evidence": 7}}, kernel: r.counted,
		})
	}
	return c, rounds
}

func near(a, b float64) bool { return math.Abs(a-b) < 1e-9 }

func TestMedianAndSpread(t *testing.T) {
	of := func(rates ...float64) (rounds []round) {
		for _, r := range rates {
			rounds = append(rounds, round{rate: r})
		}
		return rounds
	}
	for _, test := range []struct {
		rates          []float64
		want, low, top float64
	}{
		{[]float64{5}, 5, 5, 5},
		{[]float64{9, 1}, 5, 1, 9},
		{[]float64{9, 1, 2}, 2, 1, 9},
		{[]float64{4, 100, 1, 2}, 3, 1, 100},
		{[]float64{7, 7, 1, 90, 8}, 7, 1, 90},
	} {
		rounds := of(test.rates...)
		if got := median(rounds, rateOf); !near(got, test.want) {
			t.Errorf("median of %v: got %v, want %v", test.rates, got, test.want)
		}
		if low, top := spread(rounds, rateOf); !near(low, test.low) || !near(top, test.top) {
			t.Errorf("spread of %v: got %v to %v, want %v to %v", test.rates, low, top, test.low, test.top)
		}
		if rounds[0].rate != test.rates[0] {
			t.Errorf("the rounds of %v were put into another order", test.rates)
		}
	}
	if got := median(nil, rateOf); got != 0 {
		t.Errorf("median of no rounds: %v", got)
	}
}

// TestCosts: a connection has two ends, and times are in microseconds.
func TestCosts(t *testing.T) {
	_, rounds := made()
	if got := rounds[1].perEnd(); !near(got, 2) { // 4 ms for 2,000 ends
		t.Errorf("per end: got %v us, want 2", got)
	}
	if got := rounds[0].perConnection(); !near(got, 800) { // 0.8 s for 1,000 connections
		t.Errorf("per connection: got %v us, want 800", got)
	}
	r := round{programs: []program{{misses: 3}, {misses: 4}}}
	if got := r.skipped(); got != 7 {
		t.Errorf("skipped: got %d, want 7", got)
	}
}

// TestCompleteness: what was reported, what was counted as lost, and the rest.
func TestCompleteness(t *testing.T) {
	c, rounds := made()
	for i, want := range []struct {
		seen        float64
		unexplained int64
	}{{1, 0}, {0.99, 0}, {0.95, 60}} {
		if got := rounds[i].seen(c); !near(got, want.seen) {
			t.Errorf("round %d: seen %v, want %v", i, got, want.seen)
		}
		if got := rounds[i].unexplained(c); got != want.unexplained {
			t.Errorf("round %d: %d unexplained, want %d", i, got, want.unexplained)
		}
	}
	more := round{load: load{Connections: 10}, output: output{ends: 23}}
	if got := more.unexplained(c); got != -3 {
		t.Errorf("more ends than there were: got %d unexplained, want -3", got)
	}
	for _, test := range []struct {
		name string
		c    contender
		want float64
	}{
		{"the screen: what the kernel handed over", contender{ours: true, terminal: true}, 1 - 45.0/2000},
		{"no file: the same", contender{ours: true, discards: true}, 1 - 45.0/2000},
		{"another tool: a line for each end", contender{}, 0.95},
		{"packets: a FIN in each direction", contender{packets: true}, 0.95},
	} {
		if got := rounds[2].seen(&test.c); !near(got, test.want) {
			t.Errorf("%s: seen %v, want %v", test.name, got, test.want)
		}
		if got := rounds[2].unexplained(&test.c); got != 0 {
			t.Errorf("%s: %d unexplained, want 0: it has no account of losses", test.name, got)
		}
	}
}

// TestExpected: of every mode, how many segments with FIN or RST packet tools see.
func TestExpected(t *testing.T) {
	for mode, want := range map[string]float64{"graceful": 200, "linger0": 100, "unread": 100, "mixed": 150} {
		l := load{Mode: mode, Connections: 100}
		if got := (&contender{packets: true}).expected(&l); !near(got, want) {
			t.Errorf("%s: %v segments expected, want %v", mode, got, want)
		}
		if got := (&contender{}).expected(&l); !near(got, 200) {
			t.Errorf("%s: %v ends expected, want 200", mode, got)
		}
	}
	if len(segments) != len(modes) {
		t.Errorf("segments of %d modes, and there are %d", len(segments), len(modes))
	}
}

func TestWords(t *testing.T) {
	c, rounds := made()
	other, screen := &contender{}, &contender{ours: true, terminal: true}
	for _, test := range []struct{ what, got, want string }{
		{"seen, the worst round", seenWord(rounds, c), "95.00 %"},
		{"seen, all", seenWord(rounds[:1], c), "all"},
		{"lost, of all rounds by the kernel's counter", lostWord(rounds, c), "65"},
		{"lost, which another tool does not count", lostWord(rounds, other), ""},
		{"unexplained", unexplainedWord(rounds, c), "60"},
		{"unexplained, of the screen", unexplainedWord(rounds, screen), ""},
		{"bytes", bytesWord(rounds, c), "700"},
		{"bytes, of the screen", bytesWord(rounds, screen), ""},
		{"bytes, without ends", bytesWord([]round{{output: output{bytes: 50}}}, c), "50"},
		{"spread", spreadWord(rounds, rateOf), "900 and 1400"},
		{"percent, rounded down", percent(999, 1000), "99"},
		{"percent, all", percent(500, 500), "100"},
	} {
		if test.got != test.want {
			t.Errorf("%s: got %q, want %q", test.what, test.got, test.want)
		}
	}
}

// TestTable: shares are of the untraced rate; what a tracer adds is what the generator
// needs more, and the tracer's own time for both ends.
func TestTable(t *testing.T) {
	c, rounds := made()
	none := []round{{load: load{Connections: 1000, CPU: 0.7}, rate: 2000}}
	r := results{contenders: []contender{{name: "none"}, *c}, rounds: [][]round{none, rounds}}
	var b strings.Builder
	out := bufio.NewWriter(&b)
	r.table(out)
	out.Flush()
	// Medians: 1000 of 2000 connections/s, 900 us of the generator, 2 us an end.
	want := "| x | 1000 | 0.50 (0.45–0.70) | 900.0 | 2.00 | 204.0 | 0 | 95.00 % | 65 | 60 | 700 |"
	if !strings.Contains(b.String(), want) {
		t.Errorf("got\n%s\nwant the line\n%s", b.String(), want)
	}
	bars := r.bars()
	if len(bars) != 2 || !near(bars[1].rate, 0.5) || !near(bars[1].added, 204) || bars[0].added != 0 {
		t.Errorf("the picture's bars: %+v", bars)
	}
}

func TestListingMedian(t *testing.T) {
	l := listing{took: []time.Duration{9, 1, 3}}
	if got := l.median(); got != 3 {
		t.Errorf("got %v, want 3ns", got)
	}
	if l.took[0] != 1 || l.took[2] != 9 {
		t.Errorf("%v: the text takes the first and the last as the extremes", l.took)
	}
}

func TestRequestsPerSecond(t *testing.T) {
	const printed = `Running 1s test @ http://127.0.0.1:8080/
  1 threads and 20 connections
  26301 requests in 1.00s, 3.94MB read
Requests/sec:  26180.25
Transfer/sec:      3.92MB
`
	if got, err := requestsPerSecond(printed); err != nil || got != 26180.25 {
		t.Errorf("got %g, %v", got, err)
	}
	for _, bad := range []string{"", "unable to connect", printed + "  Non-2xx or 3xx responses: 12\n"} {
		if got, err := requestsPerSecond(bad); err == nil {
			t.Errorf("%q: got %g, want an error", bad, got)
		}
	}
	if got := middle([]float64{3, 1, 2}); got != 2 {
		t.Errorf("the middle of 3, 1 and 2 is %g", got)
	}
}
