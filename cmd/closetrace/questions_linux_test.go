package main

import (
	"errors"
	"net"
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// TestQuestionsActor is not a test: it is process 812 of docs/questions.md. It has a
// connection, a listener and a UDP socket until it is ended.
func TestQuestionsActor(t *testing.T) {
	server := os.Getenv("CLOSETRACE_TEST_QUESTIONS")
	if server == "" {
		t.Skip("played by TestQuestions only")
	}
	if err := os.WriteFile("/proc/self/comm", []byte("ct-question"), 0); err != nil {
		t.Fatal(err)
	}
	c, err := net.Dial("tcp4", server)
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp4", c.LocalAddr().String())
	if err != nil { // the port is the connection's: a listener beside it
		l, err = net.Listen("tcp4", "127.0.0.1:0")
	}
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	u, err := net.ListenPacket("udp4", c.LocalAddr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer u.Close()
	os.Stdout.WriteString("\n@" + c.LocalAddr().String() + "\n")
	for { // until it is killed
		time.Sleep(time.Hour)
	}
}

// asked is one process 812 with its connection.
type asked struct {
	command *exec.Cmd
	peer    net.Conn
	local   string
}

func newAsked(t *testing.T) *asked {
	t.Helper()
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	a := &asked{command: exec.Command("/proc/self/exe", "-test.run=^TestQuestionsActor$")}
	a.command.Env = append(os.Environ(), "CLOSETRACE_TEST_QUESTIONS="+l.Addr().String())
	out, err := a.command.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := a.command.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { a.command.Process.Kill(); a.command.Wait() })
	if a.peer, err = l.Accept(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { a.peer.Close() })
	b := make([]byte, 256)
	for a.local == "" {
		n, err := out.Read(b)
		if err != nil {
			t.Fatal(err)
		}
		if _, after, ok := strings.Cut(string(b[:n]), "@"); ok {
			a.local = strings.TrimSpace(after)
		}
	}
	return a
}

var questionCommand = regexp.MustCompile("`sudo (closetrace [^`]*)`")

// TestQuestions runs every command of docs/questions.md.
func TestQuestions(t *testing.T) {
	needCapabilities(t)
	closetrace := program(t)
	text, err := os.ReadFile("../../docs/questions.md")
	if err != nil {
		t.Skipf("the documents are not here: %v", err) // in a guest
	}
	found := questionCommand.FindAllStringSubmatch(string(text), -1)
	if len(found) < 35 || strings.Count(string(text), "closetrace list")+strings.Count(string(text), "closetrace kill") < len(found)-1 {
		t.Fatalf("found %d commands, want 35 at least", len(found))
	}
	var a *asked
	ran := map[string]bool{}
	for _, m := range found {
		line := strings.ReplaceAll(m[1], `\|`, "|")
		if ran[line] {
			continue
		}
		ran[line] = true
		if a == nil {
			a = newAsked(t)
		}
		t.Run(line, func(t *testing.T) { a.ask(t, closetrace, line) })
		if strings.Contains(line, "kill") {
			a = nil // it is gone
		}
	}
}

// ask runs one command, in a shell because some have pipes.
func (a *asked) ask(t *testing.T, closetrace, line string) {
	if _, err := exec.LookPath("jq"); err != nil && strings.Contains(line, "jq ") {
		t.Skip("needs jq")
	}
	_, port, _ := net.SplitHostPort(a.local)
	_, peerPort, _ := net.SplitHostPort(a.peer.LocalAddr().String())
	line = strings.NewReplacer(
		"closetrace ", closetrace+" ", "live --plain -- nginx", "live --plain -- true", "10s", "1s",
		"10.0.0.5:443", a.local, "10.0.0.9:51034", a.peer.LocalAddr().String(),
		"10.0.0.9", "127.0.0.1", "51034", peerPort, "443", port, "812", strconv.Itoa(a.command.Process.Pid), "nginx", "ct-question",
	).Replace(line)
	c := exec.Command("sh", "-c", line)
	if strings.Contains(line, "--watch") {
		c = exec.Command("timeout", "-s", "INT", "2", "sh", "-c", "exec "+line)
	}
	if strings.Contains(line, "kill") {
		c.Stdin = strings.NewReader("y\n")
	}
	r := runProgram(t, c)
	if r.code != 0 && (r.code != 124 || !strings.Contains(line, "--watch")) {
		t.Fatalf("exit %d: %s%s", r.code, r.out, r.errors)
	}
	a.check(t, line, r.out, port)
}

// check: the connection is in the answer, unless the question excludes it; and it has
// ended, if the command ends it.
func (a *asked) check(t *testing.T, line, out, port string) {
	named := strings.Contains(out, a.local) || strings.Contains(out, port)
	switch {
	case strings.Contains(line, "--dry-run"), strings.Contains(line, "live "):
	case strings.Contains(line, "--terminate"):
		if err := a.command.Wait(); err == nil {
			t.Error("the process was not ended by a signal")
		}
	case strings.Contains(line, "kill "):
		a.peer.SetReadDeadline(time.Now().Add(patience))
		if _, err := a.peer.Read(make([]byte, 1)); !errors.Is(err, unix.ECONNRESET) {
			t.Errorf("the peer sees %v, want ECONNRESET", err)
		}
	case strings.Contains(line, "--doomed"), strings.Contains(line, "on_close.effect"), strings.Contains(line, "linger.on"), strings.Contains(line, "CLOSE_WAIT"):
		if strings.Contains(out, a.local) {
			t.Errorf("the connection is none of these, and is in\n%s", out)
		}
	case strings.Contains(line, "uniq -c"):
		if !strings.Contains(out, "ESTABLISHED") {
			t.Errorf("no state ESTABLISHED in %q", out)
		}
	case strings.Contains(line, "--listen"):
		if !strings.Contains(out, "ct-question") {
			t.Errorf("the listener is not in\n%s", out)
		}
	case strings.Contains(line, "@csv"):
		if !strings.Contains(out, `"ct-question",`+strconv.Itoa(a.command.Process.Pid)+`,"ESTABLISHED","127.0.0.1","127.0.0.1"`) {
			t.Errorf("the connection is not in\n%s", out)
		}
	case !named:
		t.Errorf("neither %s nor its port is in\n%s", a.local, out)
	}
}
