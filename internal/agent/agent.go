package agent

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"github.com/closetrace/closetrace/internal/ledger"
	"github.com/closetrace/closetrace/model"
)

// Agent counts and sends the records of one trace. Close ends it.
type Agent struct {
	o       Options
	meter   *meter
	outlet  *outlet // nil: nothing is sent
	shedder shedder
	web     *web
	stop    chan struct{}
	done    sync.WaitGroup

	mu     sync.Mutex // what follows
	choice Choice
	bucket *rate.Limiter
	ends   ledger.Ends
	sent   ledger.Ledger[struct{}] // ends that were sent: their outcomes are too
	found  finder
	batch  batch
}

// New returns an agent that listens and is ready to send.
func New(ctx context.Context, o Options) (_ *Agent, err error) {
	if o.MaxSeries == 0 {
		o.MaxSeries = 2000
	}
	if o.Log == nil {
		o.Log = func(string, ...any) {}
	}
	a := &Agent{o: o, meter: newMeter(&o), stop: make(chan struct{}), found: newFinder()}
	a.shedder = newShedder(&o, a.meter)
	a.Choose(o.Choice)
	defer func() {
		if err != nil {
			_ = a.Close()
		}
	}()
	if Exports(o.Endpoint) {
		if a.outlet, err = newOutlet(ctx, &o, a.meter); err != nil {
			return nil, err
		}
	}
	if o.MetricsListen != "" {
		if a.web, err = serve(o.MetricsListen, a.meter); err != nil {
			if a.outlet == nil {
				return nil, err
			}
			// Whoever took the port must not keep records from being sent.
			o.Log("%v; records are sent without metrics until the agent is started again", err)
		}
	}
	a.done.Go(a.beat)
	return a, nil
}

// MetricsAddress is where metrics are served; empty if nowhere.
func (a *Agent) MetricsAddress() string { return a.web.address() }

// Choose changes what is sent from now on.
func (a *Agent) Choose(c Choice) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.choice = c
	limit := rate.Inf
	if c.Rate > 0 {
		limit = rate.Limit(c.Rate)
	}
	if a.bucket == nil {
		a.bucket = rate.NewLimiter(limit, int(max(1, 10*c.Rate)))
		return
	}
	a.bucket.SetLimit(limit)
	a.bucket.SetBurst(int(max(1, 10*c.Rate)))
}

// Run takes all records of a trace.
func (a *Agent) Run(records iter.Seq2[model.Record, error]) error {
	var last model.Record // one for all: the range's own would each move to the heap
	for r, err := range records {
		if err != nil {
			return err
		}
		last = r
		a.Add(&last)
	}
	return nil
}

// Add takes the next record of the trace. It never waits.
func (a *Agent) Add(r *model.Record) {
	a.mu.Lock()
	defer a.mu.Unlock()
	level := a.shedder.now()
	isNew := a.ends.Add(r)
	a.meter.record(r, isNew, level < shedProcesses)
	if level < shedFindings {
		a.found.engine.Add(r)
	}
	if a.outlet == nil || !a.wanted(r) {
		return
	}
	a.meter.offered.Inc()
	switch {
	case level >= shedEvents:
		a.meter.suppressed[byShedding].Inc()
	case !a.bucket.Allow():
		a.meter.suppressed[byRate].Inc()
	default:
		a.batch.add(r, a.places(r))
		a.added()
	}
}

// wanted reports whether r is to be sent: what did not end well, its outcome, and
// what the trace missed.
func (a *Agent) wanted(r *model.Record) bool {
	switch r.Kind {
	case model.KindTeardown:
		if !a.choice.All && r.Teardown.Verdict == model.Graceful {
			return false
		}
		a.sent.Add(r, struct{}{})
		return true
	case model.KindOutcome:
		return a.choice.All || r.Teardown.Verdict != model.Graceful || a.sent.Of(r.Teardown.ID) != nil
	case model.KindLoss, model.KindStray, model.KindCloseFailed:
		return true
	case model.KindUnknown, model.KindStart, model.KindCounters, model.KindClock, model.KindTable, model.KindCounts, model.KindStop:
	}
	return false
}

// added counts what was added to the batch, and hands on one that is full. The caller holds the lock.
func (a *Agent) added() {
	a.meter.wait()
	if a.batch.full() {
		a.flush()
	}
}

// flush hands the batch on. The caller holds the lock.
func (a *Agent) flush() {
	if a.batch.count > 0 {
		a.outlet.put(a.batch.take())
	}
}

// beat does what is due by the clock.
func (a *Agent) beat() {
	clock := time.NewTicker(tick)
	defer clock.Stop()
	watchdog := newWatchdog(a.o.Manager)
	for n := 1; ; n++ {
		select {
		case <-a.stop:
			return
		case now := <-clock.C:
			a.due(now, n)
			watchdog.alive(now)
		}
	}
}

func (a *Agent) due(now time.Time, n int) {
	if said := a.shedder.look(now); said != "" {
		a.o.Log("%s", said)
		a.say(now, said)
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if n%findEvery == 0 && a.shedder.now() < shedFindings {
		for _, f := range a.found.look(now) {
			a.meter.finding(&f)
			if a.outlet != nil && f.tell {
				a.meter.offered.Inc()
				a.batch.addFinding(&f.Finding)
				a.added()
			}
		}
	}
	if a.outlet != nil && now.Sub(a.batch.began) >= batchAge {
		a.flush()
	}
}

// say sends a sentence about the agent itself.
func (a *Agent) say(now time.Time, text string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.outlet != nil {
		a.meter.offered.Inc()
		a.batch.addNote(now, text)
		a.added()
	}
}

// Close sends or spools what is left and ends the agent.
func (a *Agent) Close() error {
	select {
	case <-a.stop:
		return nil
	default:
		close(a.stop)
	}
	a.done.Wait()
	var err error
	if a.outlet != nil {
		a.mu.Lock()
		a.flush()
		a.mu.Unlock()
		err = a.outlet.close()
	}
	if a.web != nil {
		err = errors.Join(err, a.web.close())
	}
	if err != nil {
		return fmt.Errorf("end the agent: %w", err)
	}
	return nil
}
