package main

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	collogs "go.opentelemetry.io/proto/otlp/collector/logs/v1"
	"golang.org/x/sys/unix"
	"google.golang.org/protobuf/proto"
)

// memoryOf returns the memory in kB that a process and its children have for themselves
// alone (RssAnon of proc_pid_status(5)), and how many they are. Ring and maps are the
// kernel's and are not in it.
func memoryOf(t *testing.T, pid int) (kB, processes int) {
	t.Helper()
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0, 0 // it has ended
	}
	if _, rest, found := strings.Cut(string(status), "RssAnon:"); found {
		kB, _ = strconv.Atoi(strings.Fields(rest)[0])
	}
	processes = 1
	lists, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", pid))
	for _, list := range lists {
		children, _ := os.ReadFile(list)
		for _, child := range strings.Fields(string(children)) {
			id, _ := strconv.Atoi(child)
			more, n := memoryOf(t, id)
			kB, processes = kB+more, processes+n
		}
	}
	return kB, processes
}

// crowds opens pairs of connected sockets in several network namespaces, with a table of
// descriptors for each, whose size is limited. They are closed when leave is.
func crowds(t *testing.T, spaces, pairs int, leave <-chan struct{}) (netns []string, left *sync.WaitGroup) {
	left = &sync.WaitGroup{}
	ready := make(chan string)
	for range spaces {
		left.Go(func() {
			runtime.LockOSThread() // and the thread ends with its table
			if err := unix.Unshare(unix.CLONE_FILES); err != nil {
				ready <- ""
				return
			}
			open := crowd(t, pairs)
			name, _ := os.Readlink("/proc/thread-self/ns/net")
			ready <- strings.Trim(name, "net:[]")
			<-leave
			closeAll(open)
		})
	}
	for range spaces {
		netns = append(netns, <-ready)
	}
	return netns, left
}

// TestMemoryOfManySockets: 80,000 open sockets, which end all at once, take record and
// its helpers no more than 64 MB, and each end is told.
func TestMemoryOfManySockets(t *testing.T) {
	if os.Getenv("CLOSETRACE_MANY_SOCKETS") == "" {
		t.Skip("takes half a minute: make many-sockets")
	}
	needCapabilities(t)
	const spaces, pairs, limit = 5, 8_000, 64_000
	leave := make(chan struct{})
	netns, left := crowds(t, spaces, pairs, leave)
	r := startRecorder(t, t.TempDir(), nil)
	most, processes := 0, 0
	watch := func(d time.Duration) {
		for end := time.Now().Add(d); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
			now, n := memoryOf(t, r.Process.Pid)
			most, processes = max(most, now), max(processes, n)
		}
	}
	watch(5 * time.Second)
	idle := most
	close(leave)
	watch(10 * time.Second)
	left.Wait()
	_ = r.Process.Signal(syscall.SIGINT)
	if code := r.end(t); code != 0 {
		t.Errorf("exit code %d: %s", code, &r.errors)
	}
	text, err := os.ReadFile(filepath.Join(r.folder, "a.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	ends := 0
	for line := range bytes.Lines(text) {
		for _, n := range netns {
			if bytes.Contains(line, []byte(`"kind":"teardown"`)) && bytes.Contains(line, []byte(`"netns":`+n)) {
				ends++
			}
		}
	}
	const sockets = 2 * spaces * pairs
	t.Logf("%d sockets: %d kB while they are open, %d kB at most, of %d processes; %d ends; %q", sockets, idle, most, processes, ends, &r.errors)
	if most > limit || most == 0 {
		t.Errorf("%d kB, want at most %d", most, limit)
	}
	if ends != sockets {
		t.Errorf("%d ends, want %d", ends, sockets)
	}
}

// takenIn counts the records of OTLP by id.
type takenIn struct {
	mu  sync.Mutex
	ids map[string]int
	all int
}

func (s *takenIn) ServeHTTP(_ http.ResponseWriter, r *http.Request) {
	var request collogs.ExportLogsServiceRequest
	body, err := io.ReadAll(r.Body)
	if err != nil || r.URL.Path != "/v1/logs" || proto.Unmarshal(body, &request) != nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, resource := range request.ResourceLogs {
		for _, scope := range resource.ScopeLogs {
			for _, one := range scope.LogRecords {
				id := one.EventName + fmt.Sprint(one.TimeUnixNano) + one.Body.GetStringValue() // losses may be of one time
				for _, a := range one.Attributes {
					if a.Key == "id" {
						id = one.EventName + a.Value.GetStringValue()
					}
				}
				s.ids[id]++
				s.all++
			}
		}
	}
}

func (s *takenIn) count() (unique, all int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.ids), s.all
}

// resets makes connections that are reset, at a rate, until stop.
func resets(t *testing.T, rate int, stop <-chan struct{}) (made *atomic.Int64, done *sync.WaitGroup) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	made, done = new(atomic.Int64), new(sync.WaitGroup)
	done.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			_, _ = c.Read(make([]byte, 1)) // until the reset
			c.Close()
		}
	})
	from := time.Now()
	var turn atomic.Int64
	for range 8 {
		done.Go(func() {
			for {
				n := turn.Add(1)
				time.Sleep(time.Until(from.Add(time.Duration(n) * time.Second / time.Duration(rate))))
				select {
				case <-stop:
					l.Close()
					return
				default:
				}
				c, err := net.Dial("tcp", l.Addr().String())
				if err != nil {
					continue
				}
				_ = c.(*net.TCPConn).SetLinger(0)
				c.Close()
				made.Add(1)
			}
		})
	}
	return made, done
}

// rssAnon is a process's own memory in bytes.
func rssAnon(t *testing.T, pid int) int {
	t.Helper()
	text, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/status")
	_, rest, found := strings.Cut(string(text), "\nRssAnon:")
	if err != nil || !found {
		t.Fatalf("the agent is gone: %v", err)
	}
	n, err := strconv.Atoi(strings.Fields(rest)[0])
	if err != nil {
		t.Fatal(err)
	}
	return n << 10
}

// TestCollectorAway: while the Collector is away, for CLOSETRACE_AWAY, the agent stays
// below 80 MB, and then the spool is drained: what arrives is what was to be sent, less
// what is counted as suppressed or lost.
func TestCollectorAway(t *testing.T) {
	needCapabilities(t)
	away, most := 3*time.Second, 80<<20
	if text := os.Getenv("CLOSETRACE_AWAY"); text != "" {
		var err error
		if away, err = time.ParseDuration(text); err != nil {
			t.Fatal(err)
		}
	}
	free := func() string {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		return l.Addr().String()
	}
	collector, metrics := free(), free()
	c := exec.Command(program(t), "agent", "--otlp-endpoint", "http://"+collector, "--metrics-listen", metrics, "--max-rate", "0",
		"--process", filepath.Base(os.Args[0])[:min(15, len(filepath.Base(os.Args[0])))],
		"--spool", filepath.Join(t.TempDir(), "spool"), "--spool-size", "2GB", "--max-memory", "80MB")
	var said bytes.Buffer
	c.Stderr = &said
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { c.Process.Kill(); c.Wait() }()
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(100 * time.Millisecond) {
		if answer, err := http.Get("http://" + metrics + "/metrics"); err == nil {
			answer.Body.Close()
			break
		} else if time.Now().After(deadline) {
			t.Fatalf("%v: %s", err, &said)
		}
	}
	stop := make(chan struct{})
	made, done := resets(t, 2500, stop) // each has two ends
	highest, spool := 0, 0.0
	from := time.Now()
	for time.Since(from) < away {
		highest = max(highest, rssAnon(t, c.Process.Pid))
		spool = max(spool, sample(t, metrics, `closetrace_spool_bytes`))
		time.Sleep(min(time.Second, away/10))
	}
	close(stop)
	done.Wait()
	rate := float64(made.Load()) / time.Since(from).Seconds()
	get := func(name string) int { return int(sample(t, metrics, "closetrace_log_records_"+name)) }
	sum := func(name string, reasons ...string) (n int) {
		for _, reason := range reasons {
			n += get(name + `_total\{reason="` + reason + `"\}`)
		}
		return n
	}
	l, err := net.Listen("tcp", collector)
	if err != nil {
		t.Fatal(err)
	}
	sink := &takenIn{ids: map[string]int{}}
	server := &http.Server{Handler: sink}
	done.Go(func() { _ = server.Serve(l) })
	defer func() { server.Close(); done.Wait() }()
	time.Sleep(2 * time.Second) // the last batch is on its way
	back := time.Now()
	for last, until := 0, time.Now().Add(2*time.Minute); get("waiting") > 0; time.Sleep(200 * time.Millisecond) {
		highest = max(highest, rssAnon(t, c.Process.Pid))
		if now, _ := sink.count(); now != last {
			last, until = now, time.Now().Add(2*time.Minute)
		}
		if time.Now().After(until) {
			t.Fatalf("%d wait, and nothing arrives for two minutes: %s", get("waiting"), &said)
		}
	}
	offered, exported := get("total"), get("exported_total")
	suppressed, lost := sum("suppressed", "rate", "shedding"), sum("lost", "queue", "spool", "disk", "refused", "end")
	arrived, all := sink.count()
	missed := 0.0
	for _, where := range []string{"hook", "ring-buffer", "late-evidence"} {
		missed += sample(t, metrics, `closetrace_missed_events_total\{where="`+where+`"\}`)
	}
	t.Logf("away for %v: %d connections reset, %.0f ends a second; RssAnon at most %.1f MB, spool %.1f MB; drained in %v: %d records = %d exported + %d suppressed + %d lost; %d arrived, %d again; %.0f events missed",
		away, made.Load(), 2*rate, float64(highest)/1e6, spool/1e6, time.Since(back).Round(time.Second), offered, exported, suppressed, lost, arrived, all-arrived, missed)
	if arrived != offered-suppressed-lost || arrived != exported {
		t.Errorf("%d arrived, want %d - %d - %d", arrived, offered, suppressed, lost)
	}
	const unaccepted = 8 // at most, when the load stops
	if offered+int(missed) < 2*(int(made.Load())-unaccepted) {
		t.Errorf("%d records of %d connections, %v events missed", offered, made.Load(), missed)
	}
	if highest >= most {
		t.Errorf("%d bytes of anonymous memory, want less than %d", highest, most)
	}
}
