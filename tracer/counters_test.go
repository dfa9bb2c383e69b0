//go:build linux

package tracer

import (
	"fmt"
	"maps"
	"os"
	"os/exec"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/closetrace/closetrace/internal/lab/sourcetest"
	"github.com/closetrace/closetrace/model"
)

func TestParseCounts(t *testing.T) {
	got := map[string]uint64{}
	parseCounts([]byte("TcpExt: SyncookiesSent ListenOverflows TCPLoss\nTcpExt: 1 7 9\nIpExt: InNoRoutes\nIpExt: 4\nIp: OutNoRoutes\nIp: 5\nTcpExt: PAWSActive\n"), got)
	parsePairs([]byte("Ip6OutNoRoutes                  \t3\nIp6InReceives 4\nhalf\n"), got)
	parseConntrack([]byte("entries  clashres insert insert_failed drop invalid\n0000000a 0 0 0000000f 00000001 2\n0000000a 0 0 00000001 00000000 2\n\n"), got)
	want := map[string]uint64{
		"TcpExtSyncookiesSent": 1, "TcpExtListenOverflows": 7, "IpOutNoRoutes": 5, "Ip6OutNoRoutes": 3,
		"ConntrackInsertFailed": 16, "ConntrackDrop": 1, "ConntrackInvalid": 4,
	}
	if !maps.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

// TestCountersTellOfAFullQueue compares what is reported with what the kernel counted
// from before the trace began until after it ended.
func TestCountersTellOfAFullQueue(t *testing.T) {
	before, err := readCounts(self, true)
	if err != nil {
		t.Fatal(err)
	}
	tr := OpenOrSkip(t, Options{})
	records := sourcetest.RecordWhile(t, tr, func() {
		overflow(t)
		<-time.After(countEvery + 200*time.Millisecond)
	})
	after, err := readCounts(self, true)
	if err != nil {
		t.Fatal(err)
	}
	told, own := map[string]uint64{}, namespaceOf(self)
	for i := range records {
		c := &records[i].Counters
		if records[i].Kind != model.KindCounters || c.Network.NetNS != own {
			continue
		}
		if c.Time == 0 || c.Interval < countEvery || len(c.Counts) == 0 {
			t.Errorf("got %+v, want a time, at least a second and counts", c)
		}
		for name, n := range c.Counts {
			told[name] += n
		}
	}
	if told["TcpExtListenOverflows"] == 0 {
		t.Errorf("the full queue is not told: %v", told)
	}
	for name, n := range told {
		if counted := after[name] - before[name]; n > counted {
			t.Errorf("%s: told %d, and the kernel counted %d", name, n, counted)
		}
	}
}

// overflow connects to a listener that accepts nothing and has room for one connection.
func overflow(t *testing.T) {
	t.Helper()
	socket := func() int {
		fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { unix.Close(fd) })
		return fd
	}
	l := socket()
	if err := unix.Bind(l, &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}); err != nil {
		t.Fatal(err)
	}
	name, err := unix.Getsockname(l)
	if err != nil {
		t.Fatal(err)
	}
	if err := unix.Listen(l, 0); err != nil {
		t.Fatal(err)
	}
	for range 4 {
		_ = unix.Connect(socket(), name)
	}
}

// TestCountersOfAServerWhoseClientsEnd: the last process that had a socket in a namespace is
// often a client that has ended; the server before it still lives.
func TestCountersOfAServerWhoseClientsEnd(t *testing.T) {
	client := exec.Command("true")
	if err := client.Run(); err != nil {
		t.Skip(err)
	}
	n := &namespaces{known: map[uint32]*namespace{}}
	number := namespaceOf(self)
	n.meet(number, uint32(os.Getpid()), 1)
	for at := range ktime(3) {
		n.meet(number, uint32(client.Process.Pid), at+2)
	}
	s := n.known[number]
	if got, want := n.procOf(s), fmt.Sprintf("/proc/%d", os.Getpid()); got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	for at := range ktime(9) { // once found it is not forgotten
		n.meet(number, uint32(client.Process.Pid)+uint32(at%2), at+5)
	}
	if n.procOf(s) == "" {
		t.Error("the server is forgotten")
	}
}
