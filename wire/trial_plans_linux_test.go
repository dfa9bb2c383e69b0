package wire_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/netip"
	"os"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// plan is how the ends of a connection behave.
type plan string

const (
	clientFirst   plan = "the client closes first"
	serverFirst   plan = "the server closes first"
	halfClose     plan = "the client shuts down, the server goes on and closes"
	clientResets  plan = "the client resets"
	serverResets  plan = "the server resets"
	unread        plan = "the server closes with unread data"
	afterClose    plan = "the client closes, the server goes on sending"
	resetAfterFIN plan = "the server shuts down, then the client resets"
)

var plans = []plan{clientFirst, serverFirst, halfClose, clientResets, serverResets, unread, afterClose, resetAfterFIN}

func isReset(err error) bool {
	return errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE)
}

func isTimeout(err error) bool { return errors.Is(err, os.ErrDeadlineExceeded) }

// patience is how long an end waits for the other.
const patience = 6 * time.Second

// run makes n connections, 16 at a time, each tuple twice in a row.
func (s *trial) run(n int) (all []truth) {
	random := rand.New(rand.NewPCG(3, 4))
	type job struct {
		port  uint16
		plans [2]plan
		size  [2]int
	}
	jobs := make(chan job)
	var mu sync.Mutex
	var running sync.WaitGroup
	for range 16 {
		running.Go(func() {
			for j := range jobs {
				for i, p := range j.plans {
					ends := s.connection(j.port, p, j.size[i])
					mu.Lock()
					all = append(all, ends...)
					mu.Unlock()
					s.settle(j.port)
				}
			}
		})
	}
	for i := range n / 2 {
		// The end that closes first keeps the tuple in TIME_WAIT: the server gives it up
		// at once.
		jobs <- job{
			uint16(20000 + i),
			[2]plan{plans[(i+i/len(plans))%len(plans)], plans[random.IntN(len(plans))]},
			[2]int{random.IntN(40_000), random.IntN(4000)},
		}
	}
	close(jobs)
	running.Wait()
	time.Sleep(2 * time.Second) // retransmissions of what was closed
	return all
}

// connection plays a plan; nothing if it could not be opened.
func (s *trial) connection(port uint16, p plan, size int) []truth {
	at := netip.AddrPortFrom(netip.MustParseAddr("10.9.1.2"), port)
	began := time.Now()
	accepted := make(chan *net.TCPConn, 1)
	s.waiting.Store(at, accepted)
	defer s.waiting.Delete(at)
	c, err := s.dial(at)
	if err != nil {
		return nil
	}
	defer c.Close()
	_, _ = c.Write(make([]byte, 1+size)) // an error comes again
	var peer *net.TCPConn
	select {
	case peer = <-accepted:
	case <-time.After(patience):
		return nil
	}
	defer peer.Close()
	client := truth{plan: p, local: at, peer: trialServer, began: began}
	server := truth{plan: p, local: trialServer, peer: at, began: began}
	var both sync.WaitGroup
	both.Go(func() { client.over, client.err = s.play(c, p, &client, true, size) })
	both.Go(func() { server.over, server.err = s.play(peer, p, &server, false, size) })
	both.Wait()
	return []truth{client, server}
}

// settle waits until both ends of a client's port are gone or in TIME_WAIT, so that what
// comes then is of the next connection.
func (s *trial) settle(port uint16) {
	const timeWait = "06"
	word := fmt.Sprintf(":%04X", port)
	for until := time.Now().Add(patience); time.Now().Before(until); time.Sleep(10 * time.Millisecond) {
		busy := false
		for ns := range s.names {
			s.in(ns, func() {
				text, err := os.ReadFile("/proc/thread-self/net/tcp")
				if err != nil {
					s.t.Error(err)
				}
				for line := range strings.Lines(string(text)) {
					if f := strings.Fields(line); len(f) > 3 && strings.Contains(f[1]+f[2], word) && f[3] != timeWait {
						busy = true
					}
				}
			})
		}
		if !busy {
			time.Sleep(15 * time.Millisecond) // what the router delays
			return
		}
	}
}

// play is what one end does. It returns what its last read or write returned.
func (s *trial) play(c *net.TCPConn, p plan, x *truth, client bool, size int) (over time.Time, err error) {
	_ = c.SetDeadline(time.Now().Add(patience))
	defer func() { over = time.Now() }()
	first := func() { x.first = true }
	reset := func() error {
		x.reset = true
		_ = c.SetLinger(0)
		return c.Close()
	}
	toEnd := func() error { _, err := io.Copy(io.Discard, c); return err }
	if !client && p != unread {
		if _, err := io.CopyN(io.Discard, c, int64(1+size)); err != nil {
			return over, err
		}
	}
	switch {
	case client && p == clientFirst, client && p == halfClose, !client && p == serverFirst, !client && p == resetAfterFIN:
		first()
		_ = c.CloseWrite() // the rest is read, so that a RST is noticed
		err = toEnd()
		return over, errors.Join(err, ignore(c.Close()))
	case client && p == clientResets, !client && p == serverResets:
		time.Sleep(20 * time.Millisecond)
		return over, reset()
	case client && p == resetAfterFIN:
		if err = toEnd(); err != nil {
			return over, err
		}
		return over, reset()
	case !client && p == unread:
		s.eventuallyReadable(c)
		x.reset = true
		return over, c.Close()
	case client && p == afterClose:
		first()
		x.reset = true // what comes then is answered with RST
		return over, c.Close()
	case !client && p == afterClose:
		for err == nil {
			_, err = c.Write(make([]byte, 1000))
			time.Sleep(10 * time.Millisecond)
		}
		return over, err
	}
	if err = toEnd(); err != nil {
		return over, err
	}
	if !client && p == halfClose {
		if _, err = c.Write(make([]byte, 20_000)); err != nil {
			return over, err
		}
	}
	return over, ignore(c.Close())
}

func ignore(error) error { return nil }

func (s *trial) eventuallyReadable(c *net.TCPConn) {
	raw, err := c.SyscallConn()
	if err != nil {
		s.t.Error(err)
		return
	}
	for until := time.Now().Add(patience); time.Now().Before(until); time.Sleep(time.Millisecond) {
		waiting := 0
		_ = raw.Control(func(fd uintptr) { waiting, _ = unix.IoctlGetInt(int(fd), unix.TIOCINQ) })
		if waiting > 0 {
			return
		}
	}
}

// dial connects from a port, even one in TIME_WAIT.
func (s *trial) dial(from netip.AddrPort) (c *net.TCPConn, err error) {
	d := net.Dialer{LocalAddr: net.TCPAddrFromAddrPort(from), Timeout: patience, Control: func(_, _ string, raw syscall.RawConn) error {
		return raw.Control(func(fd uintptr) { _ = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_REUSEADDR, 1) })
	}}
	s.in("client", func() {
		for until := time.Now().Add(patience); time.Now().Before(until); time.Sleep(50 * time.Millisecond) {
			var conn net.Conn
			if conn, err = d.DialContext(context.Background(), "tcp4", trialServer.String()); err == nil {
				c = conn.(*net.TCPConn)
				return
			}
		}
	})
	return c, err
}

// in runs do in a namespace.
func (s *trial) in(ns string, do func()) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		runtime.LockOSThread() // and the thread ends with the goroutine
		f, err := os.Open("/run/netns/" + s.names[ns])
		if err == nil {
			err = unix.Setns(int(f.Fd()), unix.CLONE_NEWNET)
			f.Close()
		}
		if err != nil {
			s.t.Error(err)
			return
		}
		do()
	}()
	<-done
}
