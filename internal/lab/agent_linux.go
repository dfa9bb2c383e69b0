package lab

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"runtime"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// Descriptors that an agent is born with.
const (
	channelFD = 3 // requests and replies
	mailOutFD = 4 // a Unix socket pair that all agents share: fds in flight
	mailInFD  = 5
)

// request asks an agent for one operation; see operations for what the
// fields mean to each.
type request struct {
	ID     int            `json:"id"`
	Thread int            `json:"thread"`
	Op     string         `json:"op"`
	FD     int            `json:"fd"`
	Args   []int          `json:"args,omitempty"`
	Addr   netip.AddrPort `json:"addr,omitzero"`
	Text   string         `json:"text,omitempty"`
}

// reply is what came of it.
type reply struct {
	ID    int            `json:"id"`
	TID   int            `json:"tid"`
	Ret   int            `json:"ret"`
	Errno unix.Errno     `json:"errno,omitempty"`
	Addr  netip.AddrPort `json:"addr,omitzero"`
	Seq   [2]uint32      `json:"seq,omitzero"`
	Took  time.Duration  `json:"took"`
	// Late is how much of that a close() waited for a processor.
	Late time.Duration `json:"late,omitzero"`
	// Bug is an error that is not an errno.
	Bug string `json:"bug,omitempty"`
}

// agent executes requests on its threads. Each thread is one OS thread, so
// that two of them can be in system calls at once.
type agent struct {
	channel *os.File
	write   sync.Mutex
	threads map[int]chan request
}

// serveAgent is the life of an actor's process: it ends when the stage closes
// the channel.
func serveAgent(name string) {
	a := &agent{channel: os.NewFile(channelFD, "channel"), threads: map[int]chan request{}}
	setName(name)
	if err := unix.Setrlimit(unix.RLIMIT_CORE, &unix.Rlimit{}); err != nil {
		os.Exit(1)
	}
	decoder := json.NewDecoder(a.channel)
	for {
		var r request
		if err := decoder.Decode(&r); err != nil {
			os.Exit(0)
		}
		work, ok := a.threads[r.Thread]
		if !ok {
			work = make(chan request, 8)
			a.threads[r.Thread] = work
			// After a call that blocked, Go waits for a processor before it takes the time.
			if n := len(a.threads); n > runtime.GOMAXPROCS(0) {
				runtime.GOMAXPROCS(2 * n)
			}
			go a.thread(threadName(name, r.Thread), work)
		}
		work <- r
	}
}

// thread never gives its OS thread back: process exit ends it.
func (a *agent) thread(name string, work <-chan request) {
	runtime.LockOSThread()
	setThreadName(name)
	for r := range work {
		a.answer(r, execute(r))
	}
}

func (a *agent) answer(r request, p reply) {
	p.ID, p.TID = r.ID, unix.Gettid()
	line, err := json.Marshal(p)
	if err != nil {
		os.Exit(1)
	}
	a.write.Lock()
	defer a.write.Unlock()
	if _, err := a.channel.Write(append(line, '\n')); err != nil {
		os.Exit(1)
	}
}

// execute runs one operation on the calling thread and takes its time.
func execute(r request) (p reply) {
	op, ok := operations[r.Op]
	if !ok {
		return reply{Bug: "unknown operation " + r.Op}
	}
	var waited time.Duration
	if r.Op == "close" {
		waited = runDelay()
	}
	start := time.Now()
	err := op(&r, &p)
	p.Took = time.Since(start)
	if r.Op == "close" {
		p.Late = runDelay() - waited
	}
	if err != nil && !errors.As(err, &p.Errno) {
		p.Bug = err.Error()
	}
	return p
}

// runDelay is how long this thread has waited for a processor since it began, or 0 if
// the kernel does not count (CONFIG_SCHED_INFO; Documentation/scheduler/sched-stats.rst).
func runDelay() time.Duration {
	text, err := os.ReadFile("/proc/thread-self/schedstat")
	if err != nil {
		return 0
	}
	var ran, waited time.Duration
	_, _ = fmt.Sscan(string(text), &ran, &waited) // of another form: 0
	return waited
}

// setName names the process. Errors do not matter: a wrong name is found by
// the tests.
func setName(name string) { _ = os.WriteFile("/proc/self/comm", []byte(name), 0) } // #nosec G703 -- the lab starts this program or tcpdump, with arguments of its own

// setThreadName names the calling thread, which /proc/self/comm does not.
func setThreadName(name string) { _ = os.WriteFile("/proc/thread-self/comm", []byte(name), 0) } // #nosec G703 -- the lab starts this program or tcpdump, with arguments of its own

// threadName is lab-a for the first thread of that actor, then lab-a.1.
func threadName(name string, thread int) string {
	if thread == 0 {
		return name
	}
	return fmt.Sprintf("%s.%d", name, thread)
}
