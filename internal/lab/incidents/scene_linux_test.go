package incidents

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/closetrace/closetrace/model"
	"github.com/closetrace/closetrace/tracer"
)

// The trace that all tests share.
var shared struct {
	once    sync.Once
	err     error
	mutex   sync.Mutex
	inodes  []uint32       // of all scenes' namespaces
	records []model.Record // of these only: others flood this host
}

// traced starts the trace of this host; it ends with the test program.
func traced(t *testing.T) {
	t.Helper()
	shared.once.Do(func() {
		if os.Geteuid() != 0 {
			shared.err = errors.New("needs root")
			return
		}
		source, err := tracer.Open(tracer.Options{})
		if err != nil {
			shared.err = err
			return
		}
		go func() {
			for r, err := range model.Judged(source.Events(context.Background())) {
				if err != nil {
					return
				}
				shared.mutex.Lock()
				if of(&r, shared.inodes) {
					shared.records = append(shared.records, r)
				}
				shared.mutex.Unlock()
			}
		}()
	})
	if shared.err != nil {
		lacks(t, shared.err.Error())
	}
}

// lacks skips the test, or fails it where nothing may be missing.
func lacks(t *testing.T, what string) {
	t.Helper()
	if slices.Contains(strings.Split(os.Getenv("CLOSETRACE_REQUIRE"), ","), "incidents") {
		t.Fatal(what + ", and CLOSETRACE_REQUIRE has incidents")
	}
	t.Skip(what)
}

// scene is where an incident is played.
type scene struct {
	t      *testing.T
	dir    string
	names  map[string]string // of namespaces
	inodes []uint32
	from   int                      // records before are of others
	also   []string                 // findings that may alarm besides the first
	which  func(*model.Record) bool // the records that are diagnosed; nil is all
}

var scenes atomic.Int32

// kept are the names of all namespaces. They stay until all tests have ended: else the number
// of one comes again, and the last ends in the old one are taken for the new one's.
var kept struct {
	mutex sync.Mutex
	names []string
}

// newScene makes the namespaces of an incident that needs these programs.
func newScene(t *testing.T, namespaces []string, programs ...string) *scene {
	t.Helper()
	t.Parallel()
	traced(t)
	for _, p := range append([]string{"ip"}, programs...) {
		if _, err := exec.LookPath(p); err != nil {
			lacks(t, "needs "+p)
		}
	}
	s := &scene{t: t, dir: t.TempDir(), names: map[string]string{}}
	s.begin()
	for d := s.dir; d != "/" && d != os.TempDir(); d = filepath.Dir(d) {
		if err := os.Chmod(d, 0o755); err != nil { // servers give up their privileges
			t.Fatal(err)
		}
	}
	n := scenes.Add(1)
	for _, name := range namespaces {
		full := fmt.Sprintf("ct%d-%d-%s", os.Getpid(), n, name)
		s.must("ip", "netns", "add", full)
		kept.mutex.Lock()
		kept.names = append(kept.names, full)
		kept.mutex.Unlock()
		s.names[name] = full
		s.must("ip", "-n", full, "link", "set", "lo", "up")
		var stat unix.Stat_t
		if err := unix.Stat("/run/netns/"+full, &stat); err != nil {
			t.Fatal(err)
		}
		s.inodes = append(s.inodes, uint32(stat.Ino))
	}
	shared.mutex.Lock()
	defer shared.mutex.Unlock()
	shared.inodes = append(shared.inodes, s.inodes...)
	return s
}

// begin forgets what was recorded until now.
func (s *scene) begin() {
	shared.mutex.Lock()
	defer shared.mutex.Unlock()
	s.from = len(shared.records)
}

// must runs a command of the host.
func (s *scene) must(command ...string) {
	s.t.Helper()
	if out, err := exec.Command(command[0], command[1:]...).CombinedOutput(); err != nil {
		s.t.Fatalf("%s: %v\n%s", strings.Join(command, " "), err, out)
	}
}

// link joins two namespaces; the addresses are those of the ends.
func (s *scene) link(a, addressA, b, addressB string) (deviceA, deviceB string) {
	s.t.Helper()
	n := scenes.Add(1)
	deviceA, deviceB = fmt.Sprintf("va%d", n), fmt.Sprintf("vb%d", n)
	s.must("ip", "link", "add", deviceA, "netns", s.names[a], "type", "veth", "peer", "name", deviceB, "netns", s.names[b])
	for _, x := range [][3]string{{a, deviceA, addressA}, {b, deviceB, addressB}} {
		s.must("ip", "-n", s.names[x[0]], "addr", "add", x[2]+"/24", "dev", x[1])
		s.must("ip", "-n", s.names[x[0]], "link", "set", x[1], "up")
	}
	return deviceA, deviceB
}

// command is one that runs in a namespace.
func (s *scene) command(ns string, args ...string) *exec.Cmd {
	c := exec.Command("ip", append([]string{"netns", "exec", s.names[ns]}, args...)...)
	c.Dir = s.dir
	c.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	return c
}

// start runs a server until the end of the test.
func (s *scene) start(ns string, args ...string) *exec.Cmd {
	s.t.Helper()
	c := s.command(ns, args...)
	s.launch(c, c.Args...)
	return c
}

// launch starts c as args, and ends it with the test.
func (s *scene) launch(c *exec.Cmd, args ...string) {
	s.t.Helper()
	if path, err := exec.LookPath(args[0]); err == nil {
		c.Path = path
	}
	c.Args = args
	var out bytes.Buffer
	c.Stdout, c.Stderr = &out, &out
	if err := c.Start(); err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() {
		_ = syscall.Kill(-c.Process.Pid, syscall.SIGTERM)
		timer := time.AfterFunc(5*time.Second, func() { _ = syscall.Kill(-c.Process.Pid, syscall.SIGKILL) })
		defer timer.Stop()
		_ = c.Wait()
		if s.t.Failed() {
			s.t.Logf("%s: %.2000s", strings.Join(args, " "), out.String())
		}
	})
}

// run runs a client to its end; that it fails is part of most incidents.
func (s *scene) run(ns string, args ...string) string {
	s.t.Helper()
	c := s.command(ns, args...)
	timer := time.AfterFunc(60*time.Second, func() { _ = syscall.Kill(-c.Process.Pid, syscall.SIGKILL) })
	defer timer.Stop()
	out, err := c.CombinedOutput()
	s.t.Logf("%s: %v %.300s", strings.Join(args, " "), err, out)
	return string(out)
}

// file writes a file of the scene and returns its path. $DIR is the scene's folder.
func (s *scene) file(name, text string) string {
	s.t.Helper()
	path := filepath.Join(s.dir, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		s.t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(strings.ReplaceAll(text, "$DIR", s.dir)), 0o644); err != nil {
		s.t.Fatal(err)
	}
	return path
}

// within calls do in a namespace: sockets that it makes stay there.
func (s *scene) within(ns string, do func() error) error {
	ended := make(chan error)
	go func() {
		runtime.LockOSThread() // never unlocked: the thread ends with the goroutine
		file, err := os.Open("/run/netns/" + s.names[ns])
		if err == nil {
			err = unix.Setns(int(file.Fd()), unix.CLONE_NEWNET)
			file.Close()
		}
		if err == nil {
			err = do()
		}
		ended <- err
	}()
	return <-ended
}

// dial connects from a namespace; it tries again while a server starts.
func (s *scene) dial(ns, address string) *net.TCPConn {
	s.t.Helper()
	conn, err := s.tryDial(ns, address)
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { conn.Close() })
	return conn
}

func (s *scene) tryDial(ns, address string) (conn *net.TCPConn, err error) {
	err = s.within(ns, func() error {
		c, err := net.DialTimeout("tcp", address, 30*time.Second)
		if err == nil {
			conn = c.(*net.TCPConn)
		}
		return err
	})
	return conn, err
}

// listening waits until somebody listens on a port of a namespace, without a
// connection that would be an end itself.
func (s *scene) listening(ns string, port int) {
	s.t.Helper()
	for range 300 {
		out, _ := exec.Command("ip", "netns", "exec", s.names[ns], "ss", "-Htln", "sport", "=", fmt.Sprint(port)).Output()
		if len(bytes.TrimSpace(out)) > 0 {
			return
		}
		time.Sleep(100 * time.Millisecond) // until a server of others is ready
	}
	s.t.Fatalf("nobody listens on port %d", port)
}

// sockets waits until a namespace has n connections to or from a port in a state, as ss names it.
func (s *scene) sockets(ns, state string, port, n int) {
	s.t.Helper()
	s.await(fmt.Sprintf("%d sockets %s", n, state), "ip", "netns", "exec", s.names[ns], "sh", "-c",
		fmt.Sprintf("test $(ss -Htn state %s '( sport = :%[2]d or dport = :%[2]d )' | wc -l) -ge %d", state, port, n))
}

// queued waits until n connections wait for accept() at a port.
func (s *scene) queued(ns string, port, n int) {
	s.t.Helper()
	s.await(fmt.Sprintf("%d wait", n), "ip", "netns", "exec", s.names[ns], "sh", "-c",
		fmt.Sprintf("ss -Htln sport = :%d | { read state waiting rest; test $waiting -ge %d; }", port, n))
}

// await waits until a command succeeds.
func (s *scene) await(what string, command ...string) {
	s.t.Helper()
	for range 300 {
		if exec.Command(command[0], command[1:]...).Run() == nil {
			return
		}
		time.Sleep(100 * time.Millisecond)
	}
	s.t.Fatalf("never: %s", what)
}

// ask sends text and returns the first bytes that come back.
func ask(c net.Conn, text string) (string, error) {
	_ = c.SetDeadline(time.Now().Add(time.Minute))
	if _, err := c.Write([]byte(text)); err != nil {
		return "", err
	}
	buffer := make([]byte, 4096)
	n, err := c.Read(buffer)
	return string(buffer[:n]), err
}
