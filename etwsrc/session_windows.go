//go:build cgo

package etwsrc

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"iter"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/bi-zone/etw"
	"golang.org/x/sys/windows"

	"github.com/closetrace/closetrace/etwsrc/internal/join"
	"github.com/closetrace/closetrace/model"
)

var _ model.Source = (*Session)(nil)

// latency is how long after its time an event may be delivered: the system
// hands buffers over once a second.
const latency = 3 * time.Second

// Session is a live ETW session.
type Session struct {
	start    model.Start
	session  *etw.Session
	mutex    windows.Handle
	receiver *receiver
	joiner   *join.Joiner
	owners   *owners
	seen     state // at the latest query
	// last is the state just before the session was stopped: then it is gone,
	// and what it lost with it.
	last atomic.Pointer[state]

	providers []Provider

	// held are the events since the latest query, of at most a second.
	held   []model.Event
	missed uint64
	hidden uint64
	events uint64
	used   atomic.Bool
	closed atomic.Bool
	stop   func() error
}

// Open starts the session: when it returns, its events are collected. It needs
// an elevated process. A session that a crash left behind is replaced; if
// another closetrace is running, the error is [ErrBusy].
func Open(o Options) (_ *Session, err error) {
	s := &Session{receiver: newReceiver(min(max(cmp.Or(o.Queue, 16384), 64), 1<<20)), joiner: join.New(), owners: newOwners()}
	if s.mutex, err = lock(); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = also(err, windows.CloseHandle(s.mutex))
		}
	}()
	if s.session, err = newSession(); err != nil {
		return nil, err
	}
	s.stop = sync.OnceValue(func() error {
		s.closed.Store(true)
		if last, err := query(); err == nil {
			s.last.Store(&last)
		}
		return also(end(s.session), windows.CloseHandle(s.mutex))
	})
	if err = s.enable(); err != nil {
		return nil, also(err, end(s.session))
	}
	host, _ := os.Hostname() // absent if not known
	v := windows.RtlGetVersion()
	s.start = model.Start{
		Time: model.TimeOf(time.Now()), Host: model.Host{Name: host}, Backend: "etw",
		OS: model.OS{Type: "windows", Version: fmt.Sprintf("%d.%d.%d", v.MajorVersion, v.MinorVersion, v.BuildNumber)},
	}
	return s, nil
}

// end stops the session. The package gives up where the provider can't be
// disabled, and a session outlives its program.
func end(session *etw.Session) error {
	if err := session.Close(); err != nil && etw.KillSession(SessionName) != nil {
		return windowsError("stop ETW session", err)
	}
	return nil
}

// lock tells a running closetrace from a session that was left behind: the
// mutex ends with its process.
func lock() (windows.Handle, error) {
	name, err := windows.UTF16PtrFromString(`Global\closetrace-session`)
	if err != nil {
		return 0, err
	}
	h, err := windows.CreateMutex(nil, false, name)
	switch {
	case errors.Is(err, windows.ERROR_ALREADY_EXISTS):
		return 0, also(ErrBusy, windows.CloseHandle(h))
	case errors.Is(err, windows.ERROR_ACCESS_DENIED):
		return 0, ErrBusy // it belongs to another user
	case err != nil:
		return 0, fmt.Errorf("create mutex: %w", err)
	}
	return h, nil
}

func newSession() (*etw.Session, error) {
	guid := windows.GUID{Data1: 0x2f07e2ee, Data2: 0x15db, Data3: 0x40f1, Data4: [8]byte{0x90, 0xef, 0x9d, 0x7b, 0xa2, 0x82, 0x18, 0x8a}}
	options := []etw.Option{etw.WithName(SessionName), etw.WithLevel(etw.TRACE_LEVEL_INFORMATION), etw.WithMatchKeywords(0x84, 0)}
	session, err := etw.NewSession(guid, options...)
	var exists etw.ExistsError
	if errors.As(err, &exists) {
		if old, err := query(); err == nil && old.file {
			return nil, errTaken
		}
		if err := etw.KillSession(SessionName); err != nil {
			return nil, windowsError("stop the ETW session that was left behind", err)
		}
		session, err = etw.NewSession(guid, options...)
	}
	if err != nil {
		return nil, windowsError("start ETW session", err)
	}
	return session, nil
}

// errTaken: somebody traces to a file under the name.
var errTaken = fmt.Errorf("start ETW session: a session named %s writes a trace file: stop it first (logman stop %s -ets)", SessionName, SessionName)

func windowsError(what string, err error) error {
	var code windows.Errno
	if errors.As(err, &code) {
		return explain(what, uint32(code), err)
	}
	return fmt.Errorf("%s: %w", what, err)
}

// enable subscribes to all providers in the one session: one clock, one order.
func (s *Session) enable() (err error) {
	if s.seen, err = query(); err != nil {
		return err
	}
	if s.seen.handle == 0 {
		return explain("query ETW session", codeCallNotThere, errors.New("the session has no handle"))
	}
	for _, sub := range subscriptions() {
		err := s.seen.enable(sub)
		if err != nil && !sub.optional {
			return err
		}
		s.providers = append(s.providers, Provider{sub.provider.String(), err, sub.optional})
	}
	return nil
}

// Start implements [model.Source].
func (s *Session) Start() model.Start { return s.start }

// Providers tells which providers the session has.
func (s *Session) Providers() []Provider { return s.providers }

// PayloadsReadable reports whether the payloads of events can be reached in
// this build. If not, every event counts as undecodable.
func (s *Session) PayloadsReadable() bool { return s.receiver.layout.ok }

// Close implements [model.Source]: it stops the session.
func (s *Session) Close() error { return s.stop() }

// Stats tells how well the events could be read. Call it when Events has ended.
func (s *Session) Stats() Stats {
	return Stats{Events: s.events, Undecoded: undecoded(s.joiner.Decoder()), NoPayload: s.receiver.noPayload.Load()}
}

// Events implements [model.Source]. When ctx is done the session is stopped,
// which delivers what the system still holds.
func (s *Session) Events(ctx context.Context) iter.Seq2[model.Event, error] {
	return func(yield func(model.Event, error) bool) {
		if s.used.Swap(true) {
			yield(model.Event{}, errRead)
			return
		}
		done := make(chan error, 1)
		go func() { done <- s.session.Process(s.receiver.take) }()
		stopped := context.AfterFunc(ctx, func() { s.stop() }) // its error is Close's
		err, more := s.consume(done, yield)
		asked := s.closed.Load()
		stopped()
		stopErr := s.stop()
		s.owners.close()
		switch {
		case !more || asked:
		case err != nil:
			yield(model.Event{}, processError(err))
		default:
			yield(model.Event{}, explain("process ETW events", codeNoSession, also(errEnded, stopErr)))
		}
	}
}

var (
	errEnded = errors.New("the events ended")
	errOpen  = errors.New("OpenTrace failed")
)

// processError explains why events could not be had. The package loses the
// number of OpenTrace's error, which fails for lack of the right to.
func processError(err error) error {
	var code windows.Errno
	if errors.As(err, &code) {
		return explain("process ETW events", uint32(code), err)
	}
	return explain("process ETW events", codeAccessDenied, errOpen)
}
