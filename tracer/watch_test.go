//go:build linux

package tracer

import (
	"net"
	"testing"
	"time"

	"github.com/cilium/ebpf/link"
	"golang.org/x/sys/unix"

	"github.com/closetrace/closetrace/bpf"
	"github.com/closetrace/closetrace/internal/lab/sourcetest"
	"github.com/closetrace/closetrace/model"
)

// detach does to a program of a trace what bpftool link detach does.
func detach(t *testing.T, tr *Tracer, program string) {
	t.Helper()
	for _, attached := range tr.loaded.links {
		cgroup, ok := attached.(interface {
			link.Link
			Detach() error
		})
		info, err := attached.Info()
		if !ok || err != nil {
			continue
		}
		p, err := tr.loaded.objects.Programs[program].Info()
		fatal(t, err)
		if id, _ := p.ID(); id == info.Program {
			if err := cgroup.Detach(); err != nil {
				t.Skip(err)
			}
			return
		}
	}
	t.Skipf("%s is attached by no link", program)
}

// TestDetachedFromOutside: a loss reports that a program was detached; what ended
// meanwhile is inferred; and it is attached again if the trace still may.
func TestDetachedFromOutside(t *testing.T) {
	for name, may := range map[string]bool{"attached again": true, "no longer allowed": false} {
		tr := OpenOrSkip(t, Options{Mode: Tracepoint})
		if !may {
			for _, w := range tr.loaded.watches.all {
				w.again = func() (link.Link, error) { return nil, unix.EPERM }
			}
		}
		l, err := net.Listen("tcp4", "127.0.0.1:0")
		fatal(t, err)
		var ports [3]uint16
		one := func(n int) {
			c := connected(t, l)
			ports[n] = c.port()
			// Orderly: an orphan in FIN_WAIT2 is inferred where the peer's FIN comes late.
			fatal(t, c.client.(*net.TCPConn).CloseWrite())
			_, _ = c.server.Read(make([]byte, 1))
			c.server.Close()
			_, _ = c.client.Read(make([]byte, 1))
			c.client.Close()
			time.Sleep(300 * time.Millisecond)
		}
		told := 0
		confidence := map[uint16]model.Confidence{}
		for _, r := range sourcetest.RecordWhile(t, tr, func() {
			one(0)
			detach(t, tr, "sock_release")
			one(1)
			one(2)
		}) {
			if r.Kind == model.KindLoss && r.Loss.Where == "detached sock_release" {
				told++
			}
			if r.Kind == model.KindTeardown {
				confidence[r.Teardown.Network.Local.Port] = r.Teardown.Confidence
			}
		}
		l.Close()
		want := [3]model.Confidence{model.Certain, model.Inferred, model.Inferred}
		if may {
			// Attached again within a round, so that the second may have been seen whole.
			want[1], want[2] = confidence[ports[1]], model.Certain
		}
		got := [3]model.Confidence{confidence[ports[0]], confidence[ports[1]], confidence[ports[2]]}
		if told != 1 || got != want {
			t.Errorf("%s: told %d times, ends are %v, want %v", name, told, got, want)
		}
	}
}

// TestBlind: an end is hidden if a part of it came while a program was detached.
func TestBlind(t *testing.T) {
	open, shut := blind{}, blind{from: 100}
	over := blind{from: 100, until: 200}
	for _, c := range []struct {
		name         string
		b            blind
		began, ended uint64
		fin          uint64
		want         bool
	}{
		{"nothing was detached", open, 1, 500, 1, false},
		{"before", shut, 50, 100, 50, false},
		{"at the time", shut, 50, 101, 50, true},
		{"long after", shut, 1000, 2000, 1000, true},
		{"before it, and over", over, 50, 99, 50, false},
		{"began meanwhile", over, 150, 300, 160, true},
		{"began after", over, 200, 300, 210, false},
		{"a FIN meanwhile", over, 0, 300, 150, true},
		{"a FIN after", over, 0, 300, 200, false},
		{"a RST meanwhile", over, 0, 150, 0, true},
		{"a RST after", over, 0, 300, 0, false},
	} {
		if got := c.b.hid(&bpf.TraceEnd{CloseBegan: c.began, Ended: c.ended, FirstFin: c.fin}); got != c.want {
			t.Errorf("%s: got %v, want %v", c.name, got, c.want)
		}
	}
}
