//go:build linux

package tracer_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/closetrace/closetrace/internal/lab/sourcetest"
	"github.com/closetrace/closetrace/model"
	"github.com/closetrace/closetrace/tracer"
)

func ptr[T any](p *T) uintptr { return uintptr(unsafe.Pointer(p)) }

// flooded is what the generator of connections did, by its own count and by
// the kernel's counters of its namespace.
type flooded struct {
	NetNS    uint32
	Port     int // of the server
	Made     int
	Took     time.Duration
	Counters map[string]uint64
}

// floodLoopback makes as many short connections as its argument says, as fast
// as it can, in its own namespace. Addresses are spread over 127/8, so that
// ports do not run out.
func floodLoopback() error {
	count, err := strconv.Atoi(os.Args[1])
	if err != nil {
		return err
	}
	if err := sourcetest.LoopbackUp(); err != nil {
		return err
	}
	info, err := os.Stat("/proc/self/ns/net")
	if err != nil {
		return err
	}
	listener, port, err := listenTCP()
	if err != nil {
		return err
	}
	f := flooded{NetNS: inode(info), Port: port, Counters: map[string]uint64{}}
	start := time.Now()
	const clients = 4
	errs := make(chan error, clients+1)
	// A connection that is reset while the queue of the listener is full never
	// comes out of accept: fewer are under way than the queue has room for.
	underWay := make(chan struct{}, backlog/2)
	go func() { errs <- acceptAndClose(listener, count, underWay) }()
	var dialled sync.WaitGroup
	for c := range clients {
		dialled.Go(func() {
			for i := c; i < count; i += clients {
				underWay <- struct{}{}
				if err := floodOnce(i, port); err != nil {
					errs <- fmt.Errorf("connection %d: %w", i, err)
					return
				}
			}
		})
	}
	dialled.Wait()
	if err := <-errs; err != nil {
		return err
	}
	unix.Close(listener)
	if err := allEnded(); err != nil {
		return err
	}
	f.Took, f.Made = time.Since(start), count
	if err := f.read("/proc/self/net/snmp"); err != nil {
		return err
	}
	if err := f.read("/proc/self/net/netstat"); err != nil {
		return err
	}
	return json.NewEncoder(os.Stdout).Encode(f)
}

// floodOnce connects and closes: each tenth connection by a reset.
func floodOnce(i, port int) error {
	fd, err := dialTCP([4]byte{127, 1 + byte(i>>16), byte(i >> 8), byte(i)}, port)
	if err != nil {
		return err
	}
	if i%10 == 0 {
		if err := unix.SetsockoptLinger(fd, unix.SOL_SOCKET, unix.SO_LINGER, &unix.Linger{Onoff: 1}); err != nil {
			return err
		}
	}
	return unix.Close(fd)
}

func acceptAndClose(listener, count int, underWay <-chan struct{}) error {
	for range count {
		fd, _, err := unix.Accept(listener)
		if err != nil {
			return err
		}
		if err := unix.Close(fd); err != nil {
			return err
		}
		<-underWay
	}
	return nil
}

// allEnded waits until no connection is left but in TIME_WAIT: an orphan may have
// to send its FIN again.
func allEnded() error {
	for range 60_000 {
		text, err := os.ReadFile("/proc/self/net/sockstat")
		if err != nil {
			return err
		}
		if strings.Contains(string(text), "TCP: inuse 0 ") {
			return nil
		}
		time.Sleep(time.Millisecond) // the kernel has no event for it
	}
	return errors.New("connections are left after a minute")
}

// read adds the counters of a file of pairs of lines, names and values.
func (f *flooded) read(path string) error {
	text, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	lines := strings.Split(strings.TrimSpace(string(text)), "\n")
	for i := 0; i+1 < len(lines); i += 2 {
		names, values := strings.Fields(lines[i]), strings.Fields(lines[i+1])
		for j := range names {
			if n, err := strconv.ParseUint(values[j], 10, 64); err == nil && strings.HasPrefix(names[0], "Tcp") {
				f.Counters[names[j]] = n
			}
		}
	}
	return nil
}

func inode(info fs.FileInfo) uint32 {
	if stat, ok := info.Sys().(*syscall.Stat_t); ok {
		return uint32(stat.Ino)
	}
	return 0
}

// TestFlood: each of 100,000 connections has two ends, each reported once, though the
// kernel reuses the same few sockets.
func TestFlood(t *testing.T) {
	requireRoot(t)
	count := 100_000
	if testing.Short() || !onRealHardware() {
		count = 5_000
	}
	for _, mode := range tracer.TypedModes() {
		t.Run(string(mode), func(t *testing.T) {
			floodOf(t, mode, count).report(t)
		})
	}
}

func floodOf(t *testing.T, mode tracer.Mode, count int) problems {
	t.Helper()
	tr := open(t, tracer.Options{Mode: mode})
	defer tr.Close()
	hidden := watchHidden(t)
	var made flooded
	told := map[uint32]map[model.Network]int{}
	resets, lost := map[uint32]int{}, map[string]uint64{}
	tally(t, tr, func() {
		cmd := command("flood", strconv.Itoa(count))
		cmd.SysProcAttr.Cloneflags = syscall.CLONE_NEWNET
		answer(t, cmd, &made)
	}, func(r *model.Record) {
		switch r.Kind {
		case model.KindTeardown:
			n := r.Teardown.Network
			if told[n.NetNS] == nil {
				told[n.NetNS] = map[model.Network]int{}
			}
			told[n.NetNS][n]++
			if r.Teardown.TCP.RST.Received.Is(true) {
				resets[n.NetNS]++
			}
		case model.KindLoss:
			lost[r.Loss.Where] += r.Loss.Count
			t.Logf("lost %d: %s", r.Loss.Count, r.Loss.Where)
		default:
		}
	})
	t.Logf("%d connections in %v, %d reset; programs that did not run because they interrupted themselves: %v",
		made.Made, made.Took.Round(time.Millisecond), resets[made.NetNS], tr.Misses())
	found := checkFlood(t, &made, told[made.NetNS], lost, hidden)
	for _, program := range tr.SkippedAndNotCopied() {
		found.addf("the kernel skipped %s, and there is no copy that ran instead", program)
	}
	return found
}

// checkFlood: every end is reported once, except those that the host hid.
func checkFlood(t *testing.T, made *flooded, told map[model.Network]int, lost map[string]uint64, hidden *hiddenEvents) (found problems) {
	t.Helper()
	for where, n := range lost {
		if where != "hook" || n > hidden.events() {
			found.addf("lost %d messages: %s", n, where)
		}
	}
	twice := 0
	for _, n := range told {
		if n > 1 {
			twice++
		}
	}
	excused := hidden.besides(told, made.Port)
	t.Logf("%d events were hidden, of which %d ends are not told", hidden.events(), excused)
	if missing := 2*made.Made - len(told); missing < 0 || missing > excused || twice != 0 {
		found.addf("%d ends, want %d; %d told twice", len(told), 2*made.Made, twice)
	}
	opened := made.Counters["ActiveOpens"] + made.Counters["PassiveOpens"] - made.Counters["AttemptFails"]
	if missing := int(opened) - len(told); missing < 0 || missing > excused {
		found.addf("%d ends, the kernel counted %d", len(told), opened)
	}
	return found
}

// tally passes each record of what happens while do runs to the function each.
func tally(t *testing.T, tr *tracer.Tracer, do func(), each func(*model.Record)) {
	t.Helper()
	done := make(chan struct{})
	ctx, cancel := contextOf(t)
	go func() {
		defer close(done)
		defer cancel()
		do()
	}()
	for r, err := range model.Judged(tr.Events(ctx)) {
		if err != nil {
			t.Fatalf("read events: %v", err)
		}
		each(&r)
	}
	<-done
}

// onRealHardware reports whether the machine is fast enough for a flood: the
// guests of tools/vmtest emulate a processor.
func onRealHardware() bool {
	model, err := os.ReadFile("/proc/cpuinfo")
	return err == nil && !strings.Contains(string(model), "QEMU")
}
