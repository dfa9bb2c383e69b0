//go:build linux

package tracer_test

import (
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/closetrace/closetrace/internal/lab"
	"github.com/closetrace/closetrace/model"
)

// hiddenEvents is an independent witness of what a host that hides process 1 keeps from
// BPF programs: ftrace sees it. It records, in an instance of its own, the events of TCP
// that happen on top of a thread that process 1 has at the start.
type hiddenEvents struct {
	pipe int // trace_pipe, which does not block
	mu   sync.Mutex
	rest string           // of a line that is not complete
	seen map[tuple]uint64 // events, of all the machine's connections
	of   netip.Prefix     // if valid, of its connections alone, and only counted
	ours uint64
}

// only counts the events of the connections of a network, because an hour has too many to
// remember.
func (h *hiddenEvents) only(network netip.Prefix) {
	if h != nil {
		h.of = network
	}
}

// tuple is a connection end: local, peer.
type tuple [2]netip.AddrPort

// tcpEvents are the events that the programs are attached to.
var tcpEvents = []string{
	"sock/inet_sock_set_state", "tcp/tcp_destroy_sock", "tcp/tcp_receive_reset",
	"tcp/tcp_send_reset", "tcp/tcp_retransmit_skb",
}

// watchHidden returns nil if nothing is hidden, or nothing can witness it: then nothing
// is excused.
func watchHidden(t *testing.T) *hiddenEvents {
	t.Helper()
	hides, err := hidesProcesses()
	if err != nil {
		t.Logf("look for hidden processes: %v", err)
	}
	if !hides {
		return nil
	}
	h := &hiddenEvents{seen: map[tuple]uint64{}}
	if err := h.start(t); err != nil {
		t.Logf("this host hides process 1, and nobody witnesses what: %v", err)
		return nil
	}
	return h
}

func (h *hiddenEvents) start(t *testing.T) error {
	tracefs, err := mountNowhere("tracefs")
	if err != nil {
		return err
	}
	t.Cleanup(func() { unix.Close(tracefs) })
	instances := fmt.Sprintf("/proc/self/fd/%d/instances/closetrace-test-", tracefs)
	left, _ := filepath.Glob(instances + "*")
	for _, old := range left {
		pid, _, _ := strings.Cut(strings.TrimPrefix(old, instances), "-")
		if _, err := os.Stat("/proc/" + pid); err != nil {
			os.Remove(old) // its test was killed
		}
	}
	instance := fmt.Sprintf("%s%d-%d", instances, os.Getpid(), tracefs)
	if err := os.Mkdir(instance, 0o700); err != nil {
		return err
	}
	t.Cleanup(func() {
		if err := os.Remove(instance); err != nil {
			t.Errorf("remove what records hidden events: %v", err)
		}
	})
	threads, err := filepath.Glob("/proc/1/task/*")
	if err != nil {
		return err
	}
	for i, thread := range threads {
		threads[i] = "common_pid == " + filepath.Base(thread)
	}
	for _, event := range tcpEvents {
		folder := filepath.Join(instance, "events", event)
		err = errors.Join(err,
			os.WriteFile(folder+"/filter", []byte(strings.Join(threads, " || ")), 0),
			os.WriteFile(folder+"/enable", []byte("1"), 0))
	}
	if err != nil {
		return err
	}
	h.pipe, err = unix.Open(instance+"/trace_pipe", unix.O_RDONLY|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("open trace_pipe: %w", err)
	}
	t.Cleanup(func() { unix.Close(h.pipe) })
	return nil
}

// mountNowhere returns a descriptor of a file system that is in no folder.
func mountNowhere(kind string) (int, error) {
	fs, err := unix.Fsopen(kind, unix.FSOPEN_CLOEXEC)
	if err != nil {
		return 0, fmt.Errorf("open %s: %w", kind, err)
	}
	defer unix.Close(fs)
	if err := unix.FsconfigCreate(fs); err != nil {
		return 0, fmt.Errorf("configure %s: %w", kind, err)
	}
	return unix.Fsmount(fs, unix.FSMOUNT_CLOEXEC, 0)
}

var (
	ofSocket  = regexp.MustCompile(` sport=(\d+) dport=(\d+) .*saddrv6=(\S+) daddrv6=(\S+)`)
	ofSegment = regexp.MustCompile(` src=(\S+) dest=(\S+)`)
)

// endOf returns the end that a line of ftrace is about.
func endOf(line string) (end tuple, ok bool) {
	var texts [2]string
	if m := ofSocket.FindStringSubmatch(line); m != nil {
		texts = [2]string{"[" + m[3] + "]:" + m[1], "[" + m[4] + "]:" + m[2]}
	} else if m := ofSegment.FindStringSubmatch(line); m != nil {
		texts = [2]string{m[1], m[2]}
	}
	for i, text := range texts {
		address, err := netip.ParseAddrPort(text)
		if err != nil {
			return end, false
		}
		end[i] = netip.AddrPortFrom(address.Addr().Unmap(), address.Port())
	}
	return end, true
}

// all returns what was recorded until now.
func (h *hiddenEvents) all() map[tuple]uint64 {
	if h == nil {
		return nil
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	buffer := make([]byte, 16<<10)
	for {
		n, err := unix.Read(h.pipe, buffer)
		if n <= 0 || err != nil { // EAGAIN: there is no more
			return maps.Clone(h.seen)
		}
		text := h.rest + string(buffer[:n])
		complete := strings.LastIndexByte(text, '\n') + 1
		h.rest = text[complete:]
		for line := range strings.Lines(text[:complete]) {
			switch end, ok := endOf(line); {
			case ok && !h.of.IsValid():
				h.seen[end]++
			case ok && h.of.Contains(end[0].Addr()) && h.of.Contains(end[1].Addr()):
				h.ours++
			}
		}
	}
}

// events is how many events were hidden on the whole machine, or of the one network.
func (h *hiddenEvents) events() (n uint64) {
	for _, count := range h.all() {
		n += count
	}
	if h != nil {
		n += h.ours
	}
	return n
}

// touch reports whether something of the scenario's connections was hidden.
func (h *hiddenEvents) touch(r *lab.Result) bool {
	seen := h.all()
	return slices.ContainsFunc(r.Ends, func(e lab.End) bool {
		return seen[tuple{e.Local, e.Peer}]+seen[tuple{e.Peer, e.Local}] > 0
	})
}

// besides counts the ends of which something was hidden, at a server's port, and which
// were not reported.
func (h *hiddenEvents) besides(told map[model.Network]int, port int) (n int) {
	known := map[tuple]bool{}
	for n := range told {
		known[tuple{n.Local.AddrPort(), n.Peer.AddrPort()}] = true
	}
	for end := range h.all() {
		if !known[end] && (int(end[0].Port()) == port || int(end[1].Port()) == port) {
			n++
		}
	}
	return n
}
