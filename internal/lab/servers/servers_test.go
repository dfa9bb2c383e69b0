//go:build linux

package servers_test

import (
	"slices"
	"sync"
	"testing"

	"github.com/closetrace/closetrace/internal/lab/sourcetest"
	"github.com/closetrace/closetrace/model"
	"github.com/closetrace/closetrace/tracer"
)

// server is a real server that ends connections in one of its ways.
type server struct {
	name  string
	needs []string // programs that must be installed
	play  func(*bench)
}

func servers() []server {
	return slices.Concat(nginxServers(), redisServers(), haproxyServers(), goServers(), pythonServers())
}

// TestServers checks the records of real servers and clients against a packet
// capture and against the processes that the test started. What is expected
// of an end is what the server's documentation or source says.
func TestServers(t *testing.T) {
	for _, mode := range []tracer.Mode{tracer.Fentry, tracer.Kprobe, tracer.Tracepoint} { // Raw runs the programs of Tracepoint
		t.Run(string(mode), func(t *testing.T) {
			tr := open(t, mode)
			var plays []*play
			records := sourcetest.RecordWhile(t, tr, func() { plays = playServers(t) })
			for _, p := range plays {
				if !p.failed {
					t.Run(p.name+"/records", func(t *testing.T) {
						p.judge(t, records, len(tr.Missing()) == 0)
					})
				}
				p.close()
			}
			t.Run("document", func(t *testing.T) { testDocument(t, plays) })
		})
	}
}

func open(t *testing.T, mode tracer.Mode) *tracer.Tracer {
	t.Helper()
	tr, err := tracer.Open(tracer.Options{Mode: mode})
	needed := []string{string(mode)}
	if mode == tracer.Tracepoint { // it works wherever closetrace does
		needed = append(needed, "servers")
	}
	sourcetest.Opened(t, err, needed...)
	t.Cleanup(func() { tr.Close() })
	return tr
}

// atOnce is how many servers run at the same time: they mostly wait.
const atOnce = 6

func playServers(t *testing.T) []*play {
	var (
		all   = servers()
		plays = make([]*play, len(all))
		slots = make(chan struct{}, atOnce)
		wait  sync.WaitGroup
	)
	for i, s := range all {
		wait.Go(func() {
			slots <- struct{}{}
			defer func() { <-slots }()
			t.Run(s.name, func(t *testing.T) {
				installed(t, s.needs)
				plays[i] = &play{name: s.name}
				plays[i].run(t, &s)
			})
		})
	}
	wait.Wait()
	return slices.DeleteFunc(plays, func(p *play) bool { return p == nil })
}

// play is what remains of a server that has stopped.
type play struct {
	name   string
	failed bool
	space  *space
	seen   []*connection
}

func (p *play) run(t *testing.T, s *server) {
	defer func() { p.failed = t.Failed() }()
	b := openBench(t)
	p.space = b.space
	s.play(b)
	b.settle()
	p.seen = connections(b.capture.finish(t))
	if len(p.seen) != len(b.wants) {
		t.Fatalf("captured %d connections, want %d", len(p.seen), len(b.wants))
	}
	for i, c := range p.seen {
		c.match(t, &b.wants[i])
	}
}

// close gives the namespace up. Its number would be that of the next one.
func (p *play) close() {
	if p.space != nil {
		p.space.file.Close()
	}
}

// judge finds both ends of each connection among the records of the play's
// namespace; nothing must be left over but resets that belong to none. What is older than the namespace is
// of one that had its number before.
func (p *play) judge(t *testing.T, records []model.Record, complete bool) {
	var mine []*model.Record
	for i := range records {
		r := &records[i]
		if r.Kind != model.KindLoss && r.Kind != model.KindStray && r.Teardown.Network.NetNS == p.space.netns && r.Time() > p.space.made {
			mine = append(mine, r)
		}
	}
	for _, c := range p.seen {
		for _, e := range c.ends() {
			mine = e.judge(t, mine, complete)
		}
	}
	for _, r := range mine {
		t.Errorf("unexpected %v: %s", r.Kind, line(r))
	}
}
