package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// TestSuspend: ctrl-z and a stop from outside give the shell a usable terminal back, and
// fg, or a SIGCONT, draws the screen again. What the kernel says of the terminal is the
// witness that it was restored.
func TestSuspend(t *testing.T) {
	needCapabilities(t)
	closetrace := program(t)
	t.Cleanup(func() { endAll(closetrace) })
	s := startShell(t)
	s.enter(t, closetrace+" live\n")
	eventually(t, "the screen", s.shows("Stream"))
	eventually(t, "the raw mode", func() bool { return !cooked(t, s.master) })
	pid := foreground(t, s.master)
	for _, stop := range []struct {
		name    string
		restore bool
		do      func()
	}{
		{"ctrl-z", true, func() { s.enter(t, "\x1a") }},
		{"SIGTSTP", true, func() { syscall.Kill(pid, syscall.SIGTSTP) }},
		{"SIGSTOP", false, func() { syscall.Kill(pid, syscall.SIGSTOP) }},
	} {
		s.forget()
		stop.do()
		eventually(t, stop.name+" stops", func() bool { return stateOf(pid) == "T" })
		eventually(t, stop.name+": the shell has the terminal", func() bool { return foreground(t, s.master) == s.Process.Pid })
		if stop.restore {
			eventually(t, stop.name+": the screen leaves the terminal", s.shows("\x1b[?1049l"))
		}
		if s.shows("\x1b[?1049h")() {
			t.Errorf("%s: the screen came back by itself", stop.name)
		}
		s.forget()
		s.enter(t, "echo a$((1+1))b\n")
		eventually(t, stop.name+": the shell works", s.shows("a2b"))
		s.forget()
		s.enter(t, "fg\n")
		eventually(t, stop.name+": it is drawn again", func() bool { return s.shows("\x1b[?1049h")() && s.shows("Stream")() })
		eventually(t, stop.name+": the terminal is raw again", func() bool { return !cooked(t, s.master) })
	}
	s.enter(t, "q")
	eventually(t, "the end", func() bool { return len(runs(closetrace)) == 0 })
}

// TestSuspendNobody: if no shell could continue it, ctrl-z says so and the screen goes
// on: in a group that has no shell. As the leader of a session (ssh host closetrace, a
// container) it was tried by hand.
func TestSuspendNobody(t *testing.T) {
	needCapabilities(t)
	for name, arguments := range map[string][]string{
		"a script's": {"/bin/sh", "-c", `"$@"; true`, "sh"},
	} {
		t.Run(name, func(t *testing.T) {
			arguments = append(arguments, program(t), "live")
			c := exec.Command(arguments[0], arguments[1:]...)
			c.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
			p := onConsoleOf(t, c, 80, 24)
			p.await("[2 Stream]")
			for range 2 {
				p.types([]string{"\x1a"})
				p.await("not suspended: no shell is here")
				p.press("3", "[2 Stream]")
				p.press("2", "[3 Causes]")
			}
			p.types([]string{"q"})
			if err := p.command.Wait(); err != nil {
				t.Error(err)
			}
		})
	}
}

// cooked reports whether the terminal edits lines, as a shell's commands want it.
func cooked(t *testing.T, terminal *os.File) bool {
	t.Helper()
	state, err := unix.IoctlGetTermios(int(terminal.Fd()), unix.TCGETS)
	if err != nil {
		t.Fatal(err)
	}
	return state.Lflag&unix.ICANON != 0
}

// foreground returns the process group that has the terminal.
func foreground(t *testing.T, terminal *os.File) int {
	t.Helper()
	pgrp, err := unix.IoctlGetInt(int(terminal.Fd()), unix.TIOCGPGRP)
	if err != nil {
		t.Fatal(err)
	}
	return pgrp
}

// stateOf returns the letter of a process's state, proc_pid_stat(5).
func stateOf(pid int) string {
	data, _ := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "stat"))
	_, rest, _ := strings.Cut(string(data), ") ")
	return fmt.Sprintf("%.1s", rest)
}

func (s *shell) forget() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.out.Reset()
}
