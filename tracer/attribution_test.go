//go:build linux

package tracer

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
	"unsafe"

	"github.com/closetrace/closetrace/internal/lab/sourcetest"
	"github.com/closetrace/closetrace/model"
	"github.com/closetrace/closetrace/tracer/process"
	"github.com/closetrace/closetrace/tracer/process/processtest"
)

func ptr(b *byte) unsafe.Pointer { return unsafe.Pointer(b) }

// company is the processes of TestAttribution, and what they claim.
type company struct {
	t      *testing.T
	mutex  sync.Mutex
	claims []claim
	casts  []*cast
}

// cast is one process that the test started itself.
type cast struct {
	command *exec.Cmd
	in      io.WriteCloser
	lines   *bufio.Scanner
	where   string
	started time.Time
}

const attributionServer = "127.0.0.77:7077"

// start starts a process and waits until it has said that it is ready.
func (c *company) start(part, name string, count int, where string, attributes *syscall.SysProcAttr) *cast {
	c.t.Helper()
	command := exec.Command("/proc/self/exe", "-test.run=^TestActor$", "-test.v=false")
	command.Env = append(os.Environ(), fmt.Sprintf("%s=%s %s %d %s", actorPart, part, attributionServer, count, where), actorName+"="+name)
	command.SysProcAttr, command.Stderr = attributes, os.Stderr
	p := &cast{command: command, where: where, started: time.Now()}
	var err error
	if p.in, err = command.StdinPipe(); err != nil {
		c.t.Fatal(err)
	}
	out, err := command.StdoutPipe()
	if err != nil {
		c.t.Fatal(err)
	}
	if err := command.Start(); err != nil {
		c.t.Fatal(err)
	}
	p.lines = bufio.NewScanner(out)
	c.casts = append(c.casts, p)
	c.listen(p, "ready")
	return p
}

// listen collects claims until a word comes.
func (c *company) listen(p *cast, until string) {
	for p.lines.Scan() {
		word, ok := strings.CutPrefix(p.lines.Text(), "@")
		switch {
		case !ok:
		case word == until:
			return
		case strings.HasPrefix(word, "error"):
			c.t.Errorf("actor: %s", word)
		default:
			var said claim
			if err := json.Unmarshal([]byte(word), &said); err == nil {
				c.mutex.Lock()
				c.claims = append(c.claims, said)
				c.mutex.Unlock()
			}
		}
	}
}

// finish lets a process close, and waits for its end.
func (c *company) finish(p *cast) {
	fmt.Fprintln(p.in, "go")
	c.listen(p, "")
	if err := p.command.Wait(); err != nil {
		c.t.Errorf("actor %v: %v", p.command.Env[len(p.command.Env)-1], err)
	}
}

// play brings about 200 connections to a server with four workers.
func (c *company) play() {
	server := c.start("server", "att-server", 0, "", nil)
	c.start("nested", "att-nest-top", 4, "", nil)
	c.start("threads", "att-threads", 30, "", nil)
	c.start("exec", "att-before-exec", 15, "", nil)
	c.start("passer", "att-passer", 15, "", nil)
	c.start("alone", "att-alone", 10, "", &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNET})
	for _, l := range processtest.Layouts() {
		if !l.Possible() {
			continue
		}
		_, directory := processtest.Cgroup(c.t, process.Cgroup2Mount(), attributionTop+l.Path)
		c.start("client", "att-in-cgroup", 6, l.Name, &syscall.SysProcAttr{UseCgroupFD: true, CgroupFD: int(directory.Fd())})
	}
	for _, p := range c.casts[1:] {
		c.finish(p)
	}
	c.finish(server)
}

const attributionTop = "/closetrace-test-attribution"

// TestAttribution: every owner is right, or marked as inferred, or absent; in
// fentry and kprobe mode always right. Containers are right in every case.
func TestAttribution(t *testing.T) {
	for _, mode := range TypedModes() {
		t.Run(string(mode), func(t *testing.T) {
			tr := OpenOrSkip(t, Options{Mode: mode})
			processtest.Cgroup(t, process.Cgroup2Mount(), attributionTop)
			c := &company{t: t}
			records := sourcetest.RecordWhile(t, tr, c.play)
			c.compare(records, mode)
		})
	}
}

// compare checks the records against the claims.
func (c *company) compare(records []model.Record, mode Mode) {
	// By address and namespace: one of the actors has a namespace of its own, with
	// the same server address, and its ports may be those of another.
	type end struct {
		client string
		netNS  uint32
	}
	clients, servers := map[end]claim{}, map[end]claim{}
	for _, said := range c.claims {
		if said.Accepted {
			servers[end{said.Peer, said.NetNS}] = said
		} else {
			clients[end{said.Local, said.NetNS}] = said
		}
	}
	if len(clients) < 200 || len(servers) < 190 {
		c.t.Errorf("%d clients and %d accepted connections, want 200 and 190 at least", len(clients), len(servers))
	}
	count := map[string]int{}
	for i := range records {
		r := &records[i]
		f := &r.Teardown.Facts
		if r.Kind != model.KindTeardown || f.Network.Local.Port != 7077 && f.Network.Peer.Port != 7077 {
			continue
		}
		local, peer := f.Network.Local.AddrPort().String(), f.Network.Peer.AddrPort().String()
		if said, ok := clients[end{local, f.Network.NetNS}]; ok {
			count["client "+f.Process.Source.String()]++
			c.owner(f, &said, mode)
			c.place(f, &said)
		} else if said, ok := servers[end{peer, f.Network.NetNS}]; ok && local == attributionServer {
			count["server "+f.Process.Source.String()]++
			c.owner(f, &said, mode)
			if client := clients[end{peer, f.Network.NetNS}]; client.Where != "" && f.PeerProcess.PID == client.PID {
				count["peers in containers"]++
				c.peerPlace(f, &client)
			}
		}
	}
	c.t.Logf("%d claims; ends by how their owner was learnt: %v", len(c.claims), count)
	seen := map[string]int{}
	for how, n := range count {
		side, _, _ := strings.Cut(how, " ")
		seen[side] += n
	}
	if n := count["peers in containers"]; n < 5 {
		c.t.Errorf("%d servers know the place of a client in a container, want 5 at least", n)
	}
	if seen["client"] != len(clients) || seen["server"] != len(servers) {
		c.t.Errorf("recorded ends: %v, want %d of clients and %d of servers", seen, len(clients), len(servers))
	}
}

func (c *company) owner(f *model.Facts, said *claim, mode Mode) {
	p := &f.Process
	what := fmt.Sprintf("%s -> %s (%s)", f.Network.Local.AddrPort(), f.Network.Peer.AddrPort(), said.Where)
	mayInfer := !mode.SeesFunctions() && said.Accepted
	switch {
	case p.PID == said.PID && p.Name == said.Name:
	case mayInfer && (p.Source == model.OwnerUnknown || p.Source == model.OwnerListener):
	default:
		c.t.Errorf("%s: owner is %s/%d by %q, want %s/%d", what, p.Name, p.PID, p.Source, said.Name, said.PID)
	}
	if said.Closer == -1 && f.Closer.PID == said.PID {
		c.t.Errorf("%s: closer is the process %d that passed the descriptor on", what, f.Closer.PID)
	}
	if !said.Accepted && p.Source != model.OwnerConnect {
		c.t.Errorf("%s: owner was learnt by %q, want connect", what, p.Source)
	}
	if p.StartTime != 0 && time.Since(p.StartTime.Go()) > time.Minute {
		c.t.Errorf("%s: owner started at %v, before the test", what, p.StartTime)
	}
}

// peerPlace compares what the server's end says of its client with the layout of the client's cgroup.
func (c *company) peerPlace(f *model.Facts, client *claim) {
	for _, l := range processtest.Layouts() {
		got := processtest.Place{Container: f.PeerProcess.Container, PodUID: f.PeerProcess.K8s.Pod.UID, Unit: l.Want.Unit}
		if l.Name == client.Where && got != l.Want {
			c.t.Errorf("%s: the peer of %s is in %+v, want %+v", l.Name, f.Network.Local.AddrPort(), got, l.Want)
		}
	}
}

// place compares container, pod and unit with the layout of the cgroup.
func (c *company) place(f *model.Facts, said *claim) {
	if said.Where == "" {
		return
	}
	for _, l := range processtest.Layouts() {
		if l.Name != said.Where {
			continue
		}
		if got := processtest.PlaceOf(f); got != l.Want {
			c.t.Errorf("%s: %s is in %+v, want %+v", l.Name, f.Network.Local.AddrPort(), got, l.Want)
		}
		if f.Cgroup.Path != attributionTop+l.Path {
			c.t.Errorf("%s: cgroup is %q, want %q", l.Name, f.Cgroup.Path, attributionTop+l.Path)
		}
		return
	}
	c.t.Errorf("no layout %q", said.Where)
}
