package wire_test

import (
	"bufio"
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

var trialServer = netip.MustParseAddrPort("10.9.2.2:8080")

// trial is two hosts, a router between them that harms what it forwards, and a server.
type trial struct {
	t       *testing.T
	router  *harmful
	names   map[string]string // of network namespaces
	waiting sync.Map          // client's address to the channel of accepted connections
}

// newTrial makes the namespaces and their devices, and listens.
func newTrial(t *testing.T) *trial {
	t.Helper()
	if os.Geteuid() != 0 || testing.Short() {
		t.Skip("needs root and half a minute: makes network namespaces")
	}
	for _, tool := range []string{"ip", "tcpdump"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skip("needs " + tool)
		}
	}
	s := &trial{t: t, names: map[string]string{}, router: newHarmful(t)}
	for side, role := range []string{"client", "server"} {
		name := fmt.Sprintf("closetrace-%d-%s", os.Getpid(), role)
		s.names[role] = name
		s.do("ip", "netns", "add", name)
		t.Cleanup(func() { _ = exec.Command("ip", "netns", "del", name).Run() })
		s.in(role, func() { s.router.open(side) })
		for _, line := range []string{
			fmt.Sprintf("ip addr add 10.9.%d.2/24 dev wire0", side+1), "ip link set lo up", "ip link set wire0 up", "ip route add default dev wire0",
			"sysctl -qw net.ipv4.tcp_tw_reuse=1",
		} {
			s.do("ip", append([]string{"netns", "exec", name}, strings.Fields(line)...)...)
		}
	}
	s.router.start()
	s.listen()
	return s
}

func (s *trial) do(name string, args ...string) {
	s.t.Helper()
	if out, err := exec.Command(name, args...).CombinedOutput(); err != nil {
		s.t.Fatalf("%s %v: %v\n%s", name, args, err, out)
	}
}

// listen passes accepted connections to the goroutines that wait for them.
func (s *trial) listen() {
	var l net.Listener
	var err error
	s.in("server", func() { l, err = net.Listen("tcp4", trialServer.String()) })
	if err != nil {
		s.t.Fatal(err)
	}
	var accepting sync.WaitGroup
	accepting.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			if waiting, ok := s.waiting.Load(c.RemoteAddr().(*net.TCPAddr).AddrPort()); ok {
				waiting.(chan *net.TCPConn) <- c.(*net.TCPConn)
			} else {
				c.Close()
			}
		}
	})
	s.t.Cleanup(func() { l.Close(); accepting.Wait() })
}

// tcpdump captures into a file until the function that it returns is called.
func (s *trial) tcpdump(ns, path string, args ...string) (stop func()) {
	s.t.Helper()
	all := append([]string{"netns", "exec", s.names[ns], "tcpdump", "-n", "-p", "-U", "--immediate-mode", "--time-stamp-precision=nano", "-B", "32768", "-w", path}, args...)
	c := exec.Command("ip", all...)
	c.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	messages, err := c.StderrPipe()
	if err != nil {
		s.t.Fatal(err)
	}
	if err := c.Start(); err != nil {
		s.t.Fatal(err)
	}
	said := bufio.NewScanner(messages)
	for said.Scan() && !strings.Contains(said.Text(), "listening on") {
	}
	stopped := false
	stop = func() {
		if stopped {
			return
		}
		stopped = true
		time.Sleep(500 * time.Millisecond) // what is in its buffer
		_ = c.Process.Signal(os.Interrupt)
		for said.Scan() {
			if text := said.Text(); strings.HasSuffix(text, "dropped by kernel") && !strings.HasPrefix(text, "0 ") {
				s.t.Logf("tcpdump: %s", text)
			}
		}
		_ = c.Wait()
	}
	s.t.Cleanup(stop)
	return stop
}
