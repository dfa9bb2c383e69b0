//go:build linux

package tracer_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strconv"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/closetrace/closetrace/internal/lab/sourcetest"
	"github.com/closetrace/closetrace/model"
	"github.com/closetrace/closetrace/tracer"
)

// floodClosed tries to connect, as often as its argument says, to a port on which
// nobody listens, each time from another address and port.
func floodClosed() error {
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
	f := flooded{NetNS: inode(info), Port: 1, Made: count, Counters: map[string]uint64{}}
	start := time.Now()
	for i := range count {
		fd, err := dialTCP([4]byte{127, 1 + byte(i>>16), byte(i >> 8), byte(i)}, f.Port)
		unix.Close(fd)
		if err == nil {
			return errors.New("somebody listens")
		}
		if !errors.Is(err, unix.ECONNREFUSED) {
			return fmt.Errorf("connect: %w", err)
		}
	}
	f.Took = time.Since(start)
	if err := f.read("/proc/self/net/snmp"); err != nil {
		return err
	}
	return json.NewEncoder(os.Stdout).Encode(f)
}

// TestStrayFlood: when resets go to ever new connections, a bounded number is reported
// individually, and the others are counted: together as many as the kernel counted. None
// is a loss, or takes room from ends.
func TestStrayFlood(t *testing.T) {
	requireRoot(t)
	tr := open(t, tracer.Options{})
	if !tr.Mode().SeesFunctions() && tracer.Inspect("").Reasons == 0 {
		t.Skip("before Linux 6.10 the tracepoint does not fire without a socket")
	}
	count := 20_000
	if testing.Short() || !onRealHardware() {
		count = 3_000
	}
	var made flooded
	var told, refused, singles, lost uint64
	ends := map[uint32]uint64{}
	tally(t, tr, func() {
		cmd := command("flood-closed", strconv.Itoa(count))
		cmd.SysProcAttr.Cloneflags = syscall.CLONE_NEWNET
		answer(t, cmd, &made)
	}, func(r *model.Record) {
		switch {
		case r.Kind == model.KindStray && r.Stray.Why == model.StrayNoListener && r.Teardown.Network.Local.Port == 1:
			told += r.Stray.Count
			singles++
		case r.Kind == model.KindStray && r.Stray.Why == model.StrayMore:
			told += r.Stray.Count
		case r.Kind == model.KindTeardown && r.Teardown.Cause == model.CauseRefused:
			ends[r.Teardown.Network.NetNS]++
		case r.Kind == model.KindLoss && r.Loss.Where != "hook":
			lost += r.Loss.Count
		}
	})
	refused = ends[made.NetNS]
	t.Logf("%d attempts in %v: %d resets told, %d of them alone; %d ends", made.Made, made.Took, told, singles, refused)
	if sent := made.Counters["OutRsts"]; told < sent || told > sent+sent/100+10 { // the rest of the host sends some
		t.Errorf("%d resets are told, the kernel counted %d", told, sent)
	}
	seconds := uint64(made.Took/time.Second) + 3
	if limit := seconds * 257; singles > limit {
		t.Errorf("%d connections are told apart in %d s, want at most %d", singles, seconds, limit)
	}
	if refused != uint64(made.Made) || lost != 0 {
		t.Errorf("%d ends, want %d; lost %d", refused, made.Made, lost)
	}
}
