//go:build linux

package tracer

import (
	"fmt"
	"os"
	"runtime"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/closetrace/closetrace/internal/lab/sourcetest"
	"github.com/closetrace/closetrace/model"
)

// Names of the processes of TestInherited.
const (
	testatorName = "att-testator"
	heirName     = "att-heir"
)

// bequeath connects, starts a child that is another program and has the connection too,
// and closes it first, which ends nothing.
func (a *actor) bequeath() {
	fd := a.connect()
	file := os.NewFile(uintptr(fd), "bequeathed")
	a.claim(fd, false, 0)
	finish := a.child("heir", heirName, 0, file)
	a.check(file.Close())
	finish()
	a.say("ready")
	a.hear()
}

// heir closes what it has inherited, its descriptor 3, on a thread that has its name.
func (a *actor) heir() {
	runtime.LockOSThread()
	a.check(os.WriteFile("/proc/thread-self/comm", []byte(heirName), 0))
	a.say(fmt.Sprintf(`{"Closer":%d,"PID":%d}`, os.Getpid(), os.Getpid()))
	a.say("ready")
	a.hear()
	a.closeAndWait(3)
}

// exec becomes another program that closes the connections.
func (a *actor) exec() {
	for range a.count {
		fd := a.connect()
		a.claim(fd, false, 0)
		_, err := unix.FcntlInt(uintptr(fd), unix.F_SETFD, 0)
		a.check(err)
		a.open = append(a.open, fd)
	}
	a.check(os.Setenv(actorPart, fmt.Sprintf("second %s %d", a.address, len(a.open))))
	a.check(os.Setenv(actorName, "att-after-exec"))
	a.check(syscall.Exec("/proc/self/exe", []string{"second", "-test.run=^TestActor$", "-test.v=false"}, os.Environ()))
}

func (a *actor) second() {
	a.say("ready")
	a.hear() // its descriptors are closed by its end
}

// passer hands its connections to a child and forgets them; the child exits
// with them in its hands.
func (a *actor) passer() {
	var files []*os.File
	for range a.count {
		fd := a.connect()
		files = append(files, os.NewFile(uintptr(fd), "passed"))
		a.open = append(a.open, fd)
	}
	finish := a.child("second", "att-receiver", 0, files...)
	for _, fd := range a.open {
		a.claim(fd, false, -1)
	}
	for _, f := range files {
		f.Close()
	}
	a.say("ready")
	a.hear()
	finish()
}

// TestInherited: a child that is another program closes the connection that it inherited.
// That close is its own, by its name and number; the connection stays its parent's, and
// nothing of the child, which is younger than it, is shown as the owner's.
func TestInherited(t *testing.T) {
	for _, mode := range Modes() {
		t.Run(string(mode), func(t *testing.T) {
			tr := OpenOrSkip(t, Options{Mode: mode, CommandLine: true})
			c := &company{t: t}
			records := sourcetest.RecordWhile(t, tr, func() {
				c.start("server", "att-server", 0, "", nil)
				c.start("bequeath", testatorName, 1, "", nil)
			})
			for _, p := range []int{1, 0} {
				c.finish(c.casts[p])
			}
			var parent claim
			heir := 0
			for _, said := range c.claims {
				switch {
				case said.Closer != 0:
					heir = said.Closer
				case !said.Accepted:
					parent = said
				}
			}
			if parent.PID == 0 || heir == 0 {
				t.Fatalf("claims %+v: want a parent's and an heir's", c.claims)
			}
			seen := 0
			for i := range records {
				f := &records[i].Teardown.Facts
				if records[i].Kind != model.KindTeardown || f.Network.Local.AddrPort().String() != parent.Local {
					continue
				}
				seen++
				if f.Closer.PID != heir || f.Closer.Name != heirName || f.Closer.Call != model.CallClose {
					t.Errorf("closed by %+v, want close() of %s[%d]", f.Closer, heirName, heir)
				}
				if f.Process.PID != parent.PID || f.Process.Name != testatorName {
					t.Errorf("owner is %+v, want %s[%d]", f.Process, testatorName, parent.PID)
				}
				if f.Process.StartTime > f.StartTime {
					t.Errorf("the owner began %v after the connection", f.Process.StartTime.Sub(f.StartTime))
				}
			}
			if seen != 1 {
				t.Errorf("%d ends of %s, want 1", seen, parent.Local)
			}
		})
	}
}
