//go:build linux

package tracer

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"net/netip"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/cilium/ebpf/ringbuf"
	"golang.org/x/sys/unix"

	"github.com/closetrace/closetrace/model"
	"github.com/closetrace/closetrace/tracer/process"
)

// Options configures a trace. The zero value traces everything.
type Options struct {
	// Mode forces a way to attach; empty chooses the best that works.
	Mode Mode
	// Types is a file with the types of this kernel, as BTF; empty are those of the kernel
	// itself or, if it has none, of a file in the usual places. With a file only the mode
	// Raw works.
	Types string
	// NetNS, Port and Peer, a network of peers, drop other connections in the
	// kernel; 0 is no filter.
	NetNS uint32
	Port  uint16
	Peer  netip.Prefix
	// PID follows one process and all that it and its children start: only connections
	// that one of them owns or closes are reported. 0 is no filter.
	PID uint32
	// CountOrdinary: an end with nothing to say is only counted, in the kernel, and is part
	// of a [model.Counted]. See bpf/ordinary.h for which these are.
	CountOrdinary bool
	// RingSize is the ring buffer's size in bytes, a power of two of at least a
	// page; 0 is 32 MiB, room for 89,000 ends.
	RingSize uint32
	// MaxConnections is how many open connections are followed; 0 is
	// DefaultMaxConnections. A tenant, a user in a network namespace, gets an entry while
	// he has less than twice of what is free. For other connections the ends are reported
	// without what happened before them.
	MaxConnections uint32
	// Poll is how often the ring is read; 0 is 50 ms, or less often: see pace. A ring that is
	// half full is read at once.
	Poll time.Duration
	// CommandLine: report the owner's command line too. It may hold secrets.
	CommandLine bool
	// Reader, if set, reads about processes what this process may not after the start.
	Reader process.Reader
}

func (o Options) withDefaults() Options {
	if o.RingSize == 0 {
		o.RingSize = 32 << 20
	}
	if o.MaxConnections == 0 {
		o.MaxConnections = DefaultMaxConnections()
	}
	if o.Poll == 0 {
		o.Poll = 50 * time.Millisecond
	}
	return o
}

// Tracer is a running trace of this host; it implements [model.Source].
type Tracer struct {
	opts    Options
	loaded  *loaded
	reader  ring
	losses  *lossCounters
	tenants *tenants
	asm     *assembler
	started model.Time
	seek    seek

	closeOnce sync.Once
	closeErr  error
	drained   bool
	tap       func(raw []byte) // sees every message; tests record with it
	now       clocks
}

// ring is where messages come from: a [ringbuf.Reader].
type ring interface {
	ReadInto(*ringbuf.Record) error
	SetDeadline(time.Time)
	Flush() error
	Close() error
}

var _ model.Source = (*Tracer)(nil)

// ErrNoMode is returned by Open when no way to attach works. The error says
// for each mode why.
var ErrNoMode = errors.New("no back end works on this host")

// Open loads the programs and attaches them. When it returns, every hook is live and
// connections that were open before are known. It needs CAP_BPF, CAP_PERFMON and, for the
// beginning of close() in tracepoint mode, CAP_NET_ADMIN; or CAP_SYS_ADMIN.
func Open(opts Options) (_ *Tracer, err error) {
	opts = opts.withDefaults()
	if missing := missingCapabilities(); len(missing) > 0 {
		return nil, &PrivilegeError{missing}
	}
	if err := removeMemlock(); err != nil {
		return nil, fmt.Errorf("raise the limit of locked memory (CAP_SYS_RESOURCE): %w", err)
	}
	t := &Tracer{opts: opts, now: systemClocks}
	t.seek.open = t.eachOpen
	defer func() {
		if err != nil {
			_ = t.Close()
		}
	}()
	env := newEnvironment(opts.Types, opts.RingSize)
	defer env.forget()
	if t.loaded, err = loadBest(opts, env); err != nil {
		return nil, err
	}
	reader, err := ringbuf.NewReader(t.loaded.objects.Maps["messages"])
	if err != nil {
		return nil, fmt.Errorf("open ring buffer: %w", err)
	}
	t.reader = reader
	if t.losses, err = newLossCounters(t.loaded.objects); err != nil {
		return nil, err
	}
	if t.tenants, err = mapTenants(t.loaded.objects, opts.MaxConnections); err != nil {
		return nil, err
	}
	if err := follow(opts.PID, t.loaded.objects); err != nil {
		return nil, err
	}
	execs, err := newExecCounts(t.loaded.objects, t.loaded.execsAt)
	if err != nil {
		return nil, err
	}
	found := newOwnListener(t.loaded.objects).learn(t.now)
	if err := t.findOpen(env, found); err != nil {
		return nil, err
	}
	t.now = t.now.kernels(found.ahead)
	clock := t.now.measure()
	t.started = clock.time(t.now.monotonic())
	t.asm = newAssembler(translator{
		clock:     clock,
		hertz:     found.hertz,
		reasons:   resetReasons(env.types),
		signals:   openSignals(t.loaded, env),
		seesICMP4: t.loaded.runs("fentry_v4_err", "kprobe_v4_err"),
		seesICMP6: t.loaded.runs("fentry_v6_err", "kprobe_v6_err"),
		owners: process.NewOwners(process.Options{
			CommandLine: opts.CommandLine, Reader: opts.Reader, BootAhead: time.Duration(found.ahead.boottime),
			Execs: execs.of,
		}),
	}, fmt.Sprintf("%x", uint64(t.started)/1e9&0xfffff))
	t.asm.began, t.asm.following = t.now.monotonic(), opts.PID != 0
	t.asm.attached(t.loaded.allReturns())
	t.asm.answers.watched = t.seesAnswers()
	t.asm.namespaces = newNamespaces(opts.NetNS, t.now.monotonic())
	if t.asm.tallies, err = newTallies(opts, t.loaded, t.asm.began); err != nil {
		return nil, err
	}
	return t, nil
}

// Mode returns how the trace is attached.
func (t *Tracer) Mode() Mode { return t.loaded.mode }

// Missing returns the optional hooks that are not attached.
func (t *Tracer) Missing() []Missing { return t.loaded.missing }

// Start implements [model.Source].
func (t *Tracer) Start() model.Start {
	s := model.Start{Time: t.started, Backend: string(t.loaded.mode)}
	s.OS.Type = "linux"
	var u unix.Utsname
	if unix.Uname(&u) == nil {
		s.OS.Version = unix.ByteSliceToString(u.Release[:])
		s.Host.Name = unix.ByteSliceToString(u.Nodename[:])
	}
	if id, err := os.ReadFile("/proc/sys/kernel/random/boot_id"); err == nil {
		s.BootID = strings.TrimSpace(string(id))
	}
	return s
}

// Events implements [model.Source]. When ctx ends, the programs are detached
// and what is in the ring is read out.
func (t *Tracer) Events(ctx context.Context) iter.Seq2[*model.Event, error] {
	return func(yield func(*model.Event, error) bool) {
		stopped := false
		out := func(e *model.Event) bool {
			stopped = stopped || !yield(e, nil)
			return !stopped
		}
		defer context.AfterFunc(ctx, func() { _ = t.reader.Flush() })() // do not wait for Poll
		for p := newPace(t.opts.Poll); !stopped && ctx.Err() == nil; p.next(t.asm.recent.count, t.asm.met(), len(t.asm.waits.bySock) > 0) {
			if err := t.round(p.poll, out); err != nil {
				if !errors.Is(err, os.ErrClosed) && !stopped {
					yield(nil, fmt.Errorf("read ring buffer: %w", err))
				}
				return
			}
		}
		if stopped {
			return
		}
		if err := t.drain(out); err != nil && !stopped && !errors.Is(err, os.ErrClosed) {
			yield(nil, fmt.Errorf("read ring buffer: %w", err))
		}
	}
}

// round waits for poll, reads the ring until it is empty and delivers what is
// complete.
func (t *Tracer) round(poll time.Duration, out emit) error {
	t.reader.SetDeadline(time.Now().Add(poll))
	if more, err := t.readOut(out); err != nil || !more {
		return err
	}
	now, more, err := t.catchUp(out)
	if err != nil || !more {
		return err
	}
	if !t.look(now, out) {
		return nil
	}
	t.asm.strayBeyond(t.losses.moreStrays(), now)
	t.asm.tallies.look(t.asm)
	more = t.deliver(now, out)
	if more && now <= t.seek.over { // it has looked for other ends
		if now, more, err = t.catchUp(out); err != nil {
			return err
		}
		more = more && t.deliver(now, out)
	}
	if more && t.asm.tallies.report(t.asm, now, false, out) {
		t.losses.report(t.asm.clock.time(now), out)
		t.tenants.report(now, t.asm.clock.time(now), false, out)
		t.asm.namespaces.report(now, &t.asm.clock, out)
	}
	return nil
}

// catchUp reads what was sent until now. The ring was empty some time ago: this thread may
// have waited for a processor since. What was sent meanwhile is still in the ring, not
// missing.
func (t *Tracer) catchUp(out emit) (now ktime, more bool, err error) {
	now = t.now.monotonic()
	t.reader.SetDeadline(time.Now())
	more, err = t.readOut(out)
	return now, more, err
}

// readOut delivers messages until the ring is empty. The ends of a busy host
// are delivered as later messages show that time has passed.
func (t *Tracer) readOut(out emit) (more bool, err error) {
	var (
		record ringbuf.Record
		m      message
		count  int
	)
	for {
		switch err := t.reader.ReadInto(&record); {
		case errors.Is(err, os.ErrDeadlineExceeded), errors.Is(err, ringbuf.ErrFlushed):
			return true, nil
		case err != nil:
			return false, err
		}
		if t.tap != nil {
			t.tap(record.RawSample)
		}
		if count == 0 && !t.look(t.now.monotonic(), out) {
			return false, nil
		}
		if err := m.decode(record.RawSample); err != nil {
			return false, err
		}
		if !t.asm.message(&m, out) {
			return false, nil
		}
		if count++; count%1024 != 0 {
			continue
		}
		t.asm.strayBeyond(t.losses.moreStrays(), m.time())
		if !t.setClock(out) || !t.deliver(m.time(), out) {
			return false, nil
		}
	}
}

// look notes what may have changed since the last time: the clocks, and programs that others
// have detached.
func (t *Tracer) look(now ktime, out emit) bool {
	if !t.setClock(out) {
		return false
	}
	return t.drained || t.loaded.watches.look(t.loaded, now, t.asm.clock.time(now), &t.asm.unseen, out)
}

// drain detaches the programs, so that no message follows, and delivers all
// that is left.
func (t *Tracer) drain(out emit) error {
	if t.drained {
		return nil
	}
	t.drained = true
	if err := t.loaded.detach(); err != nil {
		return fmt.Errorf("detach: %w", err)
	}
	t.reader.SetDeadline(time.Now())
	if more, err := t.readOut(out); err != nil || !more {
		return err
	}
	if !t.setClock(out) {
		return nil
	}
	now := t.now.monotonic()
	t.asm.strayBeyond(t.losses.moreStrays(), now)
	t.seekOpen(now.add(hold)) // for all that is held
	if t.asm.flush(t.losses.epoch(), out) && t.asm.tallies.report(t.asm, now, true, out) {
		t.losses.report(t.asm.clock.time(now), out)
		t.tenants.report(now, t.asm.clock.time(now), true, out)
	}
	return nil
}

// Close implements [model.Source].
func (t *Tracer) Close() error {
	t.closeOnce.Do(func() {
		var errs []error
		if t.reader != nil {
			errs = append(errs, t.reader.Close())
		}
		if t.loaded != nil {
			errs = append(errs, t.loaded.Close())
		}
		t.closeErr = errors.Join(errs...)
	})
	return t.closeErr
}
