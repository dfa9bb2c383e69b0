package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// side is what one process does with its descriptor of a connection.
type side func(fd int) error

// scenario is connections between a process pcli and a process psrv: who is named
// as the owner of which end?
type scenario struct {
	name           string
	count          int
	together       bool // all are open before the first one ends
	before         bool // they are opened before the tracer starts
	client, server side
}

const sidesPort = 1001 // of the first scenario

var scenarios = []scenario{
	{name: "older than the tracer", count: 500, together: true, before: true, client: closeNow, server: closeAfterPeer},
	{name: "client FIN first", count: 100, client: closeNow, server: closeAfterPeer},
	{name: "server FIN first", count: 100, client: closeAfterPeer, server: closeNow},
	{name: "client SO_LINGER {1,0}", count: 100, client: closeWithReset, server: closeAfterPeer},
	{name: "server closes unread data", count: 100, client: sendAndClose, server: closeUnread},
	{name: "9,500 open at once", count: 9500, together: true, client: closeNow, server: closeAfterPeer},
	{name: "client SIGKILL", count: 100, together: true, client: nil, server: closeAfterPeer},
}

func closeNow(fd int) error { return unix.Close(fd) }

func closeAfterPeer(fd int) error {
	var b [1]byte
	if _, err := unix.Read(fd, b[:]); err != nil && !errors.Is(err, unix.ECONNRESET) {
		return fmt.Errorf("wait for the peer's end: %w", err)
	}
	return unix.Close(fd)
}

func closeWithReset(fd int) error {
	if err := unix.SetsockoptLinger(fd, unix.SOL_SOCKET, unix.SO_LINGER, &unix.Linger{Onoff: 1}); err != nil {
		return err
	}
	return unix.Close(fd)
}

func sendAndClose(fd int) error {
	if _, err := unix.Write(fd, []byte{1}); err != nil {
		return err
	}
	return closeAfterPeer(fd)
}

func closeUnread(fd int) error {
	var b [1]byte
	if _, _, err := unix.Recvfrom(fd, b[:], unix.MSG_PEEK); err != nil {
		return err
	}
	return unix.Close(fd)
}

// play does one side of a scenario; open returns the next connection.
func (s *scenario) play(act side, open func() (int, error), opened func() error) error {
	var fds []int
	for range s.count {
		fd, err := open()
		if err != nil {
			return err
		}
		if fds = append(fds, fd); !s.together {
			if err := act(fd); err != nil {
				return err
			}
		}
	}
	if !s.together {
		return nil
	}
	if err := opened(); err != nil {
		return err
	}
	if act == nil {
		return unix.Kill(os.Getpid(), unix.SIGKILL)
	}
	for _, fd := range fds {
		if err := act(fd); err != nil {
			return err
		}
	}
	return nil
}

// sideMain is the process pcli or psrv. It says when the connections are open that
// are older than the tracer, and goes on when a line comes.
func sideMain(args []string) error {
	if len(args) != 1 {
		return errors.New("usage: bench side client|server")
	}
	if err := raiseDescriptors(20_000); err != nil {
		return err
	}
	var listeners []int
	if args[0] == "server" {
		for i := range scenarios {
			fd, err := listen(sidesServer(i))
			if err != nil {
				return err
			}
			listeners = append(listeners, fd)
		}
	}
	fmt.Println("listening")
	commands := bufio.NewScanner(os.Stdin)
	for i := range scenarios {
		s := &scenarios[i]
		act, open := s.client, func() (int, error) { return greeted(sidesServer(i)) }
		if listeners != nil {
			act, open = s.server, func() (int, error) { return accepted(listeners[i]) }
		}
		opened := func() error {
			if s.before {
				fmt.Println("opened")
				commands.Scan()
			}
			return nil
		}
		if err := s.play(act, open, opened); err != nil {
			return fmt.Errorf("%s, %s: %w", args[0], s.name, err)
		}
	}
	return nil
}

func sidesServer(i int) *unix.SockaddrInet4 {
	return &unix.SockaddrInet4{Addr: [4]byte{127, 255, 0, 1}, Port: sidesPort + i}
}

// greeted connects and waits until the server has accepted.
func greeted(server *unix.SockaddrInet4) (int, error) {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return 0, err
	}
	if err := unix.Connect(fd, server); err != nil {
		return 0, fmt.Errorf("connect: %w", err)
	}
	var b [1]byte
	_, err = unix.Read(fd, b[:])
	return fd, err
}

func accepted(listener int) (int, error) {
	fd, _, err := unix.Accept4(listener, unix.SOCK_CLOEXEC)
	if err != nil {
		return 0, fmt.Errorf("accept: %w", err)
	}
	_, err = unix.Write(fd, []byte{1})
	return fd, err
}

// stageMain runs both processes: it says when it is ready, begins when a line
// comes, and says when both have ended.
func stageMain() error {
	if err := loopbackUp(); err != nil {
		return err
	}
	folder, err := os.MkdirTemp("", "bench-sides-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(folder)
	server, err := startSide(folder, "psrv", "server")
	if err != nil {
		return err
	}
	client, err := startSide(folder, "pcli", "client")
	if err != nil {
		return err
	}
	if !client.out.Scan() || !server.out.Scan() {
		return errors.New("the older connections were not opened")
	}
	fmt.Println("ready")
	commands := bufio.NewScanner(os.Stdin)
	commands.Scan()
	if _, err := io.WriteString(server.in, "go\n"); err != nil {
		return err
	}
	if _, err := io.WriteString(client.in, "go\n"); err != nil {
		return err
	}
	var exit *exec.ExitError
	if err := client.process.Wait(); !errors.As(err, &exit) || exit.Sys().(syscall.WaitStatus).Signal() != unix.SIGKILL {
		return fmt.Errorf("the client was to be killed: %w", err)
	}
	if err := server.process.Wait(); err != nil {
		return err
	}
	if err := allEnded(); err != nil {
		return err
	}
	fmt.Println("{}")
	commands.Scan()
	return nil
}

// allEnded waits for the last connections of the namespace: a FIN that found neither
// the socket nor its TIME_WAIT is sent again, 200 ms after its process has gone. Or it
// was answered with RST, and a FIN_WAIT2 without a peer stays; it counts as ended.
func allEnded() error {
	open := regexp.MustCompile(`(?m)^ *\d+: \S+ \S+ (?:0[1-489]|0B) `)
	for range 500 {
		sockets, err := os.ReadFile("/proc/self/net/tcp")
		if err != nil {
			return fmt.Errorf("look for open connections: %w", err)
		}
		if !open.Match(sockets) {
			return nil
		}
		time.Sleep(10 * time.Millisecond)
	}
	return errors.New("connections are still open after 5 s")
}

// startSide starts a process whose name is that of the link to this program.
func startSide(folder, name, role string) (*generator, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	path := filepath.Join(folder, name)
	if err := os.Symlink(self, path); err != nil {
		return nil, err
	}
	return startHelper(exec.Command(path, "side", role), 0)
}
