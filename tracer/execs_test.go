//go:build linux

package tracer

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/closetrace/closetrace/internal/lab/sourcetest"
	"github.com/closetrace/closetrace/model"
)

// lureName is the name of the processes of TestExecAfterConnect, before and after.
const lureName = "att-lure"

// lure connects and becomes the program that `where` names, with the connection.
func (a *actor) lure() {
	fd := a.connect()
	a.claim(fd, false, 0)
	_, err := unix.FcntlInt(uintptr(fd), unix.F_SETFD, 0)
	a.check(err)
	a.check(os.Setenv(actorPart, fmt.Sprintf("lured %s %d", a.address, fd)))
	a.check(syscall.Exec(a.where, []string{"nginx: master process", "-test.run=^TestActor$", "-test.v=false"}, os.Environ()))
}

// lured closes the connection of the program before it, makes one of its own, and lives
// on, so that it can be looked up. Its name is set back already.
func (a *actor) lured() {
	a.closeAndWait(a.count)
	fd := a.connect()
	a.claim(fd, false, 0)
	a.closeAndWait(fd)
	a.say("ready")
	a.hear()
}

// closeAndWait returns when the peer's host has acknowledged the FIN, which it may put off:
// the socket has then ended, and what waits for the peer's FIN is a TIME_WAIT.
func (a *actor) closeAndWait(fd int) {
	local, err := unix.Getsockname(fd)
	a.check(err)
	a.check(unix.Close(fd))
	for range 1000 { // a row may be skipped while others come and go
		if a.inState(addrOf(local), "05" /* FIN_WAIT2 */) {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	a.check(errors.New("the FIN was never acknowledged"))
}

func (a *actor) inState(local, state string) bool {
	text, err := os.ReadFile("/proc/self/net/tcp")
	a.check(err)
	for line := range strings.Lines(string(text)) {
		if f := strings.Fields(line); len(f) > 3 && hexAddr(f[1]) == local && f[3] == state {
			return true
		}
	}
	return false
}

// TestExecAfterConnect: what a process executes after it has connected is not shown as
// the connection's owner, though it has taken the same name; a connection that the
// second program makes is its own.
func TestExecAfterConnect(t *testing.T) {
	attractive := filepath.Join(t.TempDir(), "nginx")
	self, err := os.Executable()
	fatal(t, err)
	text, err := os.ReadFile(self)
	fatal(t, err)
	fatal(t, os.WriteFile(attractive, text, 0o755))
	for _, mode := range Modes() {
		t.Run(string(mode), func(t *testing.T) {
			tr := OpenOrSkip(t, Options{Mode: mode, CommandLine: true})
			c := &company{t: t}
			records := sourcetest.RecordWhile(t, tr, func() {
				c.start("server", "att-server", 0, "", nil)
				c.start("lure", lureName, 1, attractive, nil)
			})
			for _, p := range []int{1, 0} { // they live until their ends were read
				c.finish(c.casts[p])
			}
			first, second := "", ""
			for _, said := range c.claims {
				switch {
				case said.Accepted:
				case first == "":
					first = said.Local
				default:
					second = said.Local
				}
			}
			seen := 0
			for i := range records {
				f := &records[i].Teardown.Facts
				local := f.Network.Local.AddrPort().String()
				if records[i].Kind != model.KindTeardown || local != first && local != second {
					continue
				}
				seen++
				p := &f.Process
				if p.Name != lureName {
					t.Errorf("%s: owner is %q, want %q", local, p.Name, lureName)
				}
				isLater := p.Executable.Path == attractive || strings.HasPrefix(p.CommandLine, "nginx")
				if want := local == second; isLater != want {
					t.Errorf("%s: owner is shown as %q (%q); is it the later program: want %v",
						local, p.Executable.Path, p.CommandLine, want)
				}
			}
			if seen != 2 {
				t.Errorf("%d ends of %s and %s, want 2", seen, strconv.Quote(first), strconv.Quote(second))
			}
		})
	}
}
