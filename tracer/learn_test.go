//go:build linux

package tracer

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"strconv"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/closetrace/closetrace/internal/lab/sourcetest"
	"github.com/closetrace/closetrace/model"
)

// fakeListener is an ownListener of a kernel whose clocks are ahead.
type fakeListener struct {
	port, hundred, monotonic, boottime fakeVariable
	ports                              []uint32
}

func newFakeListener(hertz uint64, now clocks, ahead timeNamespace) *fakeListener {
	f := &fakeListener{}
	f.port.set = func(port any) {
		f.ports = append(f.ports, port.(uint32))
		if len(f.ports) == 1 { // it listens between the two
			at := now.both()
			f.hundred.value, f.monotonic.value, f.boottime.value = 100*hertz, uint64(at.monotonic+ahead.monotonic), uint64(at.boottime+ahead.boottime)
		}
	}
	return f
}

func (f *fakeListener) learn(now clocks) learnt {
	return (&ownListener{&f.port, &f.hundred, &f.monotonic, &f.boottime}).learn(now)
}

// TestLearn: CONFIG_HZ is a hundredth of what 100 seconds are in jiffies, and the
// kernel's clocks are as far ahead as they are. The program knows the port before the
// socket listens, and no longer afterwards.
func TestLearn(t *testing.T) {
	const day = int64(24 * time.Hour)
	h := &hostClocks{at: 20 * day, slept: day, takes: func(int) int64 { return 100 }}
	for _, want := range []learnt{
		{hertz: 100}, {hertz: 250, ahead: timeNamespace{10 * day, -day}}, {hertz: 300, ahead: timeNamespace{-day, 0}}, {hertz: 1000, ahead: timeNamespace{0, 5e9}},
	} {
		f := newFakeListener(uint64(want.hertz), h.read, want.ahead)
		got := f.learn(h.read)
		if want.port = int(f.ports[0]); got != want {
			t.Errorf("got %+v, want %+v", got, want)
		}
		if len(f.ports) != 2 || f.ports[0] == 0 || f.ports[1] != 0 {
			t.Errorf("told the ports %v, want one and then none", f.ports)
		}
	}
	silent := newFakeListener(0, h.read, timeNamespace{})
	if got := silent.learn(h.read); got.hertz != 0 || got.ahead != (timeNamespace{}) {
		t.Errorf("no program answers: got %+v, want nothing", got)
	}
}

// TestKernelsClocks: messages' times become the wall clock's, whatever the namespace of
// this process.
func TestKernelsClocks(t *testing.T) {
	const day = int64(24 * time.Hour)
	h := &hostClocks{at: 20 * day, slept: day}
	at := timeNamespace{h.at + 3*day, h.at + day - 2*day} // of the kernel, now
	c := clocks(h.read).kernels(timeNamespace{3 * day, -2 * day}).measure()
	want := model.Time(h.read(unix.CLOCK_REALTIME))
	if got := c.time(ktime(at.monotonic)); got != want {
		t.Errorf("monotonic: got %v, want %v", got, want)
	}
	if got := c.bootTime(uint64(at.boottime)); got != want {
		t.Errorf("boot: got %v, want %v", got, want)
	}
}

// TestInTimeNamespace: ten days off, as in a container that was checkpointed, a trace
// still has the wall clock's time and the owner's executable.
func TestInTimeNamespace(t *testing.T) {
	if missing := missingCapabilities(); len(missing) > 0 {
		t.Skip(&PrivilegeError{missing})
	}
	const variable = "CLOSETRACE_TEST_TIME_NAMESPACE" // the clock outside
	now := clocks(systemClocks).monotonic()
	if os.Getenv(variable) == "" {
		cmd := exec.Command("unshare", "--fork", "--time", "--monotonic", "864000", "--boottime", "432000", "/proc/self/exe")
		self, err := os.Executable()
		fatal(t, err)
		cmd.Args[len(cmd.Args)-1] = self
		cmd.Args = append(cmd.Args, "-test.run=^TestInTimeNamespace$", "-test.v")
		cmd.Env = append(os.Environ(), fmt.Sprintf("%s=%d", variable, now))
		text, err := cmd.CombinedOutput()
		if err != nil && exec.Command("unshare", "--time", "true").Run() != nil {
			t.Skip("no time namespace can be made here")
		}
		if err != nil {
			t.Errorf("%v: %s", err, text)
		}
		return
	}
	outside, err := strconv.ParseInt(os.Getenv(variable), 10, 64)
	if days := int64(now) - outside; err != nil || days < 864000e9 {
		t.Fatalf("%v ahead, want ten days: %v", time.Duration(days), err)
	}
	tr := OpenOrSkip(t, Options{})
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	fatal(t, err)
	defer l.Close()
	begun := time.Now()
	var own model.Process
	ends := 0
	for _, r := range sourcetest.RecordWhile(t, tr, func() {
		c := connected(t, l)
		c.close()
	}) {
		if r.Kind != model.KindTeardown || r.Teardown.Process.PID != os.Getpid() {
			continue
		}
		ends++
		own = r.Teardown.Process
		for what, at := range map[string]model.Time{"end": r.Teardown.Time, "start": r.Teardown.StartTime} {
			if off := time.Unix(0, int64(at)).Sub(begun); off < -time.Second || off > 5*time.Second {
				t.Errorf("the %s is told %v after it began", what, off)
			}
		}
	}
	self, _ := os.Executable()
	if off := begun.Sub(time.Unix(0, int64(own.StartTime))); ends == 0 || own.Executable.Path != self || off < 0 || off > time.Minute {
		t.Errorf("%d ends of %+v, want %s, begun %v before", ends, own, self, off)
	}
}
