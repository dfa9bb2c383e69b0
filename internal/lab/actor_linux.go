package lab

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// errGone is what a call returns whose actor died in it.
var errGone = errors.New("actor has exited")

// actor is the stage's side of an agent: a process that holds sockets.
type actor struct {
	stage  *stage
	name   string
	pid    int
	thread int // of the agent; see second
	*line
}

// line is the channel to an agent, shared by the actors of its threads.
type line struct {
	cmd     *exec.Cmd
	channel *os.File
	gone    chan struct{} // closed when the agent's end of the channel is

	mu      sync.Mutex
	waiting map[int]chan reply
	threads map[int]int // the thread of a call under way
	tids    map[int]int // of each thread that has answered
	last    int
}

// pending is a call under way.
type pending struct {
	actor *actor
	op    string
	reply chan reply
}

// outcome is a finished call. Errno is 0 for success.
type outcome struct {
	reply
	err error // errGone
}

// spawn starts an actor as a process of its own.
func (s *stage) spawn(name string) *actor {
	ends, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	s.check("make channel", err)
	theirs := os.NewFile(uintptr(ends[1]), "agent")
	defer theirs.Close()
	cmd := exec.Command("/proc/self/exe", roleArgument, agentPrefix+name) // #nosec G204 -- the lab starts this program or tcpdump, with arguments of its own
	cmd.Env = childEnv()
	cmd.Stderr = os.Stderr
	cmd.ExtraFiles = []*os.File{theirs, s.mail[0], s.mail[1]}
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	s.check("start "+name, cmd.Start())
	return s.newActor(name, cmd, os.NewFile(uintptr(ends[0]), name))
}

func (s *stage) newActor(name string, cmd *exec.Cmd, channel *os.File) *actor {
	l := &line{cmd: cmd, channel: channel, gone: make(chan struct{}), waiting: map[int]chan reply{}, threads: map[int]int{}, tids: map[int]int{}}
	a := &actor{stage: s, name: name, line: l}
	if cmd != nil {
		a.pid = cmd.Process.Pid
	}
	s.actors = append(s.actors, a)
	go l.listen()
	return a
}

// listen hands replies to their callers until the agent is gone.
func (l *line) listen() {
	defer close(l.gone)
	decoder := json.NewDecoder(l.channel)
	for {
		var p reply
		if err := decoder.Decode(&p); err != nil {
			return
		}
		l.mu.Lock()
		waiting := l.waiting[p.ID]
		l.tids[l.threads[p.ID]] = p.TID
		delete(l.waiting, p.ID)
		l.mu.Unlock()
		if waiting != nil {
			waiting <- p
		}
	}
}

// start begins a call and does not wait for it.
func (a *actor) start(r request) *pending {
	c := &pending{actor: a, op: r.Op, reply: make(chan reply, 1)}
	a.mu.Lock()
	a.last++
	r.ID, r.Thread = a.last, a.thread
	a.waiting[r.ID], a.threads[r.ID] = c.reply, a.thread
	a.mu.Unlock()
	text, err := json.Marshal(r)
	a.stage.check("encode request", err)
	if _, err := a.channel.Write(append(text, '\n')); err != nil && !errors.Is(err, unix.EPIPE) {
		a.stage.check("ask "+a.name, err)
	}
	return c
}

// wait returns the outcome of the call and notes it.
func (c *pending) wait() outcome {
	s := c.actor.stage
	var p reply
	select {
	case p = <-c.reply:
	case <-c.actor.gone:
		select {
		case p = <-c.reply:
		default:
			return outcome{err: errGone}
		}
	case <-time.After(s.patience):
		s.fail("%s: %s did not return in %v", c.actor.name, c.op, s.patience)
	}
	if p.Bug != "" {
		s.fail("%s: %s: %s", c.actor.name, c.op, p.Bug)
	}
	note := Call{Actor: c.actor.name, Name: c.op, Took: p.Took}
	if p.Errno != 0 {
		note.Error = unix.ErrnoName(p.Errno)
	}
	s.result.Calls = append(s.result.Calls, note)
	return outcome{reply: p}
}

// do runs an operation that must succeed.
func (a *actor) do(r request) reply {
	o := a.start(r).wait()
	switch {
	case o.err != nil:
		a.stage.fail("%s: %s: %v", a.name, r.Op, o.err)
	case o.Errno != 0:
		a.stage.fail("%s: %s(fd %d): %v", a.name, r.Op, r.FD, o.Errno)
	}
	return o.reply
}

// numbered returns the actor as another thread of its process; 0 is the first.
func (a *actor) numbered(thread int) *actor {
	b := *a
	b.thread, b.name = thread, threadName(a.name, thread)
	return &b
}

// interrupt sends a signal to the actor's thread that does nothing but end a
// wait: the Go runtime takes SIGURG for a request to preempt.
func (a *actor) interrupt() {
	a.stage.check("interrupt "+a.name, unix.Tgkill(a.pid, a.tid(), unix.SIGURG))
}

// fork starts a child of the actor's process that inherits k's descriptor,
// and returns k as the child holds it.
func (a *actor) fork(name string, k *sock) *sock {
	s := a.stage
	ends, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	s.check("make channel", err)
	s.check("send channel", sendRights(int(s.mail[0].Fd()), ends[1]))
	s.check("close channel", unix.Close(ends[1]))
	p := a.do(request{Op: "fork", FD: k.fd, Text: name})
	child := *k
	child.actor = s.newActor(name, nil, os.NewFile(uintptr(ends[0]), name))
	child.pid, child.fd = p.Ret, inheritedFD
	return &child
}

// blocked waits until the actor's thread, which must have done something
// before, is in that system call.
func (a *actor) blocked(call int) {
	path := fmt.Sprintf("/proc/%d/task/%d/syscall", a.pid, a.tid())
	a.stage.eventually(a.name+" to block", func() (bool, string) {
		text, err := os.ReadFile(path)
		a.stage.check("look at "+a.name, err)
		return strings.HasPrefix(string(text), strconv.Itoa(call)+" "), string(text)
	})
}

func (a *actor) tid() int {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.tids[a.thread]
}

// kill ends the actor's process with a signal and waits for its end.
func (a *actor) kill(signal syscall.Signal) {
	a.stage.check("kill "+a.name, unix.Kill(a.pid, signal))
	a.reap()
}

// exit makes the actor's process call exit and waits for its end.
func (a *actor) exit() {
	a.start(request{Op: "exit", Args: []int{0}})
	a.reap()
}

// reap waits until the process is gone, with all its descriptors.
func (a *actor) reap() {
	if a.cmd == nil {
		<-a.gone
		return
	}
	var exit *exec.ExitError
	if err := a.cmd.Wait(); err != nil && !errors.As(err, &exit) {
		a.stage.check("wait for "+a.name, err)
	}
}

// dismiss ends the agent at the end of the play.
func (a *actor) dismiss() {
	_ = unix.Shutdown(int(a.channel.Fd()), unix.SHUT_WR)
	<-a.gone
	if a.cmd != nil && a.cmd.ProcessState == nil {
		_ = a.cmd.Wait()
	}
}

func (a *actor) String() string { return fmt.Sprintf("%s (pid %d)", a.name, a.pid) }
