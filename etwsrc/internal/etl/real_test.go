package etl

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/closetrace/closetrace/etwsrc/etltest"
	"github.com/closetrace/closetrace/etwsrc/internal/raw"
)

// The numbers are those of the fixtures' NOTES.md, which a prototype found and
// PerfView's own baseline confirms where it has them.
var real = []struct {
	name     string
	os       string
	events   int
	lost     uint32
	provider raw.Provider
	counts   map[uint16]int
}{
	{
		"Tx-KernelNetwork.etl", "6.1.7601", 8924, 0, raw.KernelNetwork,
		map[uint16]int{10: 575, 11: 7968, 26: 26, 27: 134, 29: 2, 42: 8, 43: 149, 59: 61},
	},
	{
		"pv-net.4.5.2.x86.etl.zip", "", 168298, 0, raw.KernelTCP,
		map[uint16]int{10: 2, 11: 1, 13: 1, 15: 1, 26: 232, 27: 241},
	},
	{"etlparser-AMSITrace.etl", "", 0, 3, raw.Other, nil},
	{"etlparser-lxcore_kernel.etl", "", 0, 0, raw.Other, nil},
	{"pv-gcevents.etl.zip", "", 0, 0, raw.Other, nil},
	{"pv-primitive-types.etl.zip", "", 0, 0, raw.Other, nil},
}

func TestRealTracesAreReadWhole(t *testing.T) {
	for _, tt := range real {
		t.Run(tt.name, func(t *testing.T) {
			data := etltest.Fixture(t, tt.name)
			r, err := New(bytes.NewReader(data), int64(len(data)))
			if err != nil {
				t.Fatal(err)
			}
			events, counts := 0, map[uint16]int{}
			var e raw.Event
			for r.Next(&e) {
				events++
				if raw.ProviderOf(&e.Provider) == tt.provider && tt.provider != raw.Other {
					counts[e.ID]++
				}
			}
			if err := r.Err(); err != nil {
				t.Errorf("reading ended with %v", err)
			}
			info := r.Info()
			t.Logf("%+v buffers %d events %d", info, r.Buffers(), events)
			if tt.os != "" && info.OS != tt.os {
				t.Errorf("OS = %s, want %s", info.OS, tt.os)
			}
			if tt.events != 0 && events != tt.events {
				t.Errorf("events = %d, want %d", events, tt.events)
			}
			if info.EventsLost != tt.lost {
				t.Errorf("events lost = %d, want %d", info.EventsLost, tt.lost)
			}
			if got, want := fmt.Sprint(counts), fmt.Sprint(tt.counts); tt.counts != nil && got != want {
				t.Errorf("counts = %s, want %s", got, want)
			}
		})
	}
}

func TestEventsComeInTheOrderOfTime(t *testing.T) {
	for _, tt := range real {
		data := etltest.Fixture(t, tt.name)
		r, err := New(bytes.NewReader(data), int64(len(data)))
		if err != nil {
			t.Fatal(err)
		}
		var e raw.Event
		late, n, last := 0, 0, time.Time{}
		var worst time.Duration
		for r.Next(&e) {
			n++
			if now := e.Time.Go(); now.Before(last) {
				late++
				worst = max(worst, last.Sub(now))
			} else {
				last = now
			}
		}
		if n == 0 || late > 0 {
			t.Errorf("%s: %d of %d events are late, at most by %v", tt.name, late, n, worst)
		}
	}
}

// PerfView's baseline: the events in its order, with the time since the
// session's start in milliseconds.
func TestTimesAgreeWithPerfView(t *testing.T) {
	data := etltest.Fixture(t, "pv-net.4.5.2.x86.etl.zip")
	var want []string
	for line := range strings.Lines(string(etltest.Fixture(t, "pv-net.4.5.2.x86.baseline.TcpIp-lines.txt"))) {
		if rest, ok := strings.CutPrefix(line, "EVENT "); ok && strings.Contains(line, "Kernel/TcpIp/") {
			stamp, _, _ := strings.Cut(rest, ":")
			want = append(want, strings.ReplaceAll(stamp, ",", ""))
		}
	}
	if len(want) < 15 {
		t.Fatalf("%d lines in the baseline, want at least 15", len(want))
	}
	r, err := New(bytes.NewReader(data), int64(len(data)))
	if err != nil {
		t.Fatal(err)
	}
	have := map[string]int{}
	var e raw.Event
	for r.Next(&e) {
		if raw.ProviderOf(&e.Provider) == raw.KernelTCP {
			us := (e.Time.Sub(r.Info().Start) + 500) / time.Microsecond
			have[fmt.Sprintf("%d.%03d", us/1000, us%1000)]++
		}
	}
	for _, w := range want {
		if have[w] == 0 {
			t.Errorf("no event at %s ms", w)
		}
		have[w]--
	}
}
