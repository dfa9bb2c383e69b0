//go:build cgo

package etwsrc

import (
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"sync"
	"testing"
	"time"
	"unsafe"

	"github.com/bi-zone/etw"
	"golang.org/x/sys/windows"

	"github.com/closetrace/closetrace/etwsrc/internal/join"
	"github.com/closetrace/closetrace/etwsrc/internal/raw"
	"github.com/closetrace/closetrace/model"
)

// The guard holds for the version of the package that is built in: otherwise
// every event would be without its payload.
func TestPayloadsCanBeReached(t *testing.T) {
	l := payloadLayout()
	if !l.ok {
		t.Fatal("the layout of etw.Event is not the one that is known")
	}
	// A record as Windows makes it: EVENT_RECORD of 112 bytes, the payload's
	// size at 86 and its address at 96.
	payload := []byte("payload")
	record := make([]uint64, 14)
	base := unsafe.Pointer(&record[0])
	*(*uint16)(unsafe.Add(base, 86)) = uint16(len(payload))
	*(*unsafe.Pointer)(unsafe.Add(base, 96)) = unsafe.Pointer(&payload[0])
	var e etw.Event
	if _, ok := l.payload(&e); ok {
		t.Error("an event without a record has a payload")
	}
	*(*unsafe.Pointer)(unsafe.Add(unsafe.Pointer(&e), l.record)) = base
	if got, ok := l.payload(&e); !ok || string(got) != string(payload) {
		t.Errorf("payload = %q, %v; want %q", got, ok, payload)
	}
	r := newReceiver(1)
	tcpip := raw.TCPIP.GUID()
	e.Header.ProviderID.Data1, e.Header.ProviderID.Data2, e.Header.ProviderID.Data3 = 0x2f07e2ee, 0x15db, 0x40f1
	e.Header.ProviderID.Data4 = [8]byte(tcpip[8:])
	e.Header.ID, e.Header.ProcessID = 1039, 812
	r.take(&e)
	r.take(&e) // there is room for one
	s := <-r.full
	if s.event.Provider != tcpip || s.event.ID != 1039 || s.event.PID != 812 || string(s.event.Data) != string(payload) || r.missed.Load() != 1 {
		t.Errorf("event = %+v with %d missed, want the one that was delivered and 1", s.event, r.missed.Load())
	}
	if l := (&layout{}); l.ok {
		t.Error("a layout that was not checked is good")
	}
}

// Without the right, or without ETW (Wine), there is one clear error. With it
// the session starts and stops.
func TestOpenStartsASessionOrSaysWhyNot(t *testing.T) {
	s, err := Open(Options{})
	switch {
	case err == nil:
		if start := s.Start(); start.Backend != "etw" || start.OS.Version == "" || start.Time == 0 {
			t.Errorf("start = %+v, want a description", start)
		}
		if _, err := Open(Options{}); !errors.Is(err, ErrBusy) {
			t.Errorf("a second session: %v, want %v", err, ErrBusy)
		}
		if err := errors.Join(s.Close(), s.Close()); err != nil {
			t.Errorf("close: %v", err)
		}
	case errors.Is(err, fs.ErrPermission), errors.Is(err, errors.ErrUnsupported):
		t.Logf("no session here: %v", err)
	default:
		t.Error(err)
	}
}

func TestOwnersKnowThisProcess(t *testing.T) {
	o := newOwners()
	defer o.close()
	if got := o.see(windows.GetCurrentProcessId()); got.path == "" || got.start == 0 || got.exited() != 0 {
		t.Errorf("this process is %+v, exited at %v; want its program and begin, and that it runs", got, got.exited())
	}
}

// A process that was seen and has exited still tells its name, and when it
// exited: what Windows closes after that it closed because of it.
func TestOwnersTellThatTheirProcessIsGone(t *testing.T) {
	child := exec.Command(os.Args[0], "-test.run", "NoSuchTest")
	wait, err := child.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	o := newOwners()
	defer o.close()
	o.see(uint32(child.Process.Pid))
	before := model.TimeOf(time.Now())
	wait.Close()
	if err := child.Wait(); err != nil {
		t.Fatal(err)
	}
	exited := o.see(uint32(child.Process.Pid)).exited()
	if now := model.TimeOf(time.Now()); exited == 0 || exited > now {
		t.Fatalf("exited at %v, it is %v", exited.Go(), now.Go())
	}
	for _, tt := range []struct {
		name string
		at   model.Time
		call model.Call
		want bool
	}{
		{"aborted after the exit", exited + 1, model.CallUnknown, true},
		{"aborted before the exit", min(before, exited) - model.Time(time.Second), model.CallUnknown, false},
		{"aborted long after the exit", exited + model.Time(time.Minute), model.CallUnknown, false},
		{"closed by a call", exited + 1, model.CallClose, false},
	} {
		f := model.Facts{Time: tt.at, Closer: model.Closer{Call: tt.call}}
		f.Process.PID = child.Process.Pid
		f.Evidence.Notices.Add(model.NoticeAbort)
		o.fill(&f)
		if f.Evidence.ProcessGone != tt.want || (f.Closer.Call == model.CallExit) != tt.want || f.Process.Name == "" {
			t.Errorf("%s: gone %v, closer %+v, process %+v; want %v", tt.name, f.Evidence.ProcessGone, f.Closer, f.Process, tt.want)
		}
	}
}

// Wine starts a session that delivers nothing: the error comes once and last,
// and everything that was started has ended.
func TestEventsSayWhyThereAreNone(t *testing.T) {
	session, err := newSession()
	if err != nil {
		t.Skipf("no session here: %v", err)
	}
	if state, err := query(); err != nil || state.handle != 0 {
		if err := session.Close(); err != nil {
			t.Error(err)
		}
		t.Skip("this is a real Windows, where events would come")
	}
	s := &Session{session: session, receiver: newReceiver(64), joiner: join.New(), owners: newOwners()}
	s.stop = sync.OnceValue(func() error { return end(session) })
	n := 0
	for _, err := range s.Events(t.Context()) {
		if n++; !errors.Is(err, fs.ErrPermission) {
			t.Errorf("error = %v, want %v", err, fs.ErrPermission)
		}
		t.Log(err)
	}
	if n != 1 {
		t.Errorf("%d items, want one error", n)
	}
	for _, err := range s.Events(t.Context()) {
		if !errors.Is(err, errRead) {
			t.Errorf("second use: %v, want %v", err, errRead)
		}
	}
}
