package tui

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/charmbracelet/x/vt"
	"golang.org/x/sys/unix"

	"github.com/closetrace/closetrace/model"
)

// These tests run the whole program on a pseudo-terminal of the kernel.

// terminal is the other side of a pseudo-terminal: what the user sees and types.
type terminal struct {
	t             *testing.T
	master, slave *os.File
	began         time.Time

	mu      sync.Mutex
	screen  *vt.Emulator
	bytes   int
	changed chan struct{} // has a value when something was written
}

// openTerminal returns a terminal of the given size. One that answers sends
// the replies of a terminal emulator to the program's questions; one that does
// not is what a serial line or a container's exec is.
func openTerminal(t *testing.T, width, height int, answers bool) *terminal {
	t.Helper()
	master, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Skipf("no pseudo-terminal here: %v", err)
	}
	if err := unix.IoctlSetPointerInt(int(master.Fd()), unix.TIOCSPTLCK, 0); err != nil {
		t.Fatal(err)
	}
	n, err := unix.IoctlGetInt(int(master.Fd()), unix.TIOCGPTN)
	if err != nil {
		t.Fatal(err)
	}
	if err := unix.IoctlSetWinsize(int(master.Fd()), unix.TIOCSWINSZ, &unix.Winsize{Row: uint16(height), Col: uint16(width)}); err != nil {
		t.Fatal(err)
	}
	slave, err := os.OpenFile(fmt.Sprintf("/dev/pts/%d", n), os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	term := &terminal{
		t: t, master: master, slave: slave, screen: vt.NewEmulator(width, height),
		began: time.Now(), changed: make(chan struct{}, 1),
	}
	go term.read()
	go term.reply(answers)
	t.Cleanup(func() {
		_ = slave.Close()
		_ = master.Close()
		_ = term.screen.Close()
	})
	return term
}

// read shows what the program writes.
func (p *terminal) read() {
	buffer := make([]byte, 1<<16)
	for {
		n, err := p.master.Read(buffer)
		if err != nil {
			return
		}
		p.mu.Lock()
		p.bytes += n
		_, _ = p.screen.Write(buffer[:n])
		p.mu.Unlock()
		select {
		case p.changed <- struct{}{}:
		default:
		}
	}
}

// reply takes the emulator's answers, and passes them on or not.
func (p *terminal) reply(pass bool) {
	buffer := make([]byte, 1<<10)
	for {
		n, err := p.screen.Read(buffer)
		if err != nil {
			return
		}
		if pass {
			_, _ = p.master.Write(buffer[:n])
		}
	}
}

// text returns what is seen now.
func (p *terminal) text() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return strings.Join(gridText(p.screen), "\n")
}

// waitFor returns how long it took until the screen showed text.
func (p *terminal) waitFor(text string) time.Duration {
	p.t.Helper()
	return p.until(text, func() bool { return strings.Contains(strings.Join(gridText(p.screen), "\n"), text) })
}

// until waits for a change of the screen after which holds is true.
func (p *terminal) until(what string, holds func() bool) time.Duration {
	p.t.Helper()
	began := time.Now()
	limit := time.After(10 * time.Second)
	for {
		p.mu.Lock()
		done := holds()
		p.mu.Unlock()
		if done {
			return time.Since(began)
		}
		select {
		case <-p.changed:
		case <-limit:
			p.t.Fatalf("%s: not after ten seconds:\n%s", what, p.text())
		}
	}
}

func (p *terminal) typed(keys string) {
	if _, err := p.master.WriteString(keys); err != nil {
		p.t.Fatal(err)
	}
}

// live runs the program on p with a source that is under the test's control.
func (p *terminal) live(records iter.Seq2[model.Record, error], cfg Config) <-chan error {
	cfg.Start, cfg.Input, cfg.Output = demoStart, p.slave, p.slave
	done := make(chan error, 1)
	go func() { done <- Run(p.t.Context(), records, cfg) }()
	return done
}

// waiting is a source without records until it is stopped.
func waiting() (iter.Seq2[model.Record, error], func()) {
	stop := make(chan struct{})
	return func(func(model.Record, error) bool) { <-stop }, sync.OnceFunc(func() { close(stop) })
}

func TestFirstFrame(t *testing.T) {
	for _, answers := range []bool{true, false} {
		t.Run(fmt.Sprintf("the terminal answers: %v", answers), func(t *testing.T) {
			var took []time.Duration
			for range 5 {
				p := openTerminal(t, 80, 24, answers)
				records, stop := waiting()
				began := time.Now()
				done := p.live(records, Config{Stop: stop})
				p.waitFor("Waiting for the first connection to end")
				took = append(took, time.Since(began))
				p.typed("q")
				if err := <-done; err != nil {
					t.Fatal(err)
				}
			}
			slices.Sort(took)
			t.Logf("first frame after %v", took)
			if took[0] > 200*time.Millisecond {
				t.Errorf("the first frame takes %v at best, want 200ms", took[0])
			}
		})
	}
}

// TestProgramOnATerminal: what a real terminal shows after the program's
// output, which is a stream of differences, is what the screen drew.
func TestProgramOnATerminal(t *testing.T) {
	p := openTerminal(t, 100, 30, true)
	records := demoFeed()
	hold, stop := waiting()
	done := p.live(func(yield func(model.Record, error) bool) {
		for _, r := range records {
			if !yield(r, nil) {
				return
			}
		}
		hold(yield)
	}, Config{Stop: stop, Now: func() time.Time { return at.Go() }, Explain: explain})
	p.waitFor("400 ends")
	for _, step := range []struct{ keys, want string }{
		{"3", "[3 Causes]"},
		{"\t", "[4 Processes]"},
		{"5", "[5 Peers]"},
		{"2", "[2 Stream]"},
		{"{", "peer-reset"},
		{"\r", "TIME LINE"},
		{"\x1b", "VERDICT"},
		{"/", "text:"},
		{"unread", "43 of 400"},
		{"\r", "text unread"},
		{" ", "PAUSED"},
	} {
		p.typed(step.keys)
		p.waitFor(step.want)
	}
	want := newRig(t, 100, 30, records, func(c *Config) {
		c.Start = demoStart
		c.Keep = DefaultKeep
	})
	want.press("{", "/")
	want.typed("unread")
	want.press("enter", "space")
	if got := p.text(); got != want.text() {
		t.Errorf("the terminal shows\n%s\nwant\n%s", got, want.text())
	}
	p.typed("q")
	if err := <-done; err != nil {
		t.Error(err)
	}
	p.until("the alternate screen is left", func() bool { return !p.screen.IsAltScreen() })
}

// TestLeaving: quitting stops the source, delivers what it still has, and closes the
// recording.
func TestLeaving(t *testing.T) {
	p := openTerminal(t, 80, 24, true)
	d := &disk{}
	hold, stop := waiting()
	done := p.live(func(yield func(model.Record, error) bool) {
		hold(yield)
		for _, r := range feed(3, at, time.Second) { // what had been seen until then
			yield(r, nil)
		}
		yield(model.Record{}, errors.New("the last error"))
	}, Config{Stop: stop, Record: d.create, RecordTo: "out.jsonl"})
	p.waitFor("REC 0")
	p.typed("q")
	p.waitFor("A recording is running")
	p.typed("y")
	err := <-done
	if err == nil || !strings.Contains(err.Error(), "the last error") {
		t.Errorf("Run returned %v, want the source's error", err)
	}
	if len(d.records) != 3 || d.closed != 1 || d.path != "out.jsonl" {
		t.Errorf("%d records in %q, closed %d times; want 3 in out.jsonl, once", len(d.records), d.path, d.closed)
	}
}

// TestCancelled: the end of the context ends the screen without an error.
func TestCancelled(t *testing.T) {
	p := openTerminal(t, 80, 24, true)
	records, stop := waiting()
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() {
		done <- Run(ctx, records, Config{Start: demoStart, Input: p.slave, Output: p.slave, Stop: stop})
	}()
	p.waitFor("Waiting")
	cancel()
	if err := <-done; err != nil {
		t.Errorf("Run returned %v, want nil", err)
	}
}

func TestConfigErrors(t *testing.T) {
	for name, cfg := range map[string]Config{
		"a wrong filter":             {Filter: "tcp.byte > 1"},
		"a recording without writer": {RecordTo: "x"},
	} {
		if err := Run(t.Context(), sequence(nil), cfg); !errors.Is(err, ErrConfig) {
			t.Errorf("%s: %v, want ErrConfig", name, err)
		}
	}
}

func (p *terminal) written() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.bytes
}
