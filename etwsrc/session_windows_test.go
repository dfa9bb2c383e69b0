//go:build amd64 || arm64

package etwsrc

import (
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"syscall"
	"testing"
	"time"
	"unsafe"

	"golang.org/x/sys/windows"

	"github.com/closetrace/closetrace/etwsrc/internal/raw"
	"github.com/closetrace/closetrace/internal/services"
	"github.com/closetrace/closetrace/model"
)

// Windows calls the callback from C: the event arrives as it was written.
func TestCallbackDeliversTheRecord(t *testing.T) {
	payload := []byte("payload")
	record := eventRecord{
		provider: raw.TCPIP.GUID(), id: 1039, version: 1, level: 4, processID: 812, threadID: 3000, timeStamp: 77,
		keyword: 0x84, data: &payload[0], dataLength: uint16(len(payload)), context: lastConsumer.Add(1),
	}
	n := 0
	consumers.Store(record.context, func(e *raw.Event, ticks int64) {
		n++
		if e.Provider != raw.TCPIP.GUID() || e.ID != 1039 || e.Version != 1 || e.PID != 812 || e.TID != 3000 || ticks != 77 ||
			string(e.Data) != "payload" || e.PointerSize != 8 || e.Keyword != 0x84 {
			t.Errorf("event = %+v at %d, want the record %+v", e, ticks, record)
		}
	})
	call := func() { syscall.SyscallN(callback(), uintptr(unsafe.Pointer(&record))) }
	call()
	record.flags, record.opcode = headerFlag32Bit|headerFlagClassic, 33
	consumers.Store(record.context, func(e *raw.Event, _ int64) {
		n++
		if e.PointerSize != 4 || e.ID != 33 {
			t.Errorf("classic event = %+v, want number 33 and pointers of 4 bytes", e)
		}
	})
	call()
	consumers.Delete(record.context)
	call() // what comes when nobody listens any more
	if n != 2 {
		t.Errorf("%d events, want 2", n)
	}
}

// Without the right, or without ETW (Wine), there is one clear error. With it
// sessions start and stop, also two at a time.
func TestOpenStartsASessionOrSaysWhyNot(t *testing.T) {
	s, err := Open(Options{})
	switch {
	case err == nil:
		if start := s.Start(); start.Backend != "etw" || start.OS.Version == "" || start.Time == 0 {
			t.Errorf("start = %+v, want a description", start)
		}
		second, err := Open(Options{})
		if err != nil {
			t.Errorf("a second session: %v", err)
		} else if err := second.Close(); err != nil {
			t.Errorf("close the second: %v", err)
		}
		for _, err := range s.Events(t.Context()) {
			t.Logf("first item: %v", err) // under Wine, that there is no ETW
			break
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

// What Wine's stubs of StartTrace and OpenTrace do is the path of a process
// without the right.
func TestEventsOfNoSessionSayWhy(t *testing.T) {
	code := windowsSystem{}.process("closetrace-no-such-session", func(*raw.Event, int64) {})
	if code == 0 {
		t.Error("a session that is not there ends without an error")
	}
	t.Log(explain("process ETW events", code))
}

func TestClocksRun(t *testing.T) {
	sys := windowsSystem{}
	c := newSessionClock(sys)
	before := c.now()
	time.Sleep(20 * time.Millisecond)
	if d := c.now().Sub(before); d < 15*time.Millisecond || d > 10*time.Second {
		t.Errorf("20 ms are %v", d)
	}
	if d := time.Duration(c.difference()).Abs(); d > time.Second {
		t.Errorf("the clocks differ by %v at the begin", d)
	}
}

func TestProcessesRunOrDoNot(t *testing.T) {
	sys := windowsSystem{}
	pid, began := sys.self()
	if !sys.running(pid, began) || sys.running(pid, began-1) || sys.running(0xFFFFFFF0, 1) {
		t.Errorf("running: this process %v, one before it with its number %v, one that is not there %v",
			sys.running(pid, began), sys.running(pid, began-1), sys.running(0xFFFFFFF0, 1))
	}
}

func TestOwnersKnowThisProcess(t *testing.T) {
	o := newOwners()
	defer o.close()
	if got := o.find(windows.GetCurrentProcessId()); got.path == "" || got.start == 0 || got.exited() != 0 {
		t.Errorf("this process is %+v, exited at %v; want its program and begin, and that it runs", got, got.exited())
	}
}

// Of a process that runs services the facts have their names.
func TestOwnersNameServices(t *testing.T) {
	o := newOwners()
	defer o.close()
	running := services.ByProcess()
	for pid, want := range running {
		f := model.Facts{Process: model.Process{PID: pid}}
		o.fill(&f, newSessionClock(windowsSystem{}))
		if f.Process.Name != "" && f.Process.Service != want {
			t.Errorf("process %d runs %q, want %q", pid, f.Process.Service, want)
		}
	}
	t.Logf("%d processes run services", len(running))
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
	wait.Close()
	if err := child.Wait(); err != nil {
		t.Fatal(err)
	}
	exited := o.find(uint32(child.Process.Pid)).exited()
	if now := model.TimeOf(time.Now()); exited == 0 || exited > now {
		t.Fatalf("exited at %v, it is %v", exited.Go(), now.Go())
	}
	clock := newSessionClock(windowsSystem{})
	at, ok := clock.recent(exited)
	f := model.Facts{Time: at + 1}
	f.Process.PID = child.Process.Pid
	f.Evidence.Announced.Add(model.ObservedAbort)
	o.fill(&f, clock)
	if !ok || !f.Evidence.ProcessGone || f.Process.Name == "" {
		t.Errorf("gone %v, process %+v; want the process that has exited", f.Evidence.ProcessGone, f.Process)
	}
}
