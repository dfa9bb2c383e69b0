package lab

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"os"
	"os/exec"
	"strings"

	"golang.org/x/sys/windows"
)

// connectAndExit is the other process: it connects, says from where, and exits
// with its socket open when its input ends.
func connectAndExit(to string) (code int) {
	if err := connectFrom(to, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "lab:", err)
		return 1
	}
	io.Copy(io.Discard, os.Stdin) // ends in any case
	return 0
}

func connectFrom(to string, out io.Writer) error {
	var data windows.WSAData
	address, err := netip.ParseAddrPort(to)
	if err = errors.Join(err, windows.WSAStartup(0x202, &data)); err != nil {
		return err
	}
	s, err := newSocket()
	if err != nil {
		return err
	}
	if err := s.connect(address); err != nil {
		return err
	}
	local, err := s.address()
	if err != nil {
		return err
	}
	_, err = fmt.Fprintln(out, local)
	return err
}

// playExit lets another process connect and exit.
func (c *closing) playExit() (Result, error) {
	listener, err := newSocket()
	if err != nil {
		return Result{}, err
	}
	defer listener.close()
	if err := listener.listen(); err != nil {
		return Result{}, err
	}
	to, err := listener.address()
	if err != nil {
		return Result{}, err
	}
	self, err := os.Executable()
	if err != nil {
		return Result{}, err
	}
	other := exec.Command(self, roleArgument, to.String())
	end, inErr := other.StdinPipe()
	said, outErr := other.StdoutPipe()
	if err := errors.Join(inErr, outErr, other.Start()); err != nil {
		return Result{}, fmt.Errorf("start process: %w", err)
	}
	w, from, err := watchExit(listener, end, said)
	if err := errors.Join(err, other.Wait()); err != nil {
		return Result{}, fmt.Errorf("process that connects and exits: %w", err)
	}
	return c.result(&w, from, to, other.Process.Pid, os.Getpid()), nil
}

// watchExit reads from where the process connected, lets it exit and reads to
// the end of the connection.
func watchExit(listener socket, end io.Closer, said io.Reader) (w witnessed, from netip.AddrPort, err error) {
	defer end.Close()
	line, err := bufio.NewReader(said).ReadString('\n')
	if err != nil {
		return w, from, err
	}
	if from, err = netip.ParseAddrPort(strings.TrimSpace(line)); err != nil {
		return w, from, err
	}
	far, err := listener.accept()
	if err != nil {
		return w, from, err
	}
	end.Close()
	w.peer = far.drain()
	return w, from, far.close()
}
