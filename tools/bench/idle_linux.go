package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"

	"golang.org/x/sys/unix"
)

// idle is connections that stay open. A process may have few descriptors, and two
// go with each: they are held by as many processes as it takes.
type idle struct {
	holders []*exec.Cmd
	ends    []io.Closer
}

const perHolder = 8192 // connections: those of one client address, see clientAddress

// openIdle returns when all are open.
func openIdle(count int) (*idle, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	i := &idle{}
	for number := 0; number*perHolder < count; number++ {
		c := exec.Command(self, "hold", strconv.Itoa(number), strconv.Itoa(min(perHolder, count-number*perHolder)))
		c.Stderr = os.Stderr
		c.SysProcAttr = &unix.SysProcAttr{Pdeathsig: unix.SIGKILL}
		in, err := c.StdinPipe()
		if err != nil {
			return nil, err
		}
		out, err := c.StdoutPipe()
		if err != nil {
			return nil, err
		}
		if err := c.Start(); err != nil {
			return nil, err
		}
		i.holders, i.ends = append(i.holders, c), append(i.ends, in)
		if !bufio.NewScanner(out).Scan() {
			return nil, errors.Join(errors.New("idle connections could not be opened"), i.Close())
		}
	}
	return i, nil
}

// Close ends the connections.
func (i *idle) Close() error {
	var errs []error
	for n, c := range i.holders {
		errs = append(errs, i.ends[n].Close(), c.Wait())
	}
	return errors.Join(errs...)
}

// holdMain opens connections and keeps them until its standard input ends.
func holdMain(args []string) error {
	if len(args) != 2 {
		return errors.New("usage: bench hold NUMBER COUNT")
	}
	number, err := strconv.Atoi(args[0])
	if err != nil {
		return err
	}
	count, err := strconv.Atoi(args[1])
	if err != nil {
		return err
	}
	if err := raiseDescriptors(2*count + 64); err != nil {
		return err
	}
	server := &unix.SockaddrInet4{Addr: [4]byte{127, 254, 0, byte(number + 1)}, Port: 9}
	listener, err := listen(server)
	if err != nil {
		return err
	}
	for n := range count {
		if _, _, err := connection(listener, server, 63, uint64(number*perHolder+n)); err != nil {
			return err
		}
	}
	fmt.Println("open")
	_, err = io.Copy(io.Discard, os.Stdin)
	return err
}

func raiseDescriptors(count int) error {
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		return err
	}
	limit.Cur = min(uint64(count), limit.Max)
	if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		return fmt.Errorf("raise the limit of descriptors to %d: %w", limit.Cur, err)
	}
	return nil
}
