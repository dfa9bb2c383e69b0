package main

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"
	"time"
)

// TestContainerActor is no test: it is a program in one of two containers. The shop never
// answers and closes with the request unread; the web sends requests repeatedly, keeps
// one connection open, and once closes with more to send than the shop reads.
func TestContainerActor(t *testing.T) {
	role, address, _ := strings.Cut(os.Getenv("CLOSETRACE_TEST_CONTAINER"), " ")
	if role == "" {
		t.Skip("played by TestTenQuestionsOnAContainerHost only")
	}
	if err := os.WriteFile("/proc/self/comm", []byte("ct-"+role), 0); err != nil {
		t.Fatal(err)
	}
	if role == "shop" {
		shop(t, address)
	}
	kept, err := net.Dial("tcp4", address)
	for err != nil { // the shop has not opened yet
		time.Sleep(50 * time.Millisecond)
		kept, err = net.Dial("tcp4", address)
	}
	defer kept.Close()
	for i := 0; ; i++ {
		c, err := net.Dial("tcp4", address)
		if err != nil {
			return
		}
		if i == 0 {
			if err := endByLingerTimeout(c.(*net.TCPConn), slow(t, address)); err != nil {
				t.Error(err)
			}
			continue
		}
		_, _ = c.Write([]byte("GET / HTTP/1.1\r\n\r\n"))
		_, _ = c.Read(make([]byte, 1))
		c.Close()
		time.Sleep(100 * time.Millisecond)
	}
}

// slow is a connection that endByLingerTimeout may close.
func slow(t *testing.T, address string) *net.TCPConn {
	c, err := net.Dial("tcp4", address)
	if err != nil {
		t.Fatal(err)
	}
	return c.(*net.TCPConn)
}

// shop serves until it is killed.
func shop(t *testing.T, address string) {
	l, err := net.Listen("tcp4", address)
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; ; i++ {
		c, err := l.Accept()
		if err != nil {
			return
		}
		go func() {
			if i < 3 { // the one that is kept, the one that is not read, and its pair
				time.Sleep(time.Hour)
			}
			_, _ = c.Read(make([]byte, 3))
			c.Close()
		}()
	}
}

// containers are two network namespaces with a cable between them; the shop in one
// resets the web in the other.
type containers struct {
	shop, web string
	network   string // without its last number
}

func newContainers(t *testing.T) *containers {
	t.Helper()
	if _, err := exec.LookPath("ip"); err != nil {
		t.Skip(err)
	}
	n := os.Getpid() % 250
	c := &containers{fmt.Sprintf("ct-shop%d", n), fmt.Sprintf("ct-web%d", n), fmt.Sprintf("10.79.%d.", n)}
	ip := func(line string) {
		t.Helper()
		if out, err := exec.Command("ip", strings.Fields(line)...).CombinedOutput(); err != nil {
			t.Fatalf("ip %s: %v: %s", line, err, out)
		}
	}
	for _, name := range []string{c.shop, c.web} {
		ip("netns add " + name)
		t.Cleanup(func() { _ = exec.Command("ip", "netns", "del", name).Run() })
	}
	ip("link add eth0 netns " + c.shop + " type veth peer name eth0 netns " + c.web)
	for i, name := range []string{c.shop, c.web} {
		ip(fmt.Sprintf("-n %s addr add %s%d/24 dev eth0", name, c.network, i+1))
		ip("-n " + name + " link set lo up")
		ip("-n " + name + " link set eth0 up")
	}
	return c
}

func (c *containers) start(t *testing.T, name, role string) {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	actor := exec.Command("ip", "netns", "exec", name, self, "-test.run=^TestContainerActor$")
	actor.Env = append(os.Environ(), "CLOSETRACE_TEST_CONTAINER="+role+" "+c.network+"1:8080")
	actor.Stderr = os.Stderr
	if err := actor.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = actor.Process.Kill(); _ = actor.Wait() })
}

// TestTenQuestionsOnAContainerHost asks the real program the questions of docs/screen.md,
// with at most three keys each, at three sizes of a terminal. The answers follow from
// what the two programs in the containers do.
func TestTenQuestionsOnAContainerHost(t *testing.T) {
	needCapabilities(t)
	closetrace := program(t)
	doc, err := os.ReadFile("../../docs/screen.md")
	if errors.Is(err, os.ErrNotExist) {
		t.Skip("the documents are not here") // in a guest
	}
	c := newContainers(t)
	for _, size := range [][2]int{{80, 24}, {120, 40}, {200, 60}} {
		t.Run(fmt.Sprintf("%dx%d", size[0], size[1]), func(t *testing.T) {
			p := onConsoleOf(t, exec.Command(closetrace, "--filter", `process.name startsWith "ct-"`), size[0], size[1])
			p.await("[2 Stream]")
			c.start(t, c.shop, "shop")
			c.start(t, c.web, "web")
			p.await("linger")
			p.await("unread-data")
			for _, q := range c.questions() {
				p.asks(string(doc), q)
			}
			p.press("q", "2 Stream")
			if err := p.command.Wait(); err != nil && !errors.Is(err, io.EOF) {
				t.Error(err)
			}
		})
	}
}

// screenQuestion is a row of docs/screen.md, the answer on the screen, and the keys that
// lead back to the stream.
type screenQuestion struct{ text, keys, answer, back string }

func (c *containers) questions() []screenQuestion {
	net := regexp.QuoteMeta(c.network)
	return []screenQuestion{
		{"Who was reset most in the last minute?", "4 t s", `(?m)^▸ct-web `, "t s s s s s s 2"},
		{"Which process closes with unread data?", "3 enter 4", `(?m)^▸ct-(shop|web) `, "esc 2"},
		{"Which connection lost most bytes?", "s", `(?m)^▸.* (ct-web|ct-w).*[kM]B`, "s s s"},
		{"Which close() blocked longest?", "s s", `(?m)^▸.*linger.*ct-w`, "s s"},
		{"Why did the last abortive connection end?", "{ enter", `abortive~?: (unread-data|peer-reset)(?s:.*)TIME LINE`, "esc G"},
		{"What is the most frequent cause of abortive ends?", "3", `(?m)^▸(unread-data|peer-reset) `, "2"},
		{"From which network do the resets come?", "5 x s", `(?m)^▸` + net + `0/24 `, "x s s s s s s 2"},
		{"Which process, by its pid?", "4 x", `(?m)^▸ct-(shop|web)\[\d+\] `, "x 2"},
		{"What happened to the connections of that process?", "4 enter", `filter  process is ct-(shop|web) `, "esc 2"},
		{"Who resets whom?", "7", `(?m)^.ct-shop ↔ ` + net + `2 `, "2"},
		{"What is open now, in which container?", "6", `(?m)^.ESTABLISHED +ct-s.*` + c.shop, "2"},
		{"Why does it keep happening?", "1", `request-lost(?s:.*)ct-shop`, "2"},
	}
}

// asks presses the keys, waits for the answer, and goes back.
func (p *console) asks(doc string, q screenQuestion) {
	p.t.Helper()
	keys := strings.Fields(q.keys)
	if row := "| " + q.text + " | `" + strings.Join(keys, "` `") + "` |"; !strings.Contains(doc, row) || len(keys) > 3 {
		p.t.Errorf("docs/screen.md has no row %q of at most three keys", row)
	}
	p.types(keys)
	want := regexp.MustCompile(q.answer)
	for deadline := time.Now().Add(20 * time.Second); !want.MatchString(p.text()); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			p.t.Errorf("%s %v: no %s in\n%s", q.text, keys, q.answer, p.text())
			break
		}
	}
	if first, _, _ := strings.Cut(p.text(), "\n"); strings.Contains(first, "MISSED") {
		p.t.Errorf("something was missed: %s", first)
	}
	p.types(strings.Fields(q.back))
	p.await("[2 Stream]")
}

func (p *console) types(keys []string) {
	p.t.Helper()
	for _, key := range keys {
		text := map[string]string{"enter": "\r", "esc": "\x1b"}[key]
		if text == "" {
			text = key
		}
		if _, err := p.master.WriteString(text); err != nil {
			p.t.Fatal(err)
		}
		time.Sleep(250 * time.Millisecond) // a lone escape counts only after some time
	}
}
