package main

import (
	"encoding/binary"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// liveMost is what the screen may hold for itself, in kB.
const liveMost = 80_000

// storm makes ends in a network namespace of its own, rate a second or as many as it can,
// until it is stopped: of all kinds, each connection with a peer of its own.
func storm(t *testing.T, rate int, stop <-chan struct{}) (ends *atomic.Uint64, done <-chan struct{}) {
	ends = new(atomic.Uint64)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		runtime.LockOSThread() // it ends with its namespace
		closeAll(crowd(t, 0))
		var workers sync.WaitGroup
		defer workers.Wait()
		listener, port, err := listenAny()
		if err != nil {
			t.Error(err)
			return
		}
		defer unix.Close(listener)
		began := time.Now()
		for n := uint64(0); ; n++ {
			select {
			case <-stop:
				return
			default:
			}
			if due := began.Add(time.Duration(float64(2*n) / float64(max(rate, 1)) * 1e9)); rate > 0 {
				time.Sleep(time.Until(due))
			}
			if err := stormOne(listener, port, n); err != nil {
				t.Error(err)
				return
			}
			ends.Add(2)
		}
	}()
	return ends, ended
}

func listenAny() (fd, port int, err error) {
	if fd, err = unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0); err != nil {
		return 0, 0, err
	}
	if err := unix.Bind(fd, &unix.SockaddrInet4{}); err != nil {
		return 0, 0, err
	}
	if err := unix.Listen(fd, 128); err != nil {
		return 0, 0, err
	}
	name, err := unix.Getsockname(fd)
	if err != nil {
		return 0, 0, err
	}
	return fd, name.(*unix.SockaddrInet4).Port, nil
}

// stormOne makes one connection and ends it, in one of four ways; or one that is refused.
func stormOne(listener, port int, n uint64) error {
	client, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(client)
	from := &unix.SockaddrInet4{}
	binary.BigEndian.PutUint32(from.Addr[:], 127<<24|uint32(rand.N(1<<24-2))+1)
	if err := unix.Bind(client, from); err != nil {
		return err
	}
	to := &unix.SockaddrInet4{Port: port, Addr: [4]byte{127, 0, 0, 1}}
	if n%5 == 4 {
		to.Port = 9
		_ = unix.Connect(client, to) // refused
		return nil
	}
	if err := unix.Connect(client, to); err != nil {
		return err
	}
	server, _, err := unix.Accept4(listener, unix.SOCK_CLOEXEC)
	if err != nil {
		return err
	}
	defer unix.Close(server)
	switch n % 5 {
	case 1:
		_ = unix.SetsockoptLinger(client, unix.SOL_SOCKET, unix.SO_LINGER, &unix.Linger{Onoff: 1})
	case 2:
		_, err = unix.Write(client, []byte("never read"))
	case 3:
		_, err = unix.Write(server, []byte("never read"))
	}
	return err
}

// TestMemoryOfLive: the screen holds less than 80 MB for itself at the full speed of a
// generator, each of whose connections has a peer of its own, while its views are used.
// CLOSETRACE_LIVE says for how long, CLOSETRACE_LIVE_RATE how many ends a second.
func TestMemoryOfLive(t *testing.T) {
	needCapabilities(t)
	if testing.Short() {
		t.Skip("takes half a minute")
	}
	length, rate := 20*time.Second, 0
	if text := os.Getenv("CLOSETRACE_LIVE"); text != "" {
		var err error
		if length, err = time.ParseDuration(text); err != nil {
			t.Fatal(err)
		}
		_, _ = fmt.Sscan(os.Getenv("CLOSETRACE_LIVE_RATE"), &rate)
	}
	master, slave := newTerminal(t)
	if err := unix.IoctlSetWinsize(int(master.Fd()), unix.TIOCSWINSZ, &unix.Winsize{Row: 40, Col: 120}); err != nil {
		t.Fatal(err)
	}
	c := exec.Command(program(t), "live")
	c.Dir, c.Env = t.TempDir(), append(os.Environ(), "TERM=xterm-256color")
	onTerminal(slave)(c)
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	slave.Close()
	var drawn atomic.Int64
	go func() {
		b := make([]byte, 1<<16)
		for {
			n, err := master.Read(b)
			drawn.Add(int64(n))
			if err != nil {
				return
			}
		}
	}()
	for began := time.Now(); drawn.Load() == 0 && time.Since(began) < time.Minute; time.Sleep(10 * time.Millisecond) {
	}
	stop := make(chan struct{})
	ends, stormed := storm(t, rate, stop)
	most := 0
	for began, i := time.Now(), 0; time.Since(began) < length; i++ {
		time.Sleep(100 * time.Millisecond)
		now, _ := memoryOf(t, c.Process.Pid)
		most = max(most, now)
		if i%20 == 0 {
			_, _ = master.WriteString("3456211"[i/20%7 : i/20%7+1])
		}
		if i%100 == 99 {
			t.Logf("after %v: %d ends, %d kB", time.Since(began).Round(time.Second), ends.Load(), now)
		}
	}
	close(stop)
	<-stormed
	_, _ = io.WriteString(master, "q")
	if err := c.Wait(); err != nil {
		t.Error(err)
	}
	t.Logf("%d ends (%.0f/s): at most %d kB", ends.Load(), float64(ends.Load())/length.Seconds(), most)
	if most == 0 || most > liveMost {
		t.Errorf("%d kB, want at most %d", most, liveMost)
	}
}
