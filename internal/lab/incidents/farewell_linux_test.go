package incidents

import (
	"fmt"
	"io"
	"net"
	"slices"
	"syscall"
	"testing"
	"time"

	"github.com/closetrace/closetrace/internal/findings"
	"github.com/closetrace/closetrace/model"
)

// What looks like an incident and is none, with the real software.

// calm waits for n ends, and checks that nothing alarms but what may.
func (s *scene) calm(n int, may ...string) {
	s.t.Helper()
	for range 80 {
		time.Sleep(250 * time.Millisecond)
		if s.diagnose().Connections >= uint64(n) {
			break
		}
	}
	time.Sleep(500 * time.Millisecond) // outcomes come later
	r := s.diagnose()
	if r.Connections < uint64(n) {
		s.t.Errorf("%d connections ended, want %d", r.Connections, n)
	}
	for _, f := range r.Findings {
		s.t.Logf("%v %d %s", f.Harm, f.Count, f.Title)
		if f.Harm >= findings.Medium && !slices.Contains(may, f.ID) {
			s.t.Errorf("an alarm: %s", f.Title)
		}
	}
	if s.t.Failed() {
		s.tell()
	}
}

// TestQueriesAreCancelled: psql sends a CancelRequest over a connection of its own, which is never
// answered, and PostgreSQL sends its session SIGINT; then the session ends as always.
func TestQueriesAreCancelled(t *testing.T) {
	s := newScene(t, []string{"a"}, postgres, "psql")
	s.postgres("a", "127.0.0.1", 5432, "")
	for range 4 {
		c := s.command("a", "psql", "-h", "127.0.0.1", "-U", "postgres", "-qAt", "-c", "select pg_sleep(60)")
		if err := c.Start(); err != nil {
			t.Fatal(err)
		}
		s.await("the query runs", "ip", "netns", "exec", s.names["a"], "sh", "-c",
			"test $(psql -h 127.0.0.1 -U postgres -qAtc \"select count(*) from pg_stat_activity where query like 'select pg_sleep%' and state = 'active'\") = 1")
		if err := syscall.Kill(c.Process.Pid, syscall.SIGINT); err != nil {
			t.Fatal(err)
		}
		if err := c.Wait(); err == nil {
			t.Error("the query was not cancelled")
		}
	}
	if n := s.ends(func(t *model.Teardown) bool { return t.Process.Name == "postgres" && t.TCP.Bytes.Received.Is(16) }); n == 0 {
		t.Error("nobody saw a CancelRequest")
	}
	s.calm(8)
}

// idleSessions starts psql n times, asks once in each, and returns where more can be asked.
func (s *scene) idleSessions(n int) (inputs []io.WriteCloser) {
	s.t.Helper()
	for range n {
		c := s.command("a", "psql", "-h", "127.0.0.1", "-U", "postgres", "-qAt")
		in, err := c.StdinPipe()
		if err != nil {
			s.t.Fatal(err)
		}
		if err := c.Start(); err != nil {
			s.t.Fatal(err)
		}
		s.t.Cleanup(func() { in.Close(); _ = c.Wait() })
		_, _ = io.WriteString(in, "select 1;\n")
		inputs = append(inputs, in)
	}
	return inputs
}

// TestPoolSaysGoodbyeTooLate: the sessions were idle too long, PostgreSQL has closed them, and the
// pool that finds that out says Terminate. No request is lost by that.
func TestPoolSaysGoodbyeTooLate(t *testing.T) {
	s := newScene(t, []string{"a"}, postgres, "psql")
	s.postgres("a", "127.0.0.1", 5432, "-c idle_session_timeout=2000")
	sessions := s.idleSessions(4)
	s.sockets("a", "close-wait", 5432, len(sessions))
	for _, in := range sessions {
		_ = in.Close()
	}
	s.calm(4, "idle-timeout")
}

// TestHalfClosedStream: clients end their request by FIN (nc -N, socat) and read the answer for a
// while: the server has not forgotten to close.
func TestHalfClosedStream(t *testing.T) {
	const many = 4 // so many that wait are a leak
	s := newScene(t, []string{"a"}, "python3")
	s.start("a", "python3", s.file("stream.py", `import socket, threading, time
l = socket.create_server(('127.0.0.1', 7000))
def serve(c):
    c.send(b'220 ready')
    while c.recv(1000): pass
    for i in range(23):
        c.send(b'x' * 100); time.sleep(0.5)
    c.close()
while True:
    threading.Thread(target=serve, args=(l.accept()[0],)).start()
`))
	s.listening("a", 7000)
	for range many {
		c := s.dial("a", "127.0.0.1:7000")
		if text, err := ask(c, "all of it\n"); err != nil {
			t.Fatal(text, err)
		}
		time.Sleep(50 * time.Millisecond) // more than a jiffy
		if err := c.CloseWrite(); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { c.Close() })
		go func() { _, _ = io.Copy(io.Discard, c) }() // until the server has closed
	}
	s.calm(many)
}

// ends is how many of the scene's ends are as asked, once one is.
func (s *scene) ends(is func(*model.Teardown) bool) (n int) {
	for range 40 {
		shared.mutex.Lock()
		for i := range shared.records[s.from:] {
			if r := &shared.records[s.from+i]; r.Kind == model.KindTeardown && of(r, s.inodes) && is(&r.Teardown) {
				n++
			}
		}
		shared.mutex.Unlock()
		if n > 0 {
			return n
		}
		time.Sleep(250 * time.Millisecond)
	}
	return 0
}

// TestPoolSaysQuitTooLate is the same with Redis, whose clients' last words are QUIT.
func TestPoolSaysQuitTooLate(t *testing.T) {
	s := newScene(t, []string{"a"}, "redis-server")
	s.start("a", "redis-server", "--port", "6379", "--bind", "127.0.0.1", "--save", "", "--timeout", "2")
	s.listening("a", 6379)
	var pool []net.Conn
	for range 4 {
		c := s.dial("a", "127.0.0.1:6379")
		if text, err := ask(c, "PING\r\n"); err != nil {
			t.Fatal(text, err)
		}
		pool = append(pool, c)
	}
	s.closed(pool)
	for _, c := range pool {
		if _, err := io.WriteString(c, "*1\r\n$4\r\nQUIT\r\n"); err != nil {
			t.Fatal(err)
		}
		c.Close()
	}
	s.calm(4, "idle-timeout")
}

// TestReceiverOfLogsIsStopped: nobody waits for an answer of a server that has none.
func TestReceiverOfLogsIsStopped(t *testing.T) {
	s := newScene(t, []string{"a"}, "python3")
	server := s.start("a", "python3", s.file("log.py", `import socket, threading
l = socket.create_server(('127.0.0.1', 5140))
def take(c):
    while c.recv(4096): pass
while True:
    threading.Thread(target=take, args=(l.accept()[0],), daemon=True).start()
`))
	s.listening("a", 5140)
	var shippers []net.Conn
	for range 4 {
		shippers = append(shippers, s.dial("a", "127.0.0.1:5140"))
	}
	for range 20 {
		time.Sleep(100 * time.Millisecond)
		for _, c := range shippers {
			if _, err := io.WriteString(c, "<13>Nov 28 12:00:00 host app: all is well\n"); err != nil {
				t.Fatal(err)
			}
		}
	}
	s.must("kill", fmt.Sprint(server.Process.Pid))
	s.calm(4)
}
