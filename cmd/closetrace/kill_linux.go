package main

import (
	"context"
	"errors"
	"os"
	"time"

	"github.com/closetrace/closetrace/internal/sockets"
	"github.com/closetrace/closetrace/model"
	"github.com/closetrace/closetrace/tracer"
)

// witness is a trace that runs while connections are ended. Without the privileges for
// one it is nil, and only the kernel's table is read afterwards.
type witness struct {
	tracer  *tracer.Tracer
	waiting map[model.Network]bool
}

// witnessPatience is how long to wait for the records: they come after tracer's hold time
// of 100 ms.
const witnessPatience = 3 * time.Second

func openWitness(flags *killFlags, chosen []sockets.Conn) *witness {
	if flags.noTrace {
		return nil
	}
	netns := chosen[0].Network.NetNS
	for i := range chosen {
		if chosen[i].Network.NetNS != netns {
			netns = 0
		}
	}
	t, err := tracer.Open(tracer.Options{NetNS: netns, RingSize: 1 << 20})
	if err != nil {
		return nil
	}
	return &witness{tracer: t, waiting: map[model.Network]bool{}}
}

func (w *witness) close() {
	if w != nil {
		_ = w.tracer.Close()
	}
}

// expect notes a connection whose record should come. Listeners, connections closed long
// ago and UDP sockets have none.
func (w *witness) expect(c *sockets.Conn) {
	if w != nil && c.Transport == "tcp" && c.State != model.Listen && c.State != model.Closed && !c.TCP.TimeWait {
		w.waiting[c.Network] = true
	}
}

// records waits for the records of all that is expected and returns what came.
func (w *witness) records(ctx context.Context) []model.Record {
	if w == nil || len(w.waiting) == 0 {
		return nil
	}
	ctx, cancel := context.WithTimeoutCause(ctx, witnessPatience, errors.New("no more records came"))
	defer cancel()
	var found []model.Record
	for r, err := range model.Judged(w.tracer.Events(ctx)) {
		if err != nil {
			break
		}
		n := r.Teardown.Network
		if r.Kind != model.KindTeardown || !w.waiting[n] || r.Teardown.Closer.PID != os.Getpid() {
			continue
		}
		delete(w.waiting, n)
		if found = append(found, r); len(w.waiting) == 0 {
			cancel()
		}
	}
	return found
}
