package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/pflag"

	"github.com/closetrace/closetrace/etwsrc"
	"github.com/closetrace/closetrace/internal/findings"
	"github.com/closetrace/closetrace/internal/ledger"
	"github.com/closetrace/closetrace/model"
)

var (
	// errSource is matched by errors about what the host lacks.
	errSource = errors.New("cannot trace")
	// errStopped ends a trace for a reason that is no failure.
	errStopped = errors.New("stopped")
)

// traceFlags configure a live trace.
type traceFlags struct {
	choice
	backend        string
	duration       time.Duration
	count          uint64
	ringSize       uint32
	maxConnections uint32
	commandLine    bool
	// keep are capabilities that are needed after the start, by number.
	keep []int
	// follow, if set, is the command or process that is traced alone.
	follow *followed
	// family, if set, is that process.
	family uint32
}

func (t *traceFlags) flags(set *pflag.FlagSet) {
	t.choice.flags(set)
	set.StringVar(&t.backend, "backend", "", "force a `BACKEND`: "+strings.Join(backends, ", "))
	set.DurationVarP(&t.duration, "duration", "d", 0, "stop after this `TIME`, e.g. 30s or 10m")
	set.Uint64VarP(&t.count, "count", "c", 0, "stop after this `NUMBER` of teardowns")
	set.Uint32Var(&t.ringSize, "ring-size", 0, "size of the kernel's buffer in `MiB`, a power of two (default 32)")
	set.Uint32Var(&t.maxConnections, "max-connections", 0, "open connections to follow (default 65536)")
	set.BoolVar(&t.commandLine, "command-line", false, "record command lines too (they may hold secrets)")
}

// trace is a running trace: records, filtered and judged, with a start line
// first and a stop line last.
type trace struct {
	source model.Source
	filter *model.Filter   // all that was asked for
	rest   *ledger.Passing // of it, what the source has not chosen
	flags  *traceFlags
	start  model.Start
	stop   model.Stop // the counts so far
	ended  ledger.Ends
	found  *findings.Engine // of what is followed
	// hangup, if set, is asked at SIGHUP; it returns whether the trace goes on.
	hangup func() bool
}

// open compiles the filter and starts the back end. Privileges that only the
// start needs are dropped.
func (t *traceFlags) open() (*trace, error) {
	filter, err := t.compile()
	if err != nil {
		return nil, err
	}
	unchosen := t.unchosen()
	rest, err := unchosen.compile()
	if err != nil {
		return nil, err
	}
	if t.duration < 0 {
		return nil, usage("--duration %s is over before it begins: want a time such as 30s", t.duration)
	}
	source, err := openSource(t)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errSource, err)
	}
	start := source.Start()
	start.Tool.Version = version()
	start.Filter = t.follow.chosen(filter)
	started := &trace{source: source, filter: filter, rest: ledger.NewPassing(rest), flags: t, start: start}
	if t.follow != nil {
		started.found = findings.New()
	}
	return started, nil
}

// records yields the start, what passes the filter, and the stop. It ends with
// the signals that end a program, after --duration and after --count.
func (t *trace) records(ctx context.Context) iter.Seq2[model.Record, error] {
	return func(yield func(model.Record, error) bool) {
		ctx, cancel := context.WithCancelCause(ctx)
		defer cancel(nil)
		stopSignals := t.stopBySignal(cancel)
		defer stopSignals()
		if t.flags.duration > 0 {
			timer := time.AfterFunc(t.flags.duration, func() { cancel(reason("duration")) })
			defer timer.Stop()
		}
		if !yield(model.Record{Kind: model.KindStart, Start: t.start}, nil) {
			return
		}
		defer t.flags.follow.begin(ctx, cancel, &t.ended)()
		last, failed, stopped := t.pass(ctx, cancel, yield)
		if stopped {
			return
		}
		stop := t.stop
		stop.Teardowns = t.ended.ByVerdict()
		stop.Time, stop.Reason = max(last, model.TimeOf(time.Now())), "source-ended"
		var why reason
		if errors.As(context.Cause(ctx), &why) {
			stop.Reason = string(why)
		}
		if failed != nil {
			stop.Reason = "error"
		}
		if failed == nil {
			failed = t.rest.Failed()
		}
		if yield(model.Record{Kind: model.KindStop, Stop: stop}, nil) && failed != nil {
			yield(model.Record{}, failed)
		}
	}
}

// pass yields what passes the filter until the source ends.
func (t *trace) pass(ctx context.Context, cancel context.CancelCauseFunc, yield func(model.Record, error) bool) (last model.Time, failed error, stopped bool) {
	var ends uint64
	for r, err := range model.Judged(t.source.Events(ctx)) {
		if err != nil {
			return last, err, false
		}
		if r.Kind == model.KindLoss {
			t.stop.Lost += r.Loss.Count
		}
		if !t.rest.Match(&r) {
			continue
		}
		isEnd := r.Kind == model.KindTeardown || r.Kind == model.KindOutcome
		if t.flags.count > 0 && ends == t.flags.count && isEnd && !t.ended.Knows(&r) {
			continue // what the drain still delivers
		}
		if t.ended.Add(&r) {
			if ends++; ends == t.flags.count {
				cancel(reason("count"))
			}
		}
		last = r.Time()
		if t.found != nil {
			t.found.Add(&r)
		}
		if !yield(r, nil) {
			return last, nil, true
		}
	}
	return last, nil, false
}

// reason is why a trace stopped, as the stop line says it.
type reason string

func (r reason) Error() string { return string(r) }

// stopBySignal cancels when a signal asks for the end. A second SIGINT or SIGTERM
// ends the program at once. A second SIGHUP does nothing until the program has
// ended: a terminal that is lost sends one, and the shell another.
func (t *trace) stopBySignal(cancel context.CancelCauseFunc) (stop func()) {
	signals, hangups := make(chan os.Signal, 1), make(chan os.Signal, 1)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	if !signal.Ignored(syscall.SIGHUP) { // nohup wants the trace to outlive the terminal
		signal.Notify(hangups, syscall.SIGHUP)
	}
	done := make(chan struct{})
	go func() {
		defer signal.Stop(signals)
		for {
			select {
			case <-hangups:
				if t.hangup != nil && t.hangup() {
					continue
				}
				cancel(reason("signal"))
			case <-signals:
				cancel(reason("signal"))
			case <-done:
			}
			return
		}
	}()
	return func() { close(done) }
}

// tell writes what of a trace that has ended could not be read.
func (t *trace) tell(out io.Writer) {
	t.tellFindings(out)
	if source, ok := t.source.(*etwsrc.Session); ok {
		tellUndecoded(out, "live", source)
	}
}

func (t *trace) Close() error { return t.source.Close() }
