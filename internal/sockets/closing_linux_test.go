package sockets

import (
	"context"
	"errors"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/closetrace/closetrace/model"
)

// setUp is a connection brought to the point where a is closed.
type setUp struct {
	name string
	make func(t *testing.T, p *pair)
	// counter of TcpExt that such a close moves, by the kernel's own account.
	counter string
}

// pair is a connection over loopback of which a will be closed; shut tells
// what the close leaves to be closed.
type pair struct {
	a, b, listener int
	extra          []int
}

func newPair(t *testing.T, family int) *pair {
	t.Helper()
	p := &pair{listener: listen(t, family, 16)}
	p.a = socketOf(t, family)
	var to unix.Sockaddr = &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}, Port: portOf(t, p.listener)}
	if family == unix.AF_INET6 {
		to = &unix.SockaddrInet6{Addr: [16]byte{15: 1}, Port: portOf(t, p.listener)}
	}
	if err := unix.Connect(p.a, to); err != nil {
		t.Fatal(err)
	}
	var err error
	if p.b, _, err = unix.Accept4(p.listener, unix.SOCK_CLOEXEC); err != nil {
		t.Fatal(err)
	}
	return p
}

func (p *pair) close() {
	for _, fd := range append(p.extra, p.a, p.b, p.listener) {
		if fd >= 0 {
			unix.Close(fd)
		}
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func lingers(seconds int32) func(*testing.T, *pair) {
	return func(t *testing.T, p *pair) {
		must(t, unix.SetsockoptLinger(p.a, unix.SOL_SOCKET, unix.SO_LINGER, &unix.Linger{Onoff: 1, Linger: seconds}))
	}
}

func sent(from byte, n int) func(*testing.T, *pair) {
	return func(t *testing.T, p *pair) {
		fd := p.a
		if from == 'b' {
			fd = p.b
		}
		_, err := unix.Write(fd, make([]byte, n))
		must(t, err)
	}
}

// stuffed: more data than the peer has room for, so that it stays here.
func stuffed(t *testing.T, p *pair) { stuff(t, p.a) }

func shut(from byte) func(*testing.T, *pair) {
	return func(t *testing.T, p *pair) {
		fd := p.a
		if from == 'b' {
			fd = p.b
		}
		must(t, unix.Shutdown(fd, unix.SHUT_WR))
	}
}

func all(steps ...func(*testing.T, *pair)) func(*testing.T, *pair) {
	return func(t *testing.T, p *pair) {
		for _, step := range steps {
			step(t, p)
		}
	}
}

func shared(t *testing.T, p *pair) {
	fd, err := unix.Dup(p.a)
	must(t, err)
	p.extra = append(p.extra, fd)
}

func linger2(t *testing.T, p *pair) {
	must(t, unix.SetsockoptInt(p.a, unix.IPPROTO_TCP, unix.TCP_LINGER2, -1))
}

func setUps() []setUp {
	nothing := func(*testing.T, *pair) {}
	return []setUp{
		{"nothing waits", nothing, ""},
		{"unread data", sent('b', 512), "TCPAbortOnClose"},
		{"unread data, and the peer's FIN", all(sent('b', 512), shut('b')), "TCPAbortOnClose"},
		{"the peer's FIN only", shut('b'), ""},
		{"linger zero", lingers(0), "TCPAbortOnData"},
		{"linger zero and unsent data", all(stuffed, lingers(0)), "TCPAbortOnData"},
		{"linger zero and unread data", all(sent('b', 1), lingers(0)), "TCPAbortOnClose"},
		{"linger zero after the peer's FIN", all(shut('b'), lingers(0)), "TCPAbortOnData"},
		{"linger zero after our FIN", all(shut('a'), lingers(0)), "TCPAbortOnData"},
		{"linger one second, unsent data", all(stuffed, lingers(1)), ""},
		{"linger one second, nothing waits", lingers(1), ""},
		{"unsent data", stuffed, ""},
		{"our FIN was sent", shut('a'), ""},
		{"our FIN was sent, unread data", all(shut('a'), sent('b', 5)), "TCPAbortOnClose"},
		{"both FINs but for ours", all(shut('b'), sent('a', 10)), ""},
		{"TCP_LINGER2 after our FIN", all(linger2, shut('a')), "TCPAbortOnLinger"},
		{"two descriptors", shared, ""},
		{"two descriptors and unread data", all(shared, sent('b', 5)), ""},
	}
}

// seen is what a close did by its own account and by that of the peer.
type seen struct {
	took    time.Duration
	peer    string // reset, eof, open
	counter string
}

// TestPredictionsByClosing predicts what close() does, and closes.
func TestPredictionsByClosing(t *testing.T) {
	for _, family := range []int{unix.AF_INET, unix.AF_INET6} {
		for _, s := range setUps() {
			t.Run(s.name+" "+strconv.Itoa(family), func(t *testing.T) {
				inNamespace(t, func() { predictAndClose(t, family, &s) })
			})
		}
	}
}

func predictAndClose(t *testing.T, family int, s *setUp) {
	p := newPair(t, family)
	defer p.close()
	s.make(t, p)
	awaitArrival(t, p)
	c := find(t, p.a)
	before := counters(t)
	began := time.Now()
	must(t, unix.Close(p.a))
	got := seen{took: time.Since(began)}
	p.a = -1
	got.peer = peerSees(t, p, c.OnClose.Effect)
	after := counters(t)
	for _, name := range []string{"TCPAbortOnClose", "TCPAbortOnData", "TCPAbortOnLinger"} {
		if after[name] != before[name] {
			got.counter = name
		}
	}
	if got.counter != s.counter {
		t.Fatalf("the kernel counted %q, want %q: the set-up is wrong", got.counter, s.counter)
	}
	got.check(t, &c)
}

// check compares the prediction with what happened.
func (s *seen) check(t *testing.T, c *Conn) {
	p := c.OnClose
	blocked := s.took > 500*time.Millisecond
	t.Logf("%v; close took %v, peer: %s, counted %q", p, s.took, s.peer, s.counter)
	if p.Unsure {
		t.Errorf("prediction %q is unsure, want a sure one", p)
	}
	if blocked && (p.Effect != EffectBlock || s.took > p.Wait+2*time.Second) {
		t.Errorf("close took %v, predicted %q", s.took, p)
	}
	want := map[Effect]string{
		EffectReset: "reset", EffectFIN: "eof", EffectDrain: "eof", EffectBlock: "eof", EffectFinish: "eof", EffectShared: "open",
	}[p.Effect]
	if s.peer != want {
		t.Errorf("peer sees %s, predicted %q (%s)", s.peer, p, want)
	}
	counters := map[model.Cause]string{
		model.CauseUnreadData: "TCPAbortOnClose", model.CauseLingerZero: "TCPAbortOnData", model.CauseLinger2Timeout: "TCPAbortOnLinger",
	}
	if s.counter != counters[p.Cause] {
		t.Errorf("the kernel counted %q, predicted cause %s", s.counter, p.Cause)
	}
}

// awaitArrival waits until what was sent has arrived as far as there is room.
func awaitArrival(t *testing.T, p *pair) {
	t.Helper()
	last, same := [4]int{}, 0
	for deadline := time.Now().Add(5 * time.Second); same < 20 && time.Now().Before(deadline); time.Sleep(2 * time.Millisecond) {
		now := [4]int{}
		for i, fd := range []int{p.a, p.b} {
			now[2*i], _ = unix.IoctlGetInt(fd, unix.SIOCINQ)
			now[2*i+1], _ = unix.IoctlGetInt(fd, unix.SIOCOUTQ)
		}
		if now == last {
			same++
		} else {
			last, same = now, 0
		}
	}
}

// find lists, and returns the row of a descriptor of ours.
func find(t *testing.T, fd int) Conn {
	t.Helper()
	rows, err := List(context.Background(), Options{Scope: Everything})
	must(t, err)
	cookie, err := unix.GetsockoptUint64(fd, unix.SOL_SOCKET, unix.SO_COOKIE)
	must(t, err)
	for _, c := range rows {
		if c.Socket.Cookie == cookie {
			return c
		}
	}
	t.Fatalf("no row has the cookie %x; have %d rows", cookie, len(rows))
	return Conn{}
}

// peerSees reads until the end: what the other side learns of the close.
func peerSees(t *testing.T, p *pair, predicted Effect) string {
	t.Helper()
	patience := 3 * time.Second
	if predicted == EffectShared {
		patience = 300 * time.Millisecond
	}
	tv := unix.NsecToTimeval(int64(patience))
	must(t, unix.SetsockoptTimeval(p.b, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &tv))
	b := make([]byte, 1<<20)
	for {
		n, err := unix.Read(p.b, b)
		switch {
		case errors.Is(err, unix.ECONNRESET), errors.Is(err, unix.EPIPE):
			return "reset"
		case errors.Is(err, unix.EAGAIN):
			return "open"
		case err != nil:
			t.Fatal(err)
		case n == 0:
			return eofOrReset(t, p)
		}
	}
}

// eofOrReset: after a FIN a reset shows in the socket's error only.
func eofOrReset(t *testing.T, p *pair) string {
	t.Helper()
	poll := []unix.PollFd{{Fd: int32(p.b), Events: unix.POLLOUT}}
	if _, err := unix.Poll(poll, 100); err == nil && poll[0].Revents&unix.POLLERR != 0 {
		return "reset"
	}
	return "eof"
}

// counters reads TcpExt of this thread's namespace.
func counters(t *testing.T) map[string]uint64 {
	t.Helper()
	text, err := os.ReadFile("/proc/thread-self/net/netstat")
	must(t, err)
	found := map[string]uint64{}
	var names []string
	for line := range strings.Lines(string(text)) {
		fields := strings.Fields(line)
		if len(fields) == 0 || fields[0] != "TcpExt:" {
			continue
		}
		if names == nil {
			names = fields
			continue
		}
		for i := 1; i < min(len(names), len(fields)); i++ {
			found[names[i]], _ = strconv.ParseUint(fields[i], 10, 64)
		}
	}
	return found
}
