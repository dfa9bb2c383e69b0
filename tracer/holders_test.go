//go:build linux

package tracer

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/closetrace/closetrace/model"
	"github.com/closetrace/closetrace/tracer/process/processtest"
)

func openHolders(t *testing.T) *Holders {
	t.Helper()
	if os.Getuid() != 0 {
		t.Skip("needs root")
	}
	h, err := OpenHolders()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { h.Close() })
	return h
}

// TestHolders compares what the iterator reports with what the system calls return, for
// sockets of this process and of a child that inherited them.
func TestHolders(t *testing.T) {
	holders := openHolders(t)
	var files []*os.File
	for _, c := range []struct {
		family, kind    int
		linger, linger2 int // -2: not set
	}{
		{unix.AF_INET, unix.SOCK_STREAM, -2, -2},
		{unix.AF_INET6, unix.SOCK_STREAM, 0, -1},
		{unix.AF_INET, unix.SOCK_STREAM, 5, 30},
		{unix.AF_INET6, unix.SOCK_STREAM, -1, 0},
		{unix.AF_INET, unix.SOCK_STREAM, 1<<31 - 1, -2},
		{unix.AF_INET, unix.SOCK_DGRAM, -2, -2},
		{unix.AF_UNIX, unix.SOCK_STREAM, -2, -2},
	} {
		fd, err := unix.Socket(c.family, c.kind|unix.SOCK_CLOEXEC, 0)
		fatal(t, err)
		files = append(files, os.NewFile(uintptr(fd), "socket"))
		if c.linger != -2 {
			fatal(t, unix.SetsockoptLinger(fd, unix.SOL_SOCKET, unix.SO_LINGER, &unix.Linger{Onoff: 1, Linger: int32(c.linger)}))
		}
		if c.linger2 != -2 {
			fatal(t, unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_LINGER2, c.linger2))
		}
	}
	child := processtest.Sleeper(t, &exec.Cmd{ExtraFiles: files})
	all, err := holders.Read()
	fatal(t, err)
	for i, f := range files {
		compareHolder(t, all, int(f.Fd()), os.Getpid(), int(f.Fd()))
		compareHolder(t, all, int(f.Fd()), child, 3+i)
		f.Close()
	}
}

// compareHolder: descriptor of process pid refers to the socket fd of ours.
func compareHolder(t *testing.T, all []Holder, fd, pid, descriptor int) {
	t.Helper()
	var st unix.Stat_t
	fatal(t, unix.Fstat(fd, &st))
	family, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_DOMAIN)
	fatal(t, err)
	found := 0
	for i := range all {
		h := &all[i]
		if h.Inode != st.Ino || h.PID != pid || h.Descriptor != descriptor {
			continue
		}
		found++
		name, err := os.ReadFile(fmt.Sprintf("/proc/%d/comm", pid))
		fatal(t, err)
		const tick = 10_000_000 // nanoseconds of USER_HZ
		if h.Name+"\n" != string(name) || h.Started/tick != processtest.StartTicks(t, pid) || h.UID != uint32(os.Getuid()) {
			t.Errorf("holder is %+v, want the process %d, %q", h, pid, name)
		}
		if want := optionsOf(t, fd); h.Linger != want.Linger || h.Linger2 != want.Linger2 {
			t.Errorf("socket %d: SO_LINGER %v, TCP_LINGER2 %v; the system calls say %v, %v", fd, h.Linger, h.Linger2, want.Linger, want.Linger2)
		}
	}
	if want := map[bool]int{true: 1, false: 0}[family != unix.AF_UNIX]; found != want {
		t.Errorf("descriptor %d of %d, family %d, is told %d times, want %d", descriptor, pid, family, found, want)
	}
}

// optionsOf asks the system calls.
func optionsOf(t *testing.T, fd int) (h Holder) {
	t.Helper()
	if kind, _ := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_PROTOCOL); kind != unix.IPPROTO_TCP {
		return h
	}
	l, err := unix.GetsockoptLinger(fd, unix.SOL_SOCKET, unix.SO_LINGER)
	fatal(t, err)
	h.Linger.On = model.Some(l.Onoff != 0)
	if l.Onoff != 0 {
		h.Linger.Seconds = model.Some(max(int(l.Linger), -1)) // for ever comes back as LONG_MAX/HZ, cut
	}
	seconds, err := unix.GetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_LINGER2)
	fatal(t, err)
	h.Linger2 = model.Some(seconds)
	return h
}

// TestHoldersWithoutPrivileges: whether the iterator still reads when all capabilities
// are gone depends on the kernel; StaysReadable must know it.
func TestHoldersWithoutPrivileges(t *testing.T) {
	holders := openHolders(t)
	want := holders.StaysReadable()
	err := withOnly(func() error { _, err := holders.Read(); return err })
	if got := err == nil; got != want {
		t.Errorf("StaysReadable says %v, and reading without capabilities returned %v", want, err)
	}
	t.Logf("this kernel: %v", want)
	if err := withOnly(func() error { _, err := holders.Read(); return err }, unix.CAP_BPF); err != nil {
		t.Errorf("with CAP_BPF alone: %v", err) // what is kept where it does not
	}
}

// TestHoldersLimits compares how long the kernel waits for a peer with what the system
// calls say.
func TestHoldersLimits(t *testing.T) {
	holders := openHolders(t)
	const rtoMaxMs = 44 // TCP_RTO_MAX_MS, since 6.15
	set := map[int]int{unix.TCP_SYNCNT: 3, unix.TCP_USER_TIMEOUT: 4321, unix.TCP_KEEPCNT: 7, unix.TCP_KEEPINTVL: 11, rtoMaxMs: 30_000}
	for _, options := range []map[int]int{{}, set} { // those of the namespace, and its own
		fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
		fatal(t, err)
		defer unix.Close(fd)
		for option, value := range options {
			if err := unix.SetsockoptInt(fd, unix.IPPROTO_TCP, option, value); option != rtoMaxMs {
				fatal(t, err)
			}
		}
		get := func(option int) int {
			n, err := unix.GetsockoptInt(fd, unix.IPPROTO_TCP, option)
			if option != rtoMaxMs {
				fatal(t, err)
			}
			return n
		}
		var st unix.Stat_t
		fatal(t, unix.Fstat(fd, &st))
		all, err := holders.Read()
		fatal(t, err)
		for i := range all {
			if all[i].Inode != st.Ino {
				continue
			}
			c := all[i].Connection
			want := [...]time.Duration{
				time.Duration(get(unix.TCP_SYNCNT)), time.Duration(get(unix.TCP_KEEPCNT)), time.Duration(get(unix.TCP_KEEPINTVL)) * time.Second,
				time.Duration(get(unix.TCP_USER_TIMEOUT)) * time.Millisecond, time.Duration(get(rtoMaxMs)) * time.Millisecond,
			}
			got := [...]time.Duration{time.Duration(c.SYNRetries), time.Duration(c.KeepaliveProbes), c.KeepaliveInterval, c.UserTimeout, c.RTOMax}
			if got != want {
				t.Errorf("%v: got %v, the system calls say %v", options, got, want)
			}
			if text, err := os.ReadFile("/proc/sys/net/ipv4/tcp_syn_linear_timeouts"); err == nil && strings.TrimSpace(string(text)) != strconv.Itoa(c.SYNLinear) {
				t.Errorf("got %d SYNs without backing off, want %s", c.SYNLinear, text)
			}
		}
	}
}

func TestHoldersNeedPrivileges(t *testing.T) {
	openHolders(t) // works with them
	err := withOnly(func() error {
		h, err := OpenHolders()
		if err == nil {
			h.Close()
		}
		return err
	})
	if !errors.Is(err, os.ErrPermission) {
		t.Errorf("open without capabilities: %v, want %v", err, os.ErrPermission)
	}
}

func BenchmarkHolders(b *testing.B) {
	h, err := OpenHolders()
	if err != nil {
		b.Skip(err)
	}
	defer h.Close()
	for b.Loop() {
		if _, err := h.Read(); err != nil {
			b.Fatal(err)
		}
	}
}

func fatal(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
