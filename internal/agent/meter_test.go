package agent

import (
	"fmt"
	"net/netip"
	"os"
	"testing"
	"time"

	"github.com/closetrace/closetrace/model"
)

func readFile(t *testing.T, path string) []byte {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// 10,000 names, 10,000 ports and 100,000 peers: all are counted, in a bounded number of series.
func TestCardinality(t *testing.T) {
	a := newTest(t, Options{MaxSeries: 500})
	const ends = 100_000
	for n := range ends {
		a.Add(end(n, func(t *model.Teardown) {
			t.Process.Name = fmt.Sprintf("name-%d\xff", n%10_000)
			t.Network.Local.Port = uint16(1 + n%10_000)
			t.Network.Peer.Address = netip.AddrFrom4([4]byte{10, byte(n >> 16), byte(n >> 8), byte(n)})
			t.Cause = model.Cause(1 + n%20)
			t.TCP.Idle, t.CloseBlocked = model.Some(time.Duration(n)), model.Some(time.Duration(n))
		}))
	}
	for name, most := range map[string]int{
		"connections_ended_total": 500 + 20*3, "lost_bytes_total": 2 * (500/20 + 1), "idle_before_close_seconds": 6, "close_blocked_seconds": 6,
	} {
		if _, series := gathered(t, a, name); series > most || series == 0 {
			t.Errorf("%s has %d series, want at most %d", name, series, most)
		}
	}
	if sum, _ := gathered(t, a, "connections_ended_total"); sum != ends {
		t.Errorf("%v ends are counted, want %d", sum, ends)
	}
	if sum, _ := gathered(t, a, "lost_bytes_total"); sum != ends*512 {
		t.Errorf("%v bytes, want %d", sum, ends*512)
	}
}

// The limits are kept by leaving out, in the promised order, and it comes back.
func TestShedding(t *testing.T) {
	s := newSink()
	a := newTest(t, Options{Endpoint: s.http(t)})
	memory := int64(100)
	a.shedder.memory, a.shedder.usage = 50, func() (int64, time.Duration) { return memory, 0 }
	now := time.Now()
	said := []string{}
	look := func(seconds int) {
		for range seconds {
			now = now.Add(time.Second)
			if text := a.shedder.look(now); text != "" {
				said = append(said, text)
			}
		}
	}
	look(7)
	if a.shedder.now() != shedEvents {
		t.Errorf("level %d after 7 s", a.shedder.now())
	}
	a.Add(end(1))
	look(20)
	if a.shedder.now() != shedProcesses || len(said) != 3 {
		t.Errorf("level %d, said %q", a.shedder.now(), said)
	}
	a.Add(end(2))
	memory = 10
	look(250)
	if a.shedder.now() != shedNothing {
		t.Errorf("level %d after memory was free for 4 minutes", a.shedder.now())
	}
	a.Add(end(3))
	closed(t, a)
	if exported, suppressed, _ := balance(t, a); exported != 1 || suppressed != 2 {
		t.Errorf("%d exported, %d suppressed, want 1 and 2", exported, suppressed)
	}
	if sum, series := gathered(t, a, "connections_ended_total"); sum != 3 || series != 2 {
		t.Errorf("%v ends in %d series, want 3 in that of nginx and the other", sum, series)
	}
}

func BenchmarkHealthyEnd(b *testing.B) {
	a, err := New(b.Context(), Options{})
	if err != nil {
		b.Fatal(err)
	}
	defer a.Close()
	ends := make([]*model.Record, 1<<16) // more than are remembered: no two of them are alike
	for i := range ends {
		ends[i] = end(i, healthy, func(t *model.Teardown) { t.TCP.Idle = model.Some(time.Second) })
	}
	n := 0
	b.ReportAllocs()
	for b.Loop() {
		r := ends[n%len(ends)]
		r.Teardown.Time = began.Add(time.Duration(n) * 50 * time.Microsecond) // 20,000 a second
		a.Add(r)
		n++
	}
}
