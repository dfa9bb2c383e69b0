package lab

import (
	"errors"
	"fmt"
	"net/netip"
	"os"
	"time"
)

// pair is a connection on 127.0.0.1: near is closed in the way under test, far
// is its peer.
type pair struct {
	near, far         socket
	nearAddr, farAddr netip.AddrPort
}

// Buffers are small, so that little has to be sent until no more fits.
const buffer = 8192

// play makes the connection and closes it.
func (c *closing) play() (Result, error) {
	switch {
	case c.refused:
		return c.playRefused()
	case c.exits:
		return c.playExit()
	}
	p, err := connected()
	if err != nil {
		return Result{}, err
	}
	if err := c.prepare(&p); err != nil {
		p.near.close()
		p.far.close()
		return Result{}, err
	}
	w, err := c.close(&p)
	if err != nil {
		return Result{}, err
	}
	return c.result(&w, p.nearAddr, p.farAddr, os.Getpid(), os.Getpid()), nil
}

func connected() (p pair, err error) {
	listener, err := newSocket()
	if err != nil {
		return p, err
	}
	defer listener.close()
	if p.near, err = newSocket(); err != nil {
		return p, err
	}
	defer func() {
		if err != nil {
			p.near.close()
		}
	}()
	if err := listener.listen(); err != nil {
		return p, err
	}
	if p.farAddr, err = listener.address(); err != nil {
		return p, err
	}
	if err := p.near.connect(p.farAddr); err != nil {
		return p, err
	}
	if p.nearAddr, err = p.near.address(); err != nil {
		return p, err
	}
	p.far, err = listener.accept()
	return p, err
}

// prepare brings the connection to the moment of its close.
func (c *closing) prepare(p *pair) error {
	if err := p.near.setLinger(c.linger, c.seconds); err != nil {
		return err
	}
	if c.unread {
		if err := p.far.send(make([]byte, 10)); err != nil {
			return err
		}
		time.Sleep(settle) // it has to arrive, and Winsock does not report that it has
	}
	if err := p.near.setNonblocking(c.pending || c.nonblocking); err != nil {
		return err
	}
	if c.pending {
		if err := p.near.fill(); err != nil {
			return err
		}
	}
	return p.near.setNonblocking(c.nonblocking)
}

// close closes near, and far when it has read everything. Unless near has more to
// send than fits, far waits in recv before.
func (c *closing) close(p *pair) (w witnessed, err error) {
	read := p.far.drain
	if !c.pending {
		begun, err := p.far.read()
		if err != nil {
			return w, errors.Join(err, p.near.close(), p.far.close())
		}
		read = begun.drain
	}
	begin, end := make(chan struct{}), make(chan string, 1)
	go func() {
		if c.drains {
			time.Sleep(300 * time.Millisecond)
		} else if c.pending {
			<-begin
		}
		failure := read()
		end <- failure
		p.far.close()
	}()
	err = c.closeNear(p, &w)
	close(begin)
	w.peer = <-end
	if c.half {
		err = errors.Join(err, p.near.close())
	}
	return w, err
}

func (c *closing) closeNear(p *pair, w *witnessed) error {
	if c.half {
		return p.near.shutdown()
	}
	start := time.Now()
	err := p.near.close()
	if err != nil {
		w.failed = nameOf(err)
		if err := p.near.setLinger(true, 0); err != nil {
			return fmt.Errorf("after closesocket returned %s: %w", w.failed, err)
		}
		start = time.Now()
		err = p.near.close()
	}
	w.took = time.Since(start)
	return err
}

// playRefused connects to a port at which nobody listens: the listener's that
// was just closed.
func (c *closing) playRefused() (Result, error) {
	s, err := newSocket()
	if err != nil {
		return Result{}, err
	}
	defer s.close()
	nobody, err := newSocket()
	if err != nil {
		return Result{}, err
	}
	if err := errors.Join(nobody.bind(), s.bind()); err != nil {
		return Result{}, errors.Join(err, nobody.close())
	}
	to, err := nobody.address()
	if err = errors.Join(err, nobody.close()); err != nil {
		return Result{}, err
	}
	local, err := s.address()
	if err != nil {
		return Result{}, err
	}
	w := witnessed{}
	if err := s.connect(to); err != nil {
		w.connect = nameOf(err)
	}
	return c.result(&w, local, to, os.Getpid(), os.Getpid()), nil
}
