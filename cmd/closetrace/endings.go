package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"time"
)

// playEndings is the demo without root: on loopback, with what every user may do. Each
// function gets both ends of a connection, says how it ends, and closes both.
func playEndings(ctx context.Context) error {
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		return fmt.Errorf("listen: %w", err)
	}
	for _, end := range []func(client, server *net.TCPConn) error{endByFIN, endUnread, endByLingerZero, endByLingerTimeout} {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := endOne(l, end); err != nil {
			return err
		}
	}
	refused := l.Addr().String()
	if err := l.Close(); err != nil {
		return err
	}
	if c, err := net.Dial("tcp4", refused); err == nil { // another program has begun to listen there
		return c.Close()
	}
	return nil
}

func endOne(l net.Listener, end func(client, server *net.TCPConn) error) error {
	client, err := net.Dial("tcp4", l.Addr().String())
	if err != nil {
		return fmt.Errorf("connect: %w", err)
	}
	server, err := l.Accept()
	if err != nil {
		return errors.Join(fmt.Errorf("accept: %w", err), client.Close())
	}
	return end(client.(*net.TCPConn), server.(*net.TCPConn))
}

func endByFIN(client, server *net.TCPConn) error {
	return errors.Join(client.Close(), server.Close())
}

// endUnread closes with a request in the receive queue.
func endUnread(client, server *net.TCPConn) error {
	_, err := client.Write([]byte("a request that nobody reads\n"))
	time.Sleep(10 * time.Millisecond) // it has arrived
	return errors.Join(err, server.Close(), client.Close())
}

func endByLingerZero(client, server *net.TCPConn) error {
	return errors.Join(client.SetLinger(0), client.Close(), server.Close())
}

// endByLingerTimeout writes more than a peer takes that does not read: close() waits.
func endByLingerTimeout(client, server *net.TCPConn) error {
	err := errors.Join(server.SetReadBuffer(4<<10), client.SetWriteDeadline(time.Now().Add(200*time.Millisecond)))
	for err == nil {
		_, err = client.Write(make([]byte, 64<<10))
	}
	var timeout net.Error
	if errors.As(err, &timeout) && timeout.Timeout() { // both buffers are full
		err = nil
	}
	return errors.Join(err, client.SetLinger(1), client.Close(), server.Close())
}
