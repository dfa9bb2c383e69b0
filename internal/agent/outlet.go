package agent

import (
	"cmp"
	"context"
	"slices"
	"sync"
	"time"
)

const (
	longWait = 30 * time.Second
	// refusals are how often a batch is tried that is refused while others are taken, or for good.
	refusals = 3
	// mostInHand bounds the batches that failed and do not keep others from being tried.
	mostInHand = 8
	// lastTry is what the end of the agent may take.
	lastTry = 3 * time.Second
)

// outlet brings batches to the Collector. Two goroutines: one moves what comes to the
// sender or, if that is busy, to the spool; the sender sends.
type outlet struct {
	meter    *meter
	exporter *exporter
	spool    *spool // nil: none
	in, out  chan parcel
	cancel   context.CancelFunc // the sender
	done     sync.WaitGroup
	log      func(format string, args ...any)
	first    time.Duration // to wait after a failure; it doubles

	// The sender's own.
	hand      []parcel // if all of them failed, one more is taken
	successes uint64
	wait      time.Duration
}

func newOutlet(ctx context.Context, o *Options, m *meter) (_ *outlet, err error) {
	t := &outlet{meter: m, log: o.Log, first: cmp.Or(o.firstWait, time.Second), in: make(chan parcel, queueSize), out: make(chan parcel, 2)}
	if t.exporter, err = newExporter(ctx, o, m); err != nil {
		return nil, err
	}
	if o.Spool != "" {
		if t.spool, err = openSpool(o, m); err != nil {
			return nil, err
		}
	}
	ctx, t.cancel = context.WithCancel(context.WithoutCancel(ctx))
	t.done.Go(t.route)
	t.done.Go(func() { t.send(ctx) })
	return t, nil
}

// put hands a batch over and never waits.
func (t *outlet) put(p parcel) {
	select {
	case t.in <- p:
	default:
		t.meter.lose(lostQueue, p.count)
	}
}

// route moves batches on: to the sender, or to the spool if the sender is busy.
func (t *outlet) route() {
	defer close(t.out)
	for p := range t.in {
		if t.spool == nil {
			t.out <- p
			continue
		}
		select {
		case t.out <- p:
		default:
			t.spool.put(p)
		}
	}
}

// send sends until the outlet is closed.
func (t *outlet) send(ctx context.Context) {
	for t.fetch(ctx) {
		p := t.hand[0]
		t.hand = t.hand[1:]
		err := t.try(ctx, &p)
		if err == nil {
			t.successes++
			t.wait = 0
			continue
		}
		if ctx.Err() != nil { // the end, and no fault of the Collector
			t.hand = append(t.hand, p)
			break
		}
		t.failed(&p, err)
		select {
		case <-ctx.Done():
		case <-time.After(t.wait):
		}
	}
	t.rest(ctx)
}

// try sends p, and counts it if it was answered.
func (t *outlet) try(ctx context.Context, p *parcel) error {
	rejected, err := t.exporter.export(ctx, p)
	if err == nil {
		t.meter.export(p.count - rejected)
		t.meter.lose(lostRefused, rejected)
	}
	return err
}

// failed keeps p for another try, and says how long to wait.
func (t *outlet) failed(p *parcel, err error) {
	if t.wait == 0 {
		t.log("send to the Collector: %v; tracing goes on, and it is tried again", err)
	}
	t.wait = min(max(2*t.wait, t.first), longWait)
	never := t.exporter.answers.never
	if never {
		t.wait = t.first
	}
	if never || p.tried && t.successes > p.successes {
		p.fails++
	}
	p.tried, p.successes = true, t.successes
	if p.fails >= refusals {
		t.meter.lose(lostRefused, p.count)
		return
	}
	t.hand = append(t.hand, *p)
}

// fetch fills the sender's hand; false is the end.
func (t *outlet) fetch(ctx context.Context) bool {
	if ctx.Err() != nil {
		return false
	}
	var spooled <-chan []byte
	if t.spool != nil {
		spooled = t.spool.queue.ReadChan()
	}
	switch {
	case len(t.hand) == 0:
		select {
		case p, ok := <-t.out:
			if !ok {
				return false
			}
			t.take(p, ok)
		case raw := <-spooled:
			t.unspool(raw)
		case <-ctx.Done():
			return false
		}
	case len(t.hand) < mostInHand && !slices.ContainsFunc(t.hand, func(p parcel) bool { return !p.tried }):
		select {
		case p, ok := <-t.out:
			t.take(p, ok)
		case raw := <-spooled:
			t.unspool(raw)
		default:
		}
	}
	return len(t.hand) > 0 || t.fetch(ctx)
}

func (t *outlet) take(p parcel, ok bool) {
	if ok {
		t.hand = append(t.hand, p)
	}
}

func (t *outlet) unspool(raw []byte) {
	if p, ok := t.spool.open(raw); ok {
		t.hand = append(t.hand, p)
	}
}

// rest tries what is in memory once more; what then is left goes to the spool.
func (t *outlet) rest(ctx context.Context) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), lastTry)
	defer cancel()
	for p := range t.out {
		t.hand = append(t.hand, p)
	}
	for i := range t.hand {
		p := &t.hand[i]
		switch {
		case ctx.Err() == nil && t.try(ctx, p) == nil:
		case t.spool != nil:
			t.spool.put(*p)
		default:
			t.meter.lose(lostEnd, p.count)
		}
	}
}

// close ends the outlet; nothing may be put any more.
func (t *outlet) close() error {
	close(t.in)
	t.cancel()
	t.done.Wait()
	err := t.exporter.close()
	if t.spool != nil {
		if closed := t.spool.close(); err == nil {
			err = closed
		}
	}
	return err
}
