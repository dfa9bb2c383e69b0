package etwsrc

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"iter"
	"sync"
	"sync/atomic"

	"github.com/closetrace/closetrace/etwsrc/internal/join"
	"github.com/closetrace/closetrace/model"
)

var _ model.Source = (*Session)(nil)

// Session is a live ETW session.
type Session struct {
	sys      system
	name     string
	handle   uint64
	start    model.Start
	room     buffers
	clock    *sessionClock
	receiver *receiver
	joiner   *join.Joiner
	owners   processes

	providers []Provider
	// seen are the losses at the latest query; last are those just before the
	// session was stopped: then it is gone, and its counters with it.
	seen   losses
	last   atomic.Pointer[losses]
	missed uint64

	// held are the events since the latest query, of at most a second.
	held   []model.Event
	events uint64
	used   atomic.Bool
	closed atomic.Bool
	stop   func() error
}

// open starts the session: when it returns, its events are collected.
func open(sys system, owners processes, o Options) (_ *Session, err error) {
	s := &Session{sys: sys, room: roomFor(sys.cpus()), joiner: join.New(), owners: owners}
	s.joiner.LossesAreCounted()
	if o.MaxConnections > 0 {
		s.joiner.Follow(o.MaxConnections)
	}
	removeOrphans(sys)
	if s.name, s.handle, err = begin(sys, s.room); err != nil {
		return nil, err
	}
	s.clock = newSessionClock(sys)
	s.receiver = newReceiver(min(max(cmp.Or(o.Queue, 16384), 64), 1<<20), s.clock)
	s.stop = sync.OnceValue(func() error {
		s.closed.Store(true)
		if last, code := sys.query(s.handle); code == 0 {
			s.last.Store(&last)
		}
		if code := sys.stop(s.name); code != 0 && code != codeNoSession {
			return explain("stop ETW session", code)
		}
		return nil
	})
	if err := s.enable(); err != nil {
		return nil, also(err, s.stop())
	}
	s.start = model.Start{Time: s.clock.start, Backend: "etw", OS: model.OS{Type: "windows"}}
	return s, nil
}

// enable subscribes to all providers in the one session: one clock, one order.
// Each is enabled once: the stack answers every time with all connections that
// are open.
func (s *Session) enable() error {
	for _, sub := range subscriptions() {
		code := s.sys.enable(s.handle, sub.provider, sub.level, sub.any, sub.ids)
		if code == codeInvalidParameter && sub.plainLevel > 0 { // no filter by event before Windows 8.1
			code = s.sys.enable(s.handle, sub.provider, sub.plainLevel, sub.plainAny, nil)
		}
		if code == codeTimeout {
			code = 0 // it is enabled; some process has not answered yet
		}
		p := Provider{Name: sub.provider.String(), Optional: sub.optional}
		if code != 0 {
			p.Err = explainEnable(sub.provider, code)
		}
		if p.Err != nil && !p.Optional {
			return p.Err
		}
		s.providers = append(s.providers, p)
	}
	return nil
}

// Start implements [model.Source].
func (s *Session) Start() model.Start { return s.start }

// Name is the name that Windows' tools show for the session.
func (s *Session) Name() string { return s.name }

// Providers returns which providers the session has.
func (s *Session) Providers() []Provider { return s.providers }

// Close implements [model.Source]: it stops the session.
func (s *Session) Close() error { return s.stop() }

// Stats says how well the events could be read. Call it when Events has ended.
func (s *Session) Stats() Stats {
	return Stats{Events: s.events, Undecoded: undecoded(s.joiner.Decoder())}
}

// Events implements [model.Source]. When ctx is done the session is stopped,
// which delivers what the system still holds.
func (s *Session) Events(ctx context.Context) iter.Seq2[*model.Event, error] {
	return func(yield func(*model.Event, error) bool) {
		if s.used.Swap(true) {
			yield(nil, errRead)
			return
		}
		done := make(chan uint32, 1)
		go func() { done <- s.sys.process(s.name, s.receiver.take) }()
		stopped := context.AfterFunc(ctx, func() { _ = s.stop() }) // its error is Close's
		code, more := s.consume(done, yield)
		asked := s.closed.Load()
		stopped()
		stopErr := s.stop()
		s.owners.close()
		switch {
		case !more || asked:
		case code != 0:
			yield(nil, explain("process ETW events", code))
		default:
			yield(nil, also(fmt.Errorf("process ETW events: %w (logman stop %s -ets): start again", errEnded, s.name), stopErr))
		}
	}
}

var errEnded = errors.New("somebody stopped the session")

// also adds a second error to a first, on one line.
func also(err, more error) error {
	switch {
	case more == nil:
		return err
	case err == nil:
		return more
	default:
		return fmt.Errorf("%w; and %w", err, more)
	}
}

// ask returns the losses of the session, or what is known of them.
func (s *Session) ask() losses {
	if last := s.last.Load(); last != nil {
		return *last
	}
	if now, code := s.sys.query(s.handle); code == 0 {
		return now
	}
	return s.seen
}
