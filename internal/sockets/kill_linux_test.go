package sockets

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"net/netip"
	"os"
	"os/exec"
	"strconv"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/closetrace/closetrace/internal/lab/sourcetest"
	"github.com/closetrace/closetrace/model"
)

// kill ends c and says what came of it.
func kill(t *testing.T, c *Conn) (Done, error) {
	t.Helper()
	var k Killer
	defer k.Close()
	return k.Kill(c)
}

// readError waits for the end of a connection and returns how it shows.
func readError(t *testing.T, fd int) error {
	t.Helper()
	tv := unix.NsecToTimeval(int64(5 * time.Second))
	must(t, unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &tv))
	n, err := unix.Read(fd, make([]byte, 1))
	if err == nil && n == 0 {
		return errors.New("EOF")
	}
	return err
}

func TestKill(t *testing.T) {
	for _, c := range []struct {
		name   string
		family int
		to     string
	}{
		{"IPv4", unix.AF_INET, "127.0.0.1"},
		{"IPv6", unix.AF_INET6, "::1"},
		{"IPv4-mapped IPv6", unix.AF_INET6, "::ffff:127.0.0.1"},
	} {
		t.Run(c.name, func(t *testing.T) {
			inNamespace(t, func() {
				p := connectTo(t, c.family, netip.MustParseAddr(c.to))
				defer p.close()
				row := find(t, p.a)
				done, err := kill(t, &row)
				if err != nil || done != DoneEnded {
					t.Errorf("kill: %v, %v, want ended", done, err)
				}
				if err := readError(t, p.a); !errors.Is(err, unix.ECONNABORTED) {
					t.Errorf("our end sees %v, want ECONNABORTED", err)
				}
				if err := readError(t, p.b); !errors.Is(err, unix.ECONNRESET) {
					t.Errorf("the peer sees %v, want ECONNRESET", err)
				}
				if _, err := kill(t, &row); !errors.Is(err, ErrGone) {
					t.Errorf("a second kill: %v, want %v", err, ErrGone)
				}
			})
		})
	}
}

func connectTo(t *testing.T, family int, to netip.Addr) *pair {
	t.Helper()
	p := &pair{listener: listen(t, family, 16), a: socketOf(t, family)}
	var name unix.Sockaddr = &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}, Port: portOf(t, p.listener)}
	if family == unix.AF_INET6 {
		name = &unix.SockaddrInet6{Addr: to.As16(), Port: portOf(t, p.listener)}
	}
	must(t, unix.Connect(p.a, name))
	var err error
	p.b, _, err = unix.Accept4(p.listener, unix.SOCK_CLOEXEC)
	must(t, err)
	return p
}

// TestKillRefusesReusedTuple: between list and kill the connection ends, and
// another one with the same addresses and ports takes its place.
func TestKillRefusesReusedTuple(t *testing.T) {
	inNamespace(t, func() {
		p := newPair(t, unix.AF_INET)
		defer p.close()
		row := find(t, p.a)
		port := portOf(t, p.a)
		lingers(0)(t, p) // no TIME_WAIT, so that the port is free at once
		must(t, unix.Close(p.a))
		p.a = socketOf(t, unix.AF_INET)
		must(t, unix.SetsockoptInt(p.a, unix.SOL_SOCKET, unix.SO_REUSEADDR, 1))
		must(t, unix.Bind(p.a, &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}, Port: port}))
		must(t, unix.Connect(p.a, &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}, Port: portOf(t, p.listener)}))
		fresh := find(t, p.a)
		if fresh.Network != row.Network || fresh.ID == row.ID {
			t.Fatalf("tuples %v and %v, ids %s and %s: want the same tuple and another id", row.Network, fresh.Network, row.ID, fresh.ID)
		}
		if _, err := kill(t, &row); !errors.Is(err, ErrGone) {
			t.Errorf("kill of the old connection: %v, want %v", err, ErrGone)
		}
		if _, err := unix.Write(p.a, []byte("x")); err != nil {
			t.Errorf("the new connection was hit: %v", err)
		}
		again := find(t, p.a)
		if again.State != model.Established {
			t.Errorf("the new connection is in %v, want ESTABLISHED", again.State)
		}
	})
}

// TestKillOrphan: 5.10 does nothing to an orphan, later kernels end it. What is
// said must be what is.
func TestKillOrphan(t *testing.T) {
	inNamespace(t, func() {
		p := newPair(t, unix.AF_INET)
		defer p.close()
		stuffed(t, p)
		cookie, err := unix.GetsockoptUint64(p.a, unix.SOL_SOCKET, unix.SO_COOKIE)
		must(t, err)
		must(t, unix.Close(p.a))
		p.a = -1
		row := byCookie(t, cookie)
		if !row.Orphan || row.State != model.FinWait1 || row.OnClose.Effect != EffectNothing {
			t.Errorf("row is %+v, want an orphan in FIN_WAIT1 that can't be closed again", row)
		}
		done, err := kill(t, &row)
		must(t, err)
		_, still := byCookieIf(t, cookie)
		if want := map[bool]Done{true: DoneNothing, false: DoneEnded}[still]; done != want {
			t.Errorf("kill says %v, want %v: the orphan is still there: %v", done, want, still)
		}
		if still && done.Why(&row) == nil {
			t.Error("nothing is said about a kill without effect")
		}
		t.Logf("this kernel: %v", done)
	})
}

func byCookie(t *testing.T, cookie uint64) Conn {
	t.Helper()
	c, ok := byCookieIf(t, cookie)
	if !ok {
		t.Fatalf("no row has the cookie %x", cookie)
	}
	return c
}

func byCookieIf(t *testing.T, cookie uint64) (Conn, bool) {
	t.Helper()
	rows, err := List(context.Background(), Options{Scope: Everything})
	must(t, err)
	for _, c := range rows {
		if c.Socket.Cookie == cookie {
			return c, true
		}
	}
	return Conn{}, false
}

func TestKillTimeWait(t *testing.T) {
	inNamespace(t, func() {
		p := newPair(t, unix.AF_INET)
		port := portOf(t, p.a)
		must(t, unix.Close(p.a))
		must(t, unix.Close(p.b))
		p.a, p.b = -1, -1
		defer p.close()
		row, ok := timeWaitOf(t, port)
		if !ok {
			t.Fatal("no TIME_WAIT was listed")
		}
		done, err := kill(t, &row)
		_, still := timeWaitOf(t, port)
		switch {
		case errors.Is(err, errors.ErrUnsupported): // before 6.5
			if !still {
				t.Error("the kernel ended a TIME_WAIT and said that it can't")
			}
		case err != nil || done != DoneEnded || still:
			t.Errorf("kill: %v, %v, still there: %v; want it ended", done, err, still)
		}
		t.Logf("this kernel: %v, %v", done, err)
	})
}

func timeWaitOf(t *testing.T, port int) (Conn, bool) {
	t.Helper()
	rows, err := List(context.Background(), Options{Scope: Everything})
	must(t, err)
	for _, c := range rows {
		if c.TCP.TimeWait && int(c.Network.Local.Port) == port {
			return c, true
		}
	}
	return Conn{}, false
}

func TestKillTwoHundred(t *testing.T) {
	inNamespace(t, func() {
		var pairs []*pair
		for range 200 {
			p := newPair(t, unix.AF_INET)
			defer p.close()
			pairs = append(pairs, p)
		}
		rows, err := List(context.Background(), Options{})
		must(t, err)
		byCookie := map[uint64]*Conn{}
		for i := range rows {
			byCookie[rows[i].Socket.Cookie] = &rows[i]
		}
		var k Killer
		defer k.Close()
		for _, p := range pairs {
			cookie, err := unix.GetsockoptUint64(p.a, unix.SOL_SOCKET, unix.SO_COOKIE)
			must(t, err)
			if done, err := k.Kill(byCookie[cookie]); err != nil || done != DoneEnded {
				t.Errorf("kill: %v, %v", done, err)
			}
		}
		for _, p := range pairs {
			if err := readError(t, p.b); !errors.Is(err, unix.ECONNRESET) {
				t.Errorf("a peer sees %v, want ECONNRESET", err)
			}
		}
	})
}

// holder starts a process that does nothing until the test ends: a copy of the
// test program, because a guest has no other.
func holder(t *testing.T, attributes *syscall.SysProcAttr) *exec.Cmd {
	t.Helper()
	c := exec.Command("/proc/self/exe", "-test.run=^TestHold$")
	c.Env = append(os.Environ(), "CLOSETRACE_TEST_HOLD=1")
	c.SysProcAttr = attributes
	_, err := c.StdinPipe()
	must(t, err)
	must(t, c.Start())
	t.Cleanup(func() { c.Process.Kill(); c.Wait() })
	return c
}

// TestHold is no test: it is what holder runs.
func TestHold(t *testing.T) {
	if os.Getenv("CLOSETRACE_TEST_HOLD") == "" {
		t.Skip("played by other tests only")
	}
	_, _ = io.Copy(io.Discard, os.Stdin)
}

// TestKillInOtherNamespace finds and ends a connection of a namespace that only
// a child process has.
func TestKillInOtherNamespace(t *testing.T) {
	needRoot(t)
	child := holder(t, &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNET})
	var info unix.Stat_t
	must(t, unix.Stat("/proc/"+strconv.Itoa(child.Process.Pid)+"/ns/net", &info))
	type made struct {
		p   *pair
		err error
	}
	ready, finish := make(chan made), make(chan struct{})
	go func() {
		lockThread() // the thread ends with its goroutine
		file, err := os.Open("/proc/" + strconv.Itoa(child.Process.Pid) + "/ns/net")
		if err == nil {
			defer file.Close()
			err = unix.Setns(int(file.Fd()), unix.CLONE_NEWNET)
		}
		if err == nil {
			err = sourcetest.LoopbackUp()
		}
		if err != nil {
			ready <- made{err: err}
			return
		}
		ready <- made{p: newPair(t, unix.AF_INET)}
		<-finish
	}()
	m := <-ready
	must(t, m.err)
	defer close(finish)
	defer m.p.close()
	cookie, err := unix.GetsockoptUint64(m.p.a, unix.SOL_SOCKET, unix.SO_COOKIE)
	must(t, err)
	if c, found := byCookieIf(t, cookie); found {
		t.Fatalf("without AllNetNS the list has %v of another namespace", c.Network)
	}
	rows, err := List(context.Background(), Options{AllNetNS: true})
	must(t, err)
	for i := range rows {
		if rows[i].Socket.Cookie != cookie {
			continue
		}
		if rows[i].Network.NetNS != uint32(info.Ino) || rows[i].Process.PID != os.Getpid() {
			t.Errorf("row has namespace %d and process %d, want %d and %d", rows[i].Network.NetNS, rows[i].Process.PID, info.Ino, os.Getpid())
		}
		if done, err := kill(t, &rows[i]); err != nil || done != DoneEnded {
			t.Errorf("kill: %v, %v", done, err)
		}
		if err := readError(t, m.p.b); !errors.Is(err, unix.ECONNRESET) {
			t.Errorf("the peer sees %v, want ECONNRESET", err)
		}
		return
	}
	t.Error("the connection of the other namespace is not listed")
}

func TestKillNeedsAPrivilege(t *testing.T) {
	inNamespace(t, func() {
		p := newPair(t, unix.AF_INET)
		defer p.close()
		row := find(t, p.a)
		header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
		var none [2]unix.CapUserData
		must(t, unix.Capset(&header, &none[0])) // of this thread, which ends with the test
		_, err := kill(t, &row)
		if !errors.Is(err, fs.ErrPermission) {
			t.Errorf("kill without CAP_NET_ADMIN: %v, want %v", err, fs.ErrPermission)
		}
		if _, err := unix.Write(p.a, []byte("x")); err != nil {
			t.Errorf("the connection was hit: %v", err)
		}
	})
}
