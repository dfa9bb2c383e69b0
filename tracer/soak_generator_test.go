//go:build linux

package tracer_test

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"os"
	"strconv"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/closetrace/closetrace/internal/lab/sourcetest"
	"github.com/closetrace/closetrace/model"
	"github.com/closetrace/closetrace/tracer/process"
)

// soakRate is how many ends a second the generator is to make; CLOSETRACE_SOAK_RATE
// lowers it on a busy machine.
func soakRate() int {
	if rate, err := strconv.Atoi(os.Getenv("CLOSETRACE_SOAK_RATE")); err == nil {
		return rate
	}
	return 20_000
}

// soakBase is the second byte of all addresses of the generators.
func soakBase() byte { return byte(100 + os.Getpid()%100) }

// soakNetwork is what the kernel chooses ends by. The number of a namespace that has gone
// is used again, also by others on this machine.
func soakNetwork() netip.Prefix {
	return netip.PrefixFrom(netip.AddrFrom4([4]byte{127, soakBase()}), 16)
}

func soaks(r *model.Record) bool {
	n := r.Teardown.Network
	return soakNetwork().Contains(n.Local.AddrPort().Addr()) && soakNetwork().Contains(n.Peer.AddrPort().Addr())
}

// soakServer is a listener in a new namespace, at an address of the soak's network.
type soakServer struct {
	netns    uint32
	base     byte
	listener int
	address  unix.SockaddrInet4
}

func newSoakServer(base byte) (*soakServer, error) {
	if err := sourcetest.LoopbackUp(); err != nil {
		return nil, err
	}
	info, err := os.Stat("/proc/self/ns/net")
	if err != nil {
		return nil, err
	}
	s := &soakServer{netns: inode(info), base: base}
	if s.listener, err = unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0); err != nil {
		return nil, err
	}
	s.address.Addr = [4]byte{127, base, 255, 254}
	if err := unix.Bind(s.listener, &s.address); err != nil {
		return nil, err
	}
	if err := unix.Listen(s.listener, backlog); err != nil {
		return nil, err
	}
	name, err := unix.Getsockname(s.listener)
	if err != nil {
		return nil, err
	}
	s.address.Port = name.(*unix.SockaddrInet4).Port
	return s, nil
}

// connect makes a connection from an address of its own, so that ports do not run out:
// client and server.
func (s *soakServer) connect(i int) (ends [2]int, err error) {
	if ends[0], err = unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0); err != nil {
		return ends, err
	}
	// The port is chosen by connect(), so that each address has all ports.
	if err := unix.SetsockoptInt(ends[0], unix.SOL_IP, unix.IP_BIND_ADDRESS_NO_PORT, 1); err != nil {
		return ends, err
	}
	from := [4]byte{127, s.base, byte(i >> 8), byte(i)}
	if err := unix.Bind(ends[0], &unix.SockaddrInet4{Addr: from}); err != nil {
		return ends, err
	}
	if err := unix.Connect(ends[0], &s.address); err != nil {
		return ends, fmt.Errorf("connection %d: %w", i, err)
	}
	ends[1], _, err = unix.Accept(s.listener)
	return ends, err
}

// answer says how many connections were made, once all have ended. The kernel has to have
// counted as many.
func (s *soakServer) answer(made int) error {
	unix.Close(s.listener)
	if err := allEnded(); err != nil {
		return err
	}
	f := flooded{NetNS: s.netns, Made: made, Counters: map[string]uint64{}}
	if err := f.read("/proc/self/net/snmp"); err != nil {
		return err
	}
	return json.NewEncoder(os.Stdout).Encode(f)
}

// soakStream makes as many short connections as its argument says, one after the other:
// each tenth is reset, and each third is closed by the server first.
func soakStream() error {
	count, err := strconv.Atoi(os.Args[1])
	if err != nil {
		return err
	}
	base, err := strconv.ParseUint(os.Args[2], 10, 8)
	if err != nil {
		return err
	}
	s, err := newSoakServer(byte(base))
	if err != nil {
		return err
	}
	for i := range count {
		ends, err := s.connect(i)
		if err != nil {
			return err
		}
		if i%10 == 0 {
			if err := unix.SetsockoptLinger(ends[0], unix.SOL_SOCKET, unix.SO_LINGER, &unix.Linger{Onoff: 1}); err != nil {
				return err
			}
		}
		if i%3 == 0 {
			ends[0], ends[1] = ends[1], ends[0]
		}
		unix.Close(ends[0])
		unix.Close(ends[1])
	}
	return s.answer(count)
}

// crowd is how many connections the adversary holds open at most, in one namespace:
// more than the map of a small trace has room for.
const crowd = 20_000

// soakCrowd opens connections, holds them, and ends all of them at once.
func soakCrowd() error {
	var limit unix.Rlimit // the Go runtime has raised it as far as it may
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		return err
	}
	size := min(crowd, int(limit.Cur)/2-100)
	base, err := strconv.ParseUint(os.Args[1], 10, 8)
	if err != nil {
		return err
	}
	s, err := newSoakServer(byte(base))
	if err != nil {
		return err
	}
	all := make([][2]int, 0, size)
	for i := range size {
		ends, err := s.connect(i)
		if err != nil {
			return err
		}
		all = append(all, ends)
	}
	time.Sleep(2 * time.Second) // an adversary in no hurry
	for _, ends := range all {
		unix.Close(ends[0])
		unix.Close(ends[1])
	}
	return s.answer(size)
}

// generator runs processes that make connections, each in a network namespace and a
// control group of its own.
type generator struct {
	t     *testing.T
	mu    sync.Mutex
	made  map[uint32]int // connections by namespace
	total int
	pids  int
	took  time.Duration
}

func (g *generator) run(role string, arguments ...string) {
	c := command(role, arguments...)
	c.SysProcAttr.Cloneflags = syscall.CLONE_NEWNET
	c.SysProcAttr.Pdeathsig = 0 // the thread that starts it is any
	g.mu.Lock()
	g.pids++
	name := fmt.Sprintf("closetrace-soak-%d-%d", os.Getpid(), g.pids)
	g.mu.Unlock()
	if group, err := process.NewGroup(name); err == nil {
		defer group.Close()
		if directory, err := os.Open(group.Directory()); err == nil {
			defer directory.Close()
			c.SysProcAttr.UseCgroupFD, c.SysProcAttr.CgroupFD = true, int(directory.Fd())
		}
	}
	var f flooded
	text, err := c.Output()
	if err == nil {
		err = json.Unmarshal(text, &f)
	}
	if err != nil {
		g.t.Errorf("%s: %v", role, err)
		return
	}
	if opened := f.Counters["ActiveOpens"] + f.Counters["PassiveOpens"] - f.Counters["AttemptFails"]; opened != 2*uint64(f.Made) {
		g.t.Errorf("%s made %d connections, and the kernel counted %d ends", role, f.Made, opened)
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	g.made[f.NetNS] += f.Made
	g.total += f.Made
}

// generate makes soakRate() ends a second from a time on, as far as the machine can, and
// crowds among them. What it is late it makes up for.
func (g *generator) generate(began time.Time, duration time.Duration) {
	base, until := strconv.Itoa(int(soakBase())), began.Add(duration)
	var crowds, streams sync.WaitGroup
	crowds.Go(func() {
		for time.Until(until) > 10*time.Second { // it takes some: the streams are the last
			g.run("soak-crowd", base)
			time.Sleep(5 * time.Second)
		}
	})
	const most = 50_000 // of one process: the addresses of the network
	for range 2 {
		streams.Go(func() {
			second := time.NewTicker(time.Second)
			defer second.Stop()
			for time.Now().Before(until) {
				g.mu.Lock()
				owed := soakRate()*int(time.Since(began)/time.Millisecond+1000)/1000/2 - g.total
				g.mu.Unlock()
				if owed > 0 {
					g.run("soak-stream", strconv.Itoa(min(owed/2+1, soakRate(), most)), base)
				}
				if owed < soakRate() {
					<-second.C
				}
			}
		})
	}
	streams.Wait()
	crowds.Wait()
	g.took = time.Since(began)
}

// checkRate fails if the machine made fewer ends than were asked for, so that a run at a
// rate is one. CLOSETRACE_SOAK_BUSY allows it.
func (g *generator) checkRate(duration time.Duration) {
	rate := 2 * float64(g.total) / g.took.Seconds()
	g.t.Logf("%.0f ends a second for %v, %d were asked for", rate, g.took.Round(time.Second), soakRate())
	if rate < 0.9*float64(soakRate()) && duration >= time.Minute && os.Getenv("CLOSETRACE_SOAK_BUSY") == "" {
		g.t.Errorf("the machine is too busy, or too small, for %d ends a second", soakRate())
	}
}
