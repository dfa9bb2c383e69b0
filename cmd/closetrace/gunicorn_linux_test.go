package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/closetrace/closetrace/internal/summary"
)

// The application, and the connection pool of a load balancer that keeps connections
// longer than gunicorn does (https://github.com/conbench/conbench/issues/1156): every
// request after the pause is answered by a reset from TIME_WAIT.
const (
	gunicornApp = `def app(e, sr):
    sr('200 OK', [('Content-Length', '3')]); return [b'ok\n']
`
	gunicornPool = `import socket, time
def ask(s):
    s.sendall(b'GET / HTTP/1.1\r\nHost: x\r\n\r\n'); answer = b''
    while not answer.endswith(b'ok\n'):
        part = s.recv(4096)
        if not part: break
        answer += part
    return answer
pool = [socket.create_connection(('127.0.0.1', 8000)) for _ in range(20)]
for s in pool: assert b'200' in ask(s)
time.sleep(3.5)
failed = 0
for s in pool:
    try: failed += b'200' not in ask(s)
    except OSError: failed += 1
for s in pool: s.close()
print(failed)
`
)

// inNamespace runs programs in a network namespace of its own.
type inNamespace struct {
	t      *testing.T
	holder *exec.Cmd
	folder string
}

func newNamespace(t *testing.T, files map[string]string) *inNamespace {
	t.Helper()
	n := &inNamespace{t: t, folder: t.TempDir()}
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(n.folder, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	n.holder = exec.Command("unshare", "--net", "sh", "-c", "ip link set lo up && echo ready && exec cat")
	hold, err := n.holder.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := n.holder.StdoutPipe()
	if err == nil {
		err = n.holder.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { hold.Close(); n.holder.Wait() })
	if _, err := out.Read(make([]byte, 16)); err != nil {
		t.Fatalf("make a network namespace: %v", err)
	}
	return n
}

func (n *inNamespace) path() string { return fmt.Sprintf("/proc/%d/ns/net", n.holder.Process.Pid) }

func (n *inNamespace) command(words ...string) *exec.Cmd {
	c := exec.Command("nsenter", append([]string{"--net=" + n.path()}, words...)...)
	c.Dir = n.folder
	return c
}

// start starts a program that runs until the test ends, at the latest.
func (n *inNamespace) start(words ...string) (*exec.Cmd, *output) {
	n.t.Helper()
	c := n.command(words...)
	var text output
	c.Stdout, c.Stderr = &text, &text
	if err := c.Start(); err != nil {
		n.t.Fatal(err)
	}
	n.t.Cleanup(func() { c.Process.Kill(); c.Wait() })
	return c, &text
}

func (n *inNamespace) output(words ...string) string {
	n.t.Helper()
	out, err := n.command(words...).Output()
	if err != nil {
		n.t.Fatalf("%v: %v\n%s", words, err, out)
	}
	return strings.TrimSpace(string(out))
}

// output is what a program has written so far.
type output struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (o *output) Write(b []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.Write(b)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.String()
}

// TestGunicornKeepAlive: what the summary, the stop lines, filtered recordings, the lines
// and the last message of --pid say about gunicorn's resets is what was on the wire.
func TestGunicornKeepAlive(t *testing.T) {
	needCapabilities(t)
	for _, program := range []string{"gunicorn", "python3", "tcpdump", "nsenter", "unshare", "ip"} {
		if _, err := exec.LookPath(program); err != nil {
			if strings.Contains(os.Getenv("CLOSETRACE_REQUIRE"), "servers") {
				t.Fatal(err)
			}
			t.Skip(err)
		}
	}
	if btf, err := os.ReadFile("/sys/kernel/btf/vmlinux"); err != nil || !bytes.Contains(btf, []byte("SK_RST_REASON_")) {
		t.Skip("before Linux 6.12 a reset by TIME_WAIT has no event")
	}
	n := newNamespace(t, map[string]string{"app.py": gunicornApp, "pool.py": gunicornPool})
	gunicorn, _ := n.start("gunicorn", "-k", "gthread", "--threads", "4", "--keep-alive", "2", "-b", "127.0.0.1:8000", "app:app")
	eventually(t, "gunicorn listens", func() bool { return strings.Contains(n.output("ss", "-ltnH", "sport = 8000"), "8000") })
	worker := ""
	eventually(t, "gunicorn has a worker", func() bool {
		pid := gunicorn.Process.Pid
		children, _ := os.ReadFile(fmt.Sprintf("/proc/%d/task/%d/children", pid, pid))
		worker = strings.TrimSpace(string(children))
		return worker != ""
	})
	tcpdump, seen := n.start("tcpdump", "-i", "lo", "-U", "-w", "wire.pcap", "tcp")
	eventually(t, "tcpdump listens", func() bool { return strings.Contains(seen.String(), "listening on") })
	all := startRecorder(t, t.TempDir(), nil, "--netns", n.path())
	resets := startRecorder(t, t.TempDir(), nil, "--netns", n.path(), "--process", "gunicorn", "--verdict", "abortive")
	var lines, last output
	live := exec.Command(program(t), "live", "--plain", "--pid", worker)
	live.Stdout, live.Stderr = &lines, &last
	if err := live.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { live.Process.Kill(); live.Wait() })
	eventually(t, "the trace is live", func() bool { return strings.Contains(lines.String(), "tracing") })

	failed := n.output("python3", "pool.py")
	time.Sleep(time.Second) // the outcome is held until what comes before it has been read
	gunicorn.Process.Signal(syscall.SIGTERM)
	live.Wait()
	for _, r := range []*recorder{all, resets} {
		r.Process.Signal(os.Interrupt)
		r.end(t)
	}
	tcpdump.Process.Signal(os.Interrupt)
	tcpdump.Wait()
	// The witness: connections that port 8000 reset, and no client's reset.
	wire := map[string]bool{}
	for line := range strings.Lines(n.output("tcpdump", "-nn", "-r", "wire.pcap", "tcp[tcpflags] & tcp-rst != 0")) {
		fields := strings.Fields(line) // TIME IP 127.0.0.1.8000 > 127.0.0.1.40000: Flags [R], ...
		if len(fields) < 5 || !strings.HasSuffix(fields[2], ".8000") {
			t.Fatalf("a reset of another end: %s", line)
		}
		wire[fields[4]] = true
	}
	count := uint64(len(wire))
	if count == 0 || failed != strconv.Itoa(len(wire)) {
		t.Fatalf("%d connections were reset, %s requests failed", count, failed)
	}
	t.Logf("%d connections were reset", count)

	e := all.summary(t, 2*count) // both ends: gunicorn's resets are the clients' peer-reset
	for _, g := range e.Processes {
		if g.Teardowns != count || g.Verdicts["abortive"] != count || g.Process != "gunicorn" && g.Process != "python3" {
			t.Errorf("summary: got %+v, want gunicorn and python3 with %d aborted each", g, count)
		}
	}
	if e.Amended != count || e.Later["data-after-close"] != count {
		t.Errorf("summary: %d amended, later %v; want %d", e.Amended, e.Later, count)
	}
	e = resets.summary(t, count)
	if g := e.Processes; len(g) != 1 || g[0].Process != "gunicorn" || g[0].Teardowns != count {
		t.Errorf("--process gunicorn --verdict abortive: got %+v, want gunicorn with %d", g, count)
	}
	if got := uint64(strings.Count(lines.String(), "later, of")); got != count {
		t.Errorf("%d lines say later, want %d:\n%s", got, count, &lines)
	}
	want := fmt.Sprintf("gunicorn[%s] ended; connections: %d (%d abortive: data-after-close)", worker, count, count)
	if !strings.Contains(last.String(), want) {
		t.Errorf("last words %q, want %q", &last, want)
	}
	if want := fmt.Sprintf("%d ends: %d abortive;", count, count); !strings.Contains(lines.String(), want) {
		t.Errorf("no line says %q:\n%s", want, &lines)
	}
}

// summary returns what summary says of a recording, which is what its stop line
// says: so many aborts and nothing else.
func (r *recorder) summary(t *testing.T, aborts uint64) *summary.Export {
	t.Helper()
	path := filepath.Join(r.folder, "a.jsonl")
	got := runProgram(t, exec.Command(program(t), "summary", "--json", path))
	var e summary.Export
	if err := json.Unmarshal([]byte(got.out), &e); err != nil {
		t.Fatalf("%v: %s%s", err, got.out, got.errors)
	}
	if e.Teardowns != aborts || e.Verdicts["abortive"] != aborts {
		t.Errorf("%s: summary %v, want %d abortive", path, e.Verdicts, aborts)
	}
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	all := strings.Split(strings.TrimSpace(string(data)), "\n")
	var stop struct{ Teardowns map[string]uint64 }
	if err := json.Unmarshal([]byte(all[len(all)-1]), &stop); err != nil || len(stop.Teardowns) != 1 || stop.Teardowns["abortive"] != aborts {
		t.Errorf("%s: stop line %v, %v; want %d abortive", path, stop.Teardowns, err, aborts)
	}
	return &e
}
