package incidents

import (
	"bytes"
	"flag"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// build is where the program is built, once for all scenes.
var build string

func TestMain(m *testing.M) {
	var err error
	if build, err = os.MkdirTemp("", "closetrace"); err != nil {
		panic(err)
	}
	flag.Parse()
	if f := flag.Lookup("test.parallel"); f.Value.String() == f.DefValue { // they wait more than they compute
		_ = f.Value.Set(strconv.Itoa(3 * runtime.GOMAXPROCS(0)))
	}
	code := m.Run()
	for _, name := range kept.names {
		_ = exec.Command("ip", "netns", "del", name).Run()
	}
	_ = os.RemoveAll(build)
	os.Exit(code)
}

var built = sync.OnceValues(func() (path string, err error) {
	path = filepath.Join(build, "closetrace")
	out, err := exec.Command("go", "build", "-o", path, "../../../cmd/closetrace").CombinedOutput()
	if err != nil {
		err = fmt.Errorf("build the program: %w: %s", err, out)
	}
	return path, err
})

// watch is what observes a scene from outside this process: tcpdump, the program's
// recording in a terminal, and its --pid of the server.
type watch struct {
	*scene
	program, ns string
	server      int
	wire, pid   *exec.Cmd
	seen, words buffer
}

type buffer struct {
	mutex sync.Mutex
	bytes.Buffer
}

func (b *buffer) Write(p []byte) (int, error) {
	b.mutex.Lock()
	defer b.mutex.Unlock()
	return b.Buffer.Write(p)
}

func (b *buffer) String() string {
	b.mutex.Lock()
	defer b.mutex.Unlock()
	return b.Buffer.String()
}

// watched begins to observe the scene's namespace; server is a process of it, or 0.
func (s *scene) watched(ns string, server int) *watch {
	s.t.Helper()
	for _, p := range []string{"tcpdump", "tmux"} {
		if _, err := exec.LookPath(p); err != nil {
			lacks(s.t, "needs "+p)
		}
	}
	path, err := built()
	if err != nil {
		s.t.Fatal(err)
	}
	w := &watch{scene: s, program: path, ns: ns, server: server}
	w.wire = w.observe(&w.seen, s.command(ns, "tcpdump", "-i", "any", "-nn", "-v", "-l", "tcp or icmp"))
	if server != 0 {
		w.pid = w.observe(&w.words, exec.Command(path, "--plain", "--pid", strconv.Itoa(server)))
	}
	s.file("tmux.conf", "set -g status off\nset -g remain-on-exit on\n")
	s.t.Cleanup(func() { _ = w.tmux("kill-server").Run() })
	w.screen("new-session", "-d", "-x", "120", "-y", "40", path, "record", "-o", "ends.jsonl", "--netns", s.names[ns])
	w.until("all observe", func() bool {
		data, _ := os.ReadFile(filepath.Join(s.dir, "ends.jsonl"))
		return bytes.Contains(data, []byte(`"kind":"start"`)) && strings.Contains(w.seen.String(), "listening on") &&
			(server == 0 || strings.Contains(w.words.String(), "tracing"))
	})
	return w
}

// observe starts c, which ends with the test at the latest.
func (w *watch) observe(out *buffer, c *exec.Cmd) *exec.Cmd {
	w.t.Helper()
	c.Stdout, c.Stderr = out, out
	if err := c.Start(); err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() { _ = c.Process.Kill(); _ = c.Wait() })
	return c
}

func (w *watch) until(what string, holds func() bool) {
	w.t.Helper()
	for range 800 { // a busy machine takes its time
		if holds() {
			return
		}
		time.Sleep(50 * time.Millisecond)
	}
	w.t.Fatalf("never: %s\n%s", what, w.shown())
}

// tmux is the terminal of the scene.
func (w *watch) tmux(args ...string) *exec.Cmd {
	c := exec.Command("tmux", append([]string{"-S", "tmux", "-f", "tmux.conf"}, args...)...)
	c.Dir = w.dir
	return c
}

// screen runs a program in the terminal.
func (w *watch) screen(args ...string) {
	w.t.Helper()
	if out, err := w.tmux(args...).CombinedOutput(); err != nil {
		w.t.Fatalf("tmux: %v %s", err, out)
	}
}

func (w *watch) shown() string {
	out, _ := w.tmux("capture-pane", "-p", "-J", "-S", "-").Output()
	return string(out)
}

// check ends the observers, and compares what all of them say.
func (w *watch) check() {
	w.t.Helper()
	time.Sleep(time.Second) // an outcome is held until what comes before it has been read
	_ = w.tmux("send-keys", "C-c").Run()
	for _, c := range []*exec.Cmd{w.pid, w.wire} {
		if c != nil {
			_ = c.Process.Signal(os.Interrupt) // that of --pid has ended if its process has
			_ = c.Wait()
		}
	}
	w.until("the recording ends", func() bool {
		dead, _ := w.tmux("display-message", "-p", "#{pane_dead}").Output()
		return strings.TrimSpace(string(dead)) == "1"
	})

	all, total, stop := w.read()
	w.t.Logf("%d ends %v", total.Ends, total.Verdicts)
	w.onTheWire(all)
	if !maps.Equal(stop, total.Verdicts) {
		w.t.Errorf("stop line: got %v, want %v", stop, total.Verdicts)
	}
	total.says(w.t, "last words of record", w.shown(), `(?P<n>[\d,]+) teardowns`, `(?P<n>[\d,]+) (?P<v>%s)\b`)
	w.summarized(total)
	if w.pid != nil {
		mine := countOf(all, func(e *end) bool { return e.Process.PID == w.server || e.Closer.PID == w.server })
		if mine.Ends == 0 {
			w.t.Errorf("no end is of process %d", w.server)
		}
		_, last, _ := strings.Cut(w.words.String(), "; connections: ")
		mine.says(w.t, "last words of --pid", "connections: "+last, `connections: (?P<n>\d+)`, `(?P<n>\d+) (?P<v>%s)\b`)
	}
	w.screen("new-window", "-c", w.dir, w.program, "replay", "ends.jsonl")
	w.until("the screen shows all", func() bool { return strings.Contains(w.shown(), "stopped (signal)") })
	header, _, _ := strings.Cut(w.shown(), " TIME")
	total.says(w.t, "header of the screen", header, `  (?P<n>[\d,]+) ends`, `(?m)^\S (?P<v>%s) +(?P<n>[\d,]+)`)
}

// worker waits for the first process that a server starts.
func (s *scene) worker(server *exec.Cmd) int {
	s.t.Helper()
	pid := server.Process.Pid
	for range 200 {
		children, _ := os.ReadFile(fmt.Sprintf("/proc/%d/task/%d/children", pid, pid))
		if worker, _, _ := strings.Cut(strings.TrimSpace(string(children)), " "); worker != "" {
			n, _ := strconv.Atoi(worker)
			return n
		}
		time.Sleep(50 * time.Millisecond)
	}
	s.t.Fatalf("process %d has no worker", pid)
	return 0
}
