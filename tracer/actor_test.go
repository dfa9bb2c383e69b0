//go:build linux

package tracer

import (
	"bufio"
	"encoding/json"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// claim is what a process says of a connection end that it holds.
type claim struct {
	Local, Peer string
	PID         int
	Name        string
	NetNS       uint32
	Accepted    bool
	// Closer closes it, if that is another process.
	Closer int
	// Where is the name of the cgroup layout that the process lives in.
	Where string
}

// The environment tells a copy of the test program which part to play.
const (
	actorPart = "CLOSETRACE_TEST_PART" // PART ADDRESS COUNT WHERE
	actorName = "CLOSETRACE_TEST_NAME"
)

// TestActor is no test: it is what the processes of TestAttribution run.
func TestActor(t *testing.T) {
	part := strings.Fields(os.Getenv(actorPart))
	if len(part) == 0 {
		t.Skip("played by TestAttribution only")
	}
	a := &actor{t: t, count: 1, in: bufio.NewReader(os.Stdin)}
	a.address = netip.MustParseAddrPort(part[1])
	a.count, _ = strconv.Atoi(part[2])
	if len(part) > 3 {
		a.where = strings.Join(part[3:], " ")
	}
	a.check(os.WriteFile("/proc/self/comm", []byte(os.Getenv(actorName)), 0))
	parts := map[string]func(*actor){
		"client": (*actor).client, "threads": (*actor).threads, "nested": (*actor).nested, "exec": (*actor).exec,
		"second": (*actor).second, "passer": (*actor).passer, "server": (*actor).server, "worker": (*actor).worker,
		"alone": (*actor).alone, "lure": (*actor).lure, "lured": (*actor).lured,
		"bequeath": (*actor).bequeath, "heir": (*actor).heir,
	}
	parts[part[0]](a)
	a.say("done")
}

// actor plays a part in a process of its own. What it says is one line each.
type actor struct {
	t       *testing.T
	address netip.AddrPort
	count   int
	where   string
	in      *bufio.Reader
	open    []int
}

func (a *actor) check(err error) {
	if err != nil {
		a.say("error " + err.Error())
		os.Exit(1)
	}
}

func (a *actor) say(line string) { fmt.Println("\n@" + line) }

// claim says that this process holds fd.
func (a *actor) claim(fd int, accepted bool, closer int) {
	local, err := unix.Getsockname(fd)
	a.check(err)
	name, err := os.ReadFile("/proc/self/comm")
	a.check(err)
	c := claim{
		Local: addrOf(local), PID: os.Getpid(), Name: strings.TrimSpace(string(name)), NetNS: a.netNS(),
		Accepted: accepted, Closer: closer, Where: a.where,
	}
	b, err := json.Marshal(c)
	a.check(err)
	a.say(string(b))
}

func (a *actor) netNS() uint32 {
	var ns unix.Stat_t
	a.check(unix.Stat("/proc/thread-self/ns/net", &ns))
	return uint32(ns.Ino)
}

func addrOf(name unix.Sockaddr) string {
	if n, ok := name.(*unix.SockaddrInet4); ok {
		return netip.AddrPortFrom(netip.AddrFrom4(n.Addr), uint16(n.Port)).String()
	}
	return ""
}

// hear waits for the word to go on.
func (a *actor) hear() {
	_, err := a.in.ReadString('\n')
	a.check(err)
}

func (a *actor) connect() int {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	a.check(err)
	a.check(unix.Connect(fd, &unix.SockaddrInet4{Addr: a.address.Addr().As4(), Port: int(a.address.Port())}))
	return fd
}

func (a *actor) client() {
	for range a.count {
		a.keep(a.connect())
	}
	a.hold()
}

func (a *actor) keep(fd int) {
	a.claim(fd, false, 0)
	a.open = append(a.open, fd)
}

// hold keeps all connections open until it is told to close them.
func (a *actor) hold() {
	a.say("ready")
	a.hear()
	for _, fd := range a.open {
		unix.Close(fd)
	}
}

// threads connects from threads that have names of their own: the owner is the
// process all the same.
func (a *actor) threads() {
	done := make(chan int)
	for i := range a.count {
		go func() {
			runtime.LockOSThread()
			if unix.Gettid() != os.Getpid() { // the leader's name is the process's
				name, _ := unix.BytePtrFromString("thread-" + strconv.Itoa(i))
				unix.Prctl(unix.PR_SET_NAME, uintptr(ptr(name)), 0, 0, 0)
			}
			done <- a.connect()
		}()
	}
	for range a.count {
		a.keep(<-done)
	}
	a.hold()
}

// nested has a child that is a client, and is one itself.
func (a *actor) nested() {
	depth := a.count
	a.count = 3
	if depth > 0 {
		child := a.child("nested", "att-nest-"+strconv.Itoa(depth), depth-1)
		defer child()
	}
	a.client()
}

// child starts another actor with our standard streams; its claims are ours to
// pass on, as it writes to the same pipe.
func (a *actor) child(part, name string, count int, files ...*os.File) (finish func()) {
	c := exec.Command("/proc/self/exe", "-test.run=^TestActor$", "-test.v=false")
	c.Env = append(os.Environ(), fmt.Sprintf("%s=%s %s %d %s", actorPart, part, a.address, count, a.where), actorName+"="+name)
	c.ExtraFiles = files
	in, err := c.StdinPipe()
	a.check(err)
	out, err := c.StdoutPipe()
	a.check(err)
	a.check(c.Start())
	lines := bufio.NewScanner(out)
	passOn := func(until string) {
		for lines.Scan() {
			word, ok := strings.CutPrefix(lines.Text(), "@")
			if ok && word == until {
				return
			}
			if ok && word != "done" {
				a.say(word)
			}
		}
	}
	passOn("ready")
	return func() {
		fmt.Fprintln(in, "go")
		passOn("")
		a.check(c.Wait())
	}
}

// server listens, and has workers that inherit the listener and accept.
func (a *actor) server() {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	a.check(err)
	a.check(unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_REUSEADDR, 1)) // TIME_WAIT of a run before
	a.check(unix.Bind(fd, &unix.SockaddrInet4{Addr: a.address.Addr().As4(), Port: int(a.address.Port())}))
	a.check(unix.Listen(fd, 512))
	listener := os.NewFile(uintptr(fd), "listener")
	var finish []func()
	for i := range 4 {
		finish = append(finish, a.child("worker", "att-worker-"+strconv.Itoa(i), i, listener))
	}
	a.say("ready")
	a.hear()
	for _, f := range finish {
		f()
	}
}

// worker accepts what it gets until told to stop. Odd ones do not ask for the
// peer's address, which hides them from the tracer until they close.
func (a *actor) worker() {
	const listener = 3
	a.check(unix.SetNonblock(listener, true))
	stop := make(chan struct{})
	go func() { a.hear(); close(stop) }()
	a.say("ready")
	for {
		poll := []unix.PollFd{{Fd: listener, Events: unix.POLLIN}}
		if n, _ := unix.Poll(poll, 20); n > 0 {
			if fd := a.accept(listener); fd >= 0 {
				a.open = append(a.open, fd)
				a.acceptedClaim(fd)
			}
			continue
		}
		select { // only when nothing waits: what connected last is accepted too
		case <-stop:
			for _, fd := range a.open {
				unix.Close(fd)
			}
			return
		default:
		}
	}
}

func (a *actor) accept(listener int) int {
	if a.count%2 == 1 {
		fd, _, errno := unix.Syscall6(unix.SYS_ACCEPT4, uintptr(listener), 0, 0, unix.SOCK_CLOEXEC, 0, 0)
		if errno != 0 {
			return -1
		}
		return int(fd)
	}
	fd, _, err := unix.Accept4(listener, unix.SOCK_CLOEXEC)
	if err != nil {
		return -1
	}
	return fd
}

// acceptedClaim names the accepted end by its peer: all have one local address.
func (a *actor) acceptedClaim(fd int) {
	// Not getpeername: that call is one of the places where the tracer learns
	// owners.
	var st unix.Stat_t
	a.check(unix.Fstat(fd, &st))
	peer := a.peerOf(st.Ino)
	for range 9 { // a row may be skipped while others come and go
		if peer == "" {
			peer = a.peerOf(st.Ino)
		}
	}
	name, err := os.ReadFile("/proc/self/comm")
	a.check(err)
	b, err := json.Marshal(claim{
		Local: a.address.String(), Peer: peer, PID: os.Getpid(), Name: strings.TrimSpace(string(name)), NetNS: a.netNS(),
		Accepted: true, Where: a.where,
	})
	a.check(err)
	a.say(string(b))
}

// peerOf finds the peer of a socket by the socket's inode, or nothing.
func (a *actor) peerOf(inode uint64) string {
	text, err := os.ReadFile("/proc/self/net/tcp")
	a.check(err)
	for line := range strings.Lines(string(text)) {
		f := strings.Fields(line)
		if len(f) > 9 && f[9] == strconv.FormatUint(inode, 10) {
			return hexAddr(f[2])
		}
	}
	return ""
}

// hexAddr reads 0100007F:1F90 of /proc/net/tcp.
func hexAddr(s string) string {
	var ip [4]byte
	var port uint16
	if _, err := fmt.Sscanf(s, "%02X%02X%02X%02X:%04X", &ip[3], &ip[2], &ip[1], &ip[0], &port); err != nil {
		return ""
	}
	return netip.AddrPortFrom(netip.AddrFrom4(ip), port).String()
}

// alone is client and server in a network namespace of its own.
func (a *actor) alone() {
	runtime.LockOSThread()
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	a.check(err)
	up, err := unix.NewIfreq("lo")
	a.check(err)
	up.SetUint16(unix.IFF_UP)
	a.check(unix.IoctlIfreq(fd, unix.SIOCSIFFLAGS, up))
	listener, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	a.check(err)
	a.check(unix.Bind(listener, &unix.SockaddrInet4{Addr: a.address.Addr().As4(), Port: int(a.address.Port())}))
	a.check(unix.Listen(listener, 16))
	a.client()
}
