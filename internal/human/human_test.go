package human

import (
	"math"
	"net/netip"
	"testing"
	"time"

	"github.com/closetrace/closetrace/model"
)

const sevenColumns = 7

func TestBytes(t *testing.T) {
	for n, want := range map[uint64]string{
		0: "0 B", 999: "999 B", 1000: "1 kB", 1234: "1.23 kB", 12_345: "12.3 kB", 99_949: "99.9 kB", 99_950: "100 kB",
		999_499: "999 kB", 999_500: "1 MB", 1e18: "1 EB", 1<<64 - 1: "18.4 EB",
	} {
		if got := Bytes(n); got != want || len(got) > sevenColumns {
			t.Errorf("Bytes(%d) = %q, want %q", n, got, want)
		}
	}
}

func TestDuration(t *testing.T) {
	for d, want := range map[time.Duration]string{
		0: "0ns", 999: "999ns", 39_400: "39.4us", 999_600: "1ms", 1_234_567: "1.23ms", 41 * time.Millisecond: "41ms",
		5 * time.Second: "5s", 12_345_678_901: "12.3s", 59*time.Second + 940*time.Millisecond: "59.9s",
		59*time.Second + 960*time.Millisecond: "1m00s", 61 * time.Second: "1m01s", time.Hour - 1: "1h00m",
		25 * time.Hour: "25h00m", 1000 * time.Hour: "41d16h", -5 * time.Second: "-5s",
		math.MaxInt64: "106751d", math.MinInt64: "-106751d",
	} {
		if got := Duration(d); got != want {
			t.Errorf("Duration(%d) = %q, want %q", d, got, want)
		}
	}
	for d := time.Duration(1); d < 1e18; d = d*9/8 + 1 {
		if got := Duration(d); len(got) > sevenColumns {
			t.Errorf("Duration(%d) = %q: wider than %d columns", d, got, sevenColumns)
		}
	}
}

func TestCounts(t *testing.T) {
	for n, want := range map[uint64][2]string{
		0: {"0", "0"}, 999: {"999", "999"}, 99_999: {"99,999", "99999"}, 100_000: {"100,000", "100k"},
		999_999: {"999,999", "999k"}, 1_500_000: {"1,500,000", "1.5M"}, 1<<64 - 1: {"18,446,744,073,709,551,615", "18.4E"},
	} {
		if got := Count(n); got != want[0] {
			t.Errorf("Count(%d) = %q, want %q", n, got, want[0])
		}
		if got := ShortCount(n); got != want[1] {
			t.Errorf("ShortCount(%d) = %q, want %q", n, got, want[1])
		}
	}
}

func TestShares(t *testing.T) {
	for part, want := range map[float64]string{0: "0.0", 0.5: "<0.1", 1: "0.1", 123: "12.3", 1000: "100.0"} {
		if got := Percent(part, 1000); got != want {
			t.Errorf("Percent(%v, 1000) = %q, want %q", part, got, want)
		}
	}
	if got := Percent(0, 0); got != "" {
		t.Errorf("Percent of nothing = %q", got)
	}
	for rate, want := range map[float64]string{0: "0", 0.001: "<0.01", 0.25: "0.25", 99.9: "99.9", 99.96: "100", 12345.4: "12,345"} {
		if got := Rate(rate); got != want {
			t.Errorf("Rate(%v) = %q, want %q", rate, got, want)
		}
	}
}

func TestEndpoint(t *testing.T) {
	zone := netip.MustParseAddr("fe80::1").WithZone("\x1b[2J")
	for want, e := range map[string]model.Endpoint{
		"-":                   {},
		"?:443":               {Port: 443},
		"10.0.0.9:443":        {Address: netip.MustParseAddr("10.0.0.9"), Port: 443},
		"[::1]:443":           {Address: netip.IPv6Loopback(), Port: 443},
		`[fe80::1%\x1b[2J]:1`: {Address: zone, Port: 1},
	} {
		if got := Endpoint(e); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

func TestProcess(t *testing.T) {
	for want, p := range map[string]struct {
		name string
		pid  int
	}{"-": {}, "[812]": {pid: 812}, "nginx": {name: "nginx"}, `a\x1bb[7]`: {"a\x1bb", 7}} {
		if got := Process(p.name, p.pid); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

func TestLinger(t *testing.T) {
	on := model.Some(true)
	for want, l := range map[string]model.Linger{
		"": {Seconds: model.Some(3)}, "off": {On: model.Some(false), Seconds: model.Some(3)}, "on, time not known": {On: on},
		"on, 0 s": {On: on, Seconds: model.Some(0)}, "on, without limit": {On: on, Seconds: model.Some(-1)},
	} {
		if got := Linger(&l); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

func TestKnown(t *testing.T) {
	if got := Known(model.Some(uint64(0)), Bytes); got != "0 B" {
		t.Errorf("got %q", got)
	}
	if got := Known(model.Opt[uint64]{}, Bytes); got != "" {
		t.Errorf("of what is not known, got %q", got)
	}
}
