//go:build linux

package servers_test

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/closetrace/closetrace/internal/lab/sourcetest"
	"github.com/closetrace/closetrace/model"
)

// patience bounds every wait for one thing.
const patience = 10 * time.Second

// bench is where a server is played: a network namespace of its own, the
// capture of all that happens in it, and the processes that were started.
type bench struct {
	*testing.T
	*space
	dir     string
	capture *capture
	wants   []want
}

func openBench(t *testing.T) *bench {
	t.Helper()
	b := &bench{T: t, space: openSpace(t), dir: t.TempDir()}
	b.capture = openCapture(t, b.space)
	return b
}

// expect announces the next connection. Those of a bench are told apart by the
// order of their SYNs.
func (b *bench) expect(port uint16, client, server party, stories ...story) {
	b.wants = append(b.wants, want{port, client, server, stories})
}

// space is a network namespace, and the thread that lives in it.
type space struct {
	calls chan func()
	netns uint32
	file  *os.File // for whoever closes it; the namespace lives as long
	made  model.Time
}

func openSpace(t *testing.T) *space {
	t.Helper()
	s := &space{calls: make(chan func())}
	opened, done := make(chan error), make(chan struct{})
	go func() {
		defer close(done)
		// Never unlocked: the thread, which no other goroutine may use, ends
		// here, and with it what it started (Pdeathsig).
		runtime.LockOSThread()
		opened <- s.enter()
		for call := range s.calls {
			call()
		}
	}()
	t.Cleanup(func() { close(s.calls); <-done })
	if err := <-opened; err != nil {
		t.Fatalf("make network namespace: %v", err)
	}
	return s
}

func (s *space) enter() error {
	if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
		return err
	}
	if err := sourcetest.LoopbackUp(); err != nil {
		return err
	}
	file, err := os.Open("/proc/thread-self/ns/net")
	if err != nil {
		return err
	}
	var stat unix.Stat_t
	s.file, err = file, unix.Fstat(int(file.Fd()), &stat)
	s.netns, s.made = uint32(stat.Ino), model.TimeOf(time.Now())
	return err
}

// do calls f in the namespace. Sockets and processes made there stay there.
func (s *space) do(f func() error) error {
	result := make(chan error)
	s.calls <- func() { result <- f() }
	return <-result
}

// process is a program that the test started.
type process struct {
	party
	command *exec.Cmd
	stdin   io.WriteCloser
	output  bytes.Buffer
	exited  chan struct{}
}

// start starts a program in the bench's directory and namespace. It is in a
// process namespace of its own, so that its children can't outlive it.
func (b *bench) start(program string, args ...string) *process {
	b.Helper()
	p := &process{command: exec.Command(b.path(program), args...), exited: make(chan struct{})}
	p.command.Dir = b.dir
	p.command.Env = []string{"PATH=" + os.Getenv("PATH"), serverVariable + "=1"}
	p.command.Stdout, p.command.Stderr = &p.output, &p.output
	p.command.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL, Cloneflags: syscall.CLONE_NEWPID}
	var err error
	if p.stdin, err = p.command.StdinPipe(); err != nil {
		b.Fatal(err)
	}
	if err := b.do(func() error { return fork(p.command) }); err != nil {
		b.Fatalf("start %s: %v", program, err)
	}
	p.party = party{pid: p.command.Process.Pid, name: filepath.Base(program)}
	go func() { p.command.Wait(); close(p.exited) }()
	b.Cleanup(func() {
		p.command.Process.Kill()
		<-p.exited
		if b.Failed() && p.output.Len() > 0 {
			b.Logf("%s says:\n%s", program, p.output.Bytes())
		}
	})
	return p
}

// run runs a client to its end.
func (b *bench) run(program string, args ...string) party {
	b.Helper()
	p := b.start(program, args...)
	b.exits(p)
	return p.party
}

func (b *bench) exits(p *process) {
	b.Helper()
	select {
	case <-p.exited:
	case <-time.After(patience):
		b.Fatalf("%s does not exit", p.name)
	}
}

// hangUp ends the standard input of a process.
func (b *bench) hangUp(p *process) {
	b.Helper()
	b.check(p.stdin.Close())
}

func (b *bench) signal(pid int, signal syscall.Signal) {
	b.Helper()
	if err := unix.Kill(pid, signal); err != nil {
		b.Fatalf("send signal %v: %v", signal, err)
	}
}

// socket is a line of /proc/net/tcp.
type socket struct {
	localPort, peerPort uint16
	state               int // include/net/tcp_states.h
	unread              int // for a listener: connections that wait for accept()
}

const (
	stateEstablished = 1
	stateFinWait1    = 4
	stateFinWait2    = 5
	stateTimeWait    = 6
	stateCloseWait   = 8
	stateListen      = 10
)

func (b *bench) sockets() []socket {
	b.Helper()
	var text []byte
	err := b.do(func() (err error) {
		text, err = os.ReadFile("/proc/thread-self/net/tcp")
		return err
	})
	if err != nil {
		b.Fatalf("list sockets: %v", err)
	}
	var all []socket
	lines := bufio.NewScanner(bytes.NewReader(text))
	for lines.Scan(); lines.Scan(); {
		var s socket
		var number, local, peer, unsent uint32
		if _, err := fmt.Sscanf(lines.Text(), "%d: %X:%X %X:%X %X %X:%X", &number,
			&local, &s.localPort, &peer, &s.peerPort, &s.state, &unsent, &s.unread); err != nil {
			b.Fatalf("line %q: %v", lines.Text(), err)
		}
		all = append(all, s)
	}
	return all
}

// await waits for a socket that is as wanted. The kernel has no event for it.
func (b *bench) await(what string, wanted func(s socket) bool) {
	b.Helper()
	b.eventually(what, func() bool {
		for _, s := range b.sockets() {
			if wanted(s) {
				return true
			}
		}
		return false
	})
}

func (b *bench) eventually(what string, is func() bool) {
	b.Helper()
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(patience); !is(); <-tick.C {
		if time.Now().After(deadline) {
			b.Fatalf("waited %v for: %s; sockets: %v", patience, what, b.sockets())
		}
	}
}

// settle waits until every connection has ended.
func (b *bench) settle() {
	b.Helper()
	b.eventually("all connections to end", func() bool {
		for _, s := range b.sockets() {
			if s.state != stateListen && s.state != stateTimeWait {
				return false
			}
		}
		return true
	})
}
