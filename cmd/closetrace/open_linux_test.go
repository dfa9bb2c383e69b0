package main

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/charmbracelet/x/vt"
	"golang.org/x/sys/unix"
)

// console is the screen of a program on a pseudo-terminal.
type console struct {
	t       *testing.T
	master  *os.File
	command *exec.Cmd

	mu     sync.Mutex
	screen *vt.Emulator
}

// onConsole starts a program on a terminal of 160x50 that answers no questions.
func onConsole(t *testing.T, c *exec.Cmd) *console { return onConsoleOf(t, c, 160, 50) }

func onConsoleOf(t *testing.T, c *exec.Cmd, width, height int) *console {
	t.Helper()
	master, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Skipf("no pseudo-terminal here: %v", err)
	}
	t.Cleanup(func() { master.Close() })
	check := func(err error) {
		if err != nil {
			t.Fatal(err)
		}
	}
	check(unix.IoctlSetPointerInt(int(master.Fd()), unix.TIOCSPTLCK, 0))
	number, err := unix.IoctlGetInt(int(master.Fd()), unix.TIOCGPTN)
	check(err)
	check(unix.IoctlSetWinsize(int(master.Fd()), unix.TIOCSWINSZ, &unix.Winsize{Row: uint16(height), Col: uint16(width)}))
	slave, err := os.OpenFile(fmt.Sprintf("/dev/pts/%d", number), os.O_RDWR|unix.O_NOCTTY, 0)
	check(err)
	defer slave.Close()
	p := &console{t: t, master: master, command: c, screen: vt.NewEmulator(width, height)}
	c.Stdin, c.Stdout, c.Stderr = slave, slave, slave
	c.Env = append(os.Environ(), "TERM=xterm-256color", "LC_ALL=C.UTF-8")
	check(c.Start())
	t.Cleanup(func() { c.Process.Kill(); c.Wait() })
	go func() { _, _ = io.Copy(io.Discard, p.screen) }()
	go p.read()
	return p
}

func (p *console) read() {
	buffer := make([]byte, 1<<16)
	for {
		n, err := p.master.Read(buffer)
		if err != nil {
			return
		}
		p.mu.Lock()
		_, _ = p.screen.Write(buffer[:n])
		p.mu.Unlock()
	}
}

func (p *console) text() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.screen.String()
}

// press sends keys when the screen shows a text, for which it waits.
func (p *console) press(keys, when string) {
	p.t.Helper()
	p.await(when)
	if _, err := p.master.WriteString(keys); err != nil {
		p.t.Fatal(err)
	}
}

func (p *console) await(text string) {
	p.t.Helper()
	for deadline := time.Now().Add(20 * time.Second); !strings.Contains(p.text(), text); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			p.t.Fatalf("the screen does not show %q:\n%s", text, p.text())
		}
	}
}

// TestOpenView: with its privileges dropped, the screen names the process of
// another user, and ends its connection when that was allowed.
func TestOpenView(t *testing.T) {
	needCapabilities(t)
	if _, err := exec.LookPath("sleep"); err != nil {
		t.Skip(err)
	}
	closetrace := program(t)
	done := make(chan struct{})
	go func() { // in a thread that ends with it
		defer close(done)
		pair := crowd(t, 1)
		server := pair[1]
		defer unix.Close(server)
		owner := fmt.Sprintf("sleep[%d]", stranger(t, pair[0]))
		p := onConsole(t, exec.Command(closetrace, "--allow-kill", "--cause", "destroyed"))
		p.press("6", "2 Stream")
		p.await(owner)
		checkCapabilities(t, p.command.Process.Pid)
		p.press("/"+owner[:strings.Index(owner, "[")]+"\r", "[6 Open]") // those of other network namespaces are listed, too
		p.await("1 of ")
		if line := selectedLine(p.text()); !strings.Contains(line, owner) {
			t.Errorf("selected is %q, want %s", line, owner)
		}
		p.press("x", owner)
		p.press("y", "(y/N)")
		p.await("its record is in Stream")
		if _, err := unix.Read(server, make([]byte, 1)); !errors.Is(err, unix.ECONNRESET) {
			t.Errorf("the peer sees %v, want ECONNRESET", err)
		}
		p.press("2", "[6 Open]")
		p.await("destroyed")
		p.press("q", "[2 Stream]")
		if err := p.command.Wait(); err != nil {
			t.Error(err)
		}
	}()
	<-done
}

func selectedLine(screen string) string {
	for line := range strings.Lines(screen) {
		if strings.HasPrefix(line, "▸") {
			return line
		}
	}
	return ""
}

// stranger starts a process of another user that holds a connection.
func stranger(t *testing.T, connection int) (pid int) {
	c := exec.Command("sleep", "600")
	file := os.NewFile(uintptr(connection), "connection")
	defer file.Close()
	c.ExtraFiles = []*os.File{file}
	c.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
	if err := c.Start(); err != nil {
		t.Error(err)
		runtime.Goexit()
	}
	t.Cleanup(func() { c.Process.Kill(); c.Wait() })
	return c.Process.Pid
}

// checkCapabilities: CAP_NET_ADMIN is kept, before 5.19 CAP_BPF, and no other.
func checkCapabilities(t *testing.T, pid int) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		t.Error(err)
	}
	var permitted uint64
	_, after, _ := strings.Cut(string(text), "CapPrm:")
	if _, err := fmt.Sscanf(after, "%x", &permitted); err != nil {
		t.Error(err)
	}
	if permitted&^(1<<unix.CAP_BPF) != 1<<unix.CAP_NET_ADMIN {
		t.Errorf("permitted capabilities are %#x, want CAP_NET_ADMIN", permitted)
	}
	t.Logf("permitted capabilities are %#x", permitted)
}

// TestOpenViewOfFilter: what is traced alone is listed alone, as far as open connections can
// be chosen by it; where they can't, the view says so.
func TestOpenViewOfFilter(t *testing.T) {
	needCapabilities(t)
	closetrace := program(t)
	mine, others := openPort(t), openPort(t)
	p := onConsole(t, exec.Command(closetrace, "--port", mine))
	p.press("6", "2 Stream")
	p.await(":" + mine)
	if text := p.text(); strings.Contains(text, ":"+others) || strings.Contains(text, "Listed are more") {
		t.Errorf("port %s is listed, or the list is said to have more:\n%s", others, text)
	}
	p.press("q", "[6 Open]")
	if err := p.command.Wait(); err != nil {
		t.Error(err)
	}
	p = onConsole(t, exec.Command(closetrace, "--port", mine, "--verdict", "abortive"))
	p.press("6", "2 Stream")
	p.await("Listed are more than those that are traced: all with (network.local.port == " + mine)
}

// openPort returns a port with a connection that stays open.
func openPort(t *testing.T) string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	c, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return portOf(l.Addr())
}
