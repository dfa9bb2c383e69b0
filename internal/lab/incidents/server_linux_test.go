package incidents

import (
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/closetrace/closetrace/model"
)

// TestChildHoldsADescriptor: redis/redis#15145. A child that was forked for a snapshot holds
// the descriptor of a client whose connection the server has closed for its idle time: no FIN
// is sent until the child exits.
func TestChildHoldsADescriptor(t *testing.T) {
	s := newScene(t, []string{"a"}, "redis-server")
	s.start("a", "redis-server", "--port", "6390", "--bind", "127.0.0.1", "--save", "", "--dir", s.dir,
		"--rdb-key-save-delay", "4000", "--enable-debug-command", "yes")
	s.listening("a", 6390)
	admin, pool := s.dial("a", "127.0.0.1:6390"), s.dial("a", "127.0.0.1:6390")
	say := func(c interface {
		Write([]byte) (int, error)
	}, text string,
	) {
		_, _ = c.Write([]byte(text + "\r\n"))
	}
	for _, text := range []string{"DEBUG POPULATE 2000", "CONFIG SET timeout 1", "BGSAVE"} {
		if answer, err := ask(admin, text+"\r\n"); err != nil || strings.HasPrefix(answer, "-") {
			t.Fatal(text, answer, err)
		}
	}
	say(pool, "PING")
	for range 10 {
		time.Sleep(400 * time.Millisecond)
		if _, err := ask(admin, "PING\r\n"); err != nil {
			t.Fatal(err)
		}
	}
	say(pool, "PING") // nobody reads it
	for range 30 {
		if answer, _ := ask(admin, "INFO persistence\r\n"); strings.Contains(answer, "rdb_bgsave_in_progress:0") {
			break
		}
		time.Sleep(400 * time.Millisecond)
	}
	s.says("inherited-descriptor", "redis-server", "6 B")
}

// TestLingerBlocksAnEventLoop: cilium/proxy PR 1127. SO_LINGER is inherited from the listener,
// and close() of one slow client stops the loop for its time.
func TestLingerBlocksAnEventLoop(t *testing.T) {
	s := newScene(t, []string{"a"}, "python3")
	server := s.start("a", "python3", s.file("server.py", `import selectors, socket, struct
sel = selectors.DefaultSelector(); l = socket.create_server(('127.0.0.1', 7000)); l.setblocking(False)
l.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack('ii', 1, 3))
sel.register(l, 1)
while True:
    for k, _ in sel.select():
        if k.fileobj is l:
            s, _ = l.accept(); s.setblocking(False); sel.register(s, 1); continue
        s = k.fileobj; d = s.recv(999)
        if d.startswith(b'big'):
            try: s.send(b'x'*8000000)
            except BlockingIOError: pass
        if not d or d.startswith(b'big'): sel.unregister(s); s.close()
        else: s.send(b'pong')
`))
	s.listening("a", 7000)
	w := s.watched("a", server.Process.Pid)
	slow, quick := s.dial("a", "127.0.0.1:7000"), s.dial("a", "127.0.0.1:7000")
	_, _ = slow.Write([]byte("big"))
	time.Sleep(100 * time.Millisecond)
	began := time.Now()
	if _, err := ask(quick, "ping"); err != nil {
		t.Fatal(err)
	}
	if waited := time.Since(began); waited < 2*time.Second {
		t.Fatalf("the loop stood still for %v only", waited)
	}
	quick.Close()
	s.says("slow-close", "python3", "waited 3")
	slow.Close() // with unread data, which resets what close() has left
	w.check()
}

// TestWorkerOutOfMemory: patroni/patroni#1613. The OOM killer ends a worker in the middle of
// a request.
func TestWorkerOutOfMemory(t *testing.T) {
	s := newScene(t, []string{"a"}, "gunicorn", "curl")
	group, limit := memoryGroup(t)
	s.file("app.py", `x = []
def app(e, start):
    if e['PATH_INFO'] == '/big':
        for i in range(300): x.append(bytearray(b'a'*(1<<20)))
    start('200 OK', [('Content-Length', '3')]); return [b'ok\n']
`)
	if err := os.WriteFile(filepath.Join(group, limit), []byte("80M"), 0o644); err != nil {
		lacks(t, err.Error())
	}
	gunicorn := s.command("a", "gunicorn", "-w", "1", "-b", "127.0.0.1:8000", "app:app")
	s.launch(gunicorn, "sh", "-c", fmt.Sprintf("echo $$ > %s/cgroup.procs; exec %s", group, strings.Join(gunicorn.Args, " ")))
	s.listening("a", 8000)
	w := s.watched("a", s.worker(gunicorn))
	s.run("a", "curl", "-sS", "-m", "10", "http://127.0.0.1:8000/")
	s.found("the worker's first", func(t *model.Teardown) bool { return t.TCP.Role == model.Passive }) // its group is read while it lives
	s.run("a", "curl", "-sS", "-m", "40", "http://127.0.0.1:8000/big")
	f := s.says("process-killed", "gunicorn", "OOM killer", "1 request")
	if end := s.found("the killed worker's", func(t *model.Teardown) bool { return t.Closer.Signal == 9 }); !end.Closer.OOM.Is(true) || f.Confidence != model.Certain {
		t.Errorf("the group's counter: got %+v, %v", end.Closer, f.Confidence)
	}
	w.check()
}

// memoryGroup makes a control group that limits memory and returns the name of its limit.
func memoryGroup(t *testing.T) (path, limit string) {
	t.Helper()
	name := fmt.Sprintf("closetrace-incident-%d", os.Getpid())
	for _, c := range [][2]string{{"/sys/fs/cgroup/memory", "memory.limit_in_bytes"}, {"/sys/fs/cgroup", "memory.max"}} {
		path = filepath.Join(c[0], name)
		if os.Mkdir(path, 0o755) != nil {
			continue
		}
		t.Cleanup(func() {
			for range 50 {
				if os.Remove(path) == nil {
					return
				}
				time.Sleep(100 * time.Millisecond)
			}
		})
		if _, err := os.Stat(filepath.Join(path, c[1])); err == nil {
			return path, c[1]
		}
	}
	lacks(t, "no control group can limit memory")
	return "", ""
}

// TestServiceWithoutEndpoints: kubernetes/kubernetes#17359. The firewall on the way rejects with
// ICMP, which comes while connect() still runs.
func TestServiceWithoutEndpoints(t *testing.T) {
	s := newScene(t, []string{"a", "b"}, "nft", "curl")
	s.link("a", "10.8.5.1", "b", "10.8.5.2")
	s.run("a", "sysctl", "-qw", "net.ipv4.icmp_ratelimit=0")
	s.nft("a", "table ip t {\n chain o {\n type filter hook output priority 0;\n ip daddr 10.8.5.9 reject\n }\n}\n")
	w := s.watched("a", 0)
	s.run("a", "curl", "-sS", "-m", "5", "http://10.8.5.9/")
	if _, err := s.tryDial("a", "10.8.5.9:80"); err == nil {
		t.Fatal("the firewall let it through")
	}
	s.says("firewall-reject", "10.8.5.9 port 80")
	w.check()
}

func (s *scene) nft(ns, rules string) {
	s.t.Helper()
	c := exec.Command("ip", "netns", "exec", s.names[ns], "nft", "-f", "-")
	c.Stdin = strings.NewReader(rules)
	if out, err := c.CombinedOutput(); err != nil {
		s.t.Fatalf("nft: %v\n%s", err, out)
	}
}

// TestAcceptQueueIsFull: benoitc/gunicorn#2241. The server does not accept, its queue is full, and
// tcp_abort_on_overflow resets those whose last ACK comes too late.
func TestAcceptQueueIsFull(t *testing.T) {
	s := newScene(t, []string{"client", "server"}, "redis-server", "nft")
	s.link("client", "10.12.0.1", "server", "10.12.0.2")
	s.run("server", "sysctl", "-qw", "net.ipv4.tcp_abort_on_overflow=1")
	s.start("server", "redis-server", "--port", "6391", "--bind", "10.12.0.2", "--protected-mode", "no", "--save", "",
		"--tcp-backlog", "4", "--enable-debug-command", "yes")
	s.listening("server", 6391)
	s.dial("client", "10.12.0.2:6391").Close() // counters are read where something has ended
	time.Sleep(2500 * time.Millisecond)
	admin := s.dial("client", "10.12.0.2:6391")
	_, _ = admin.Write([]byte("DEBUG SLEEP 5\r\n"))
	time.Sleep(300 * time.Millisecond)
	for range 3 {
		s.dial("client", "10.12.0.2:6391")
	}
	// SYN-ACKs are on a long way for half a second.
	s.nft("client", "table ip t {\n chain i {\n type filter hook input priority 0;\n tcp sport 6391 tcp flags & (syn|ack) == syn|ack drop\n }\n}\n")
	ended := make(chan error, 5)
	for range 5 {
		go func() {
			c, err := s.tryDial("client", "10.12.0.2:6391")
			if err == nil {
				_, err = ask(c, "PING\r\n")
				c.Close()
			}
			ended <- err
		}()
	}
	time.Sleep(500 * time.Millisecond)
	s.nft("client", "flush ruleset")
	for range 5 {
		<-ended
	}
	if !s.counted() {
		lacks(t, "this tracer reports no counters")
	}
	s.says("accept-queue-overflow", "overflow")
}

const postgres = "/usr/lib/postgresql/15/bin/postgres"

// postgres starts a database that trusts everybody.
func (s *scene) postgres(ns, address string, port int, options string) {
	s.t.Helper()
	data := s.dir + "/pg"
	if err := os.Mkdir(data, 0o700); err != nil {
		s.t.Fatal(err)
	}
	s.must("chown", "postgres", data)
	s.must("chmod", "777", s.dir)
	s.must("su", "postgres", "-s", "/bin/sh", "-c", "/usr/lib/postgresql/15/bin/initdb -D "+data+" -A trust")
	s.must("sh", "-c", "echo 'host all all "+address+"/24 trust' >> "+data+"/pg_hba.conf")
	s.start(ns, "su", "postgres", "-s", "/bin/sh", "-c", fmt.Sprintf("exec %s -D %s -p %d -c listen_addresses=%s -c unix_socket_directories= %s", postgres, data, port, address, options))
	s.listening(ns, port)
}

// TestPathIsDown: pgbouncer/pgbouncer#138. The path to the database is down; keep-alive probes and
// retransmissions run out.
func TestPathIsDown(t *testing.T) {
	s := newScene(t, []string{"a", "b"}, "nft", "pgbouncer", postgres, "psql")
	deviceA, deviceB := s.link("a", "10.15.0.1", "b", "10.15.0.2")
	s.run("a", "sysctl", "-qw", "net.ipv4.tcp_retries2=4")
	s.postgres("b", "10.15.0.2", 5455, "-c tcp_keepalives_idle=2 -c tcp_keepalives_interval=1 -c tcp_keepalives_count=3")
	s.start("a", "su", "postgres", "-s", "/bin/sh", "-c", "exec pgbouncer "+s.file("pgb.ini", `[databases]
t = host=10.15.0.2 port=5455 user=postgres dbname=postgres
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = 6432
unix_socket_dir =
auth_type = any
pool_mode = session
`))
	s.listening("a", 6432)
	// Two sessions: one will be idle, the other asks when the path is down.
	var sessions [2]io.WriteCloser
	for i := range sessions {
		client := s.command("a", "psql", "-h", "127.0.0.1", "-p", "6432", "-U", "postgres", "t")
		var err error
		if sessions[i], err = client.StdinPipe(); err != nil {
			t.Fatal(err)
		}
		if err := client.Start(); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = client.Process.Kill(); _ = client.Wait() })
		_, _ = io.WriteString(sessions[i], "select 1;\n")
	}
	time.Sleep(1500 * time.Millisecond)
	for ns, device := range map[string]string{"a": deviceA, "b": deviceB} {
		s.nft(ns, fmt.Sprintf("table netdev t {\n chain i {\n type filter hook ingress device %s priority 0;\n drop\n }\n}\n", device))
	}
	_, _ = io.WriteString(sessions[1], "select 2;\n")
	time.Sleep(10 * time.Second) // keep-alive: 2 s and 3 probes
	s.which = func(r *model.Record) bool {
		return r.Kind == model.KindTeardown && (r.Teardown.Network.Local.Port == 5455 || r.Teardown.Network.Peer.Port == 5455)
	}
	s.says("path-dead", "10.15.0.")
}

// TestBlackHole: passteque/gluetun#1989. Full-size segments never arrive behind a tunnel whose ICMP
// is filtered.
func TestBlackHole(t *testing.T) {
	s := newScene(t, []string{"c", "x", "y", "s"}, "nginx", "nft", "curl", "ethtool")
	c0, _ := s.link("c", "10.16.1.2", "x", "10.16.1.1")
	x1, y0 := s.link("x", "10.16.9.1", "y", "10.16.9.2")
	_, s0 := s.link("y", "10.16.2.1", "s", "10.16.2.2")
	s.must("ip", "-n", s.names["x"], "link", "set", x1, "mtu", "1300")
	s.must("ip", "-n", s.names["y"], "link", "set", y0, "mtu", "1300")
	for _, r := range [][3]string{{"c", "default", "10.16.1.1"}, {"s", "default", "10.16.2.1"}, {"x", "10.16.2.0/24", "10.16.9.2"}, {"y", "10.16.1.0/24", "10.16.9.1"}} {
		s.must("ip", "-n", s.names[r[0]], "route", "add", r[1], "via", r[2])
	}
	for _, ns := range []string{"x", "y"} {
		s.run(ns, "sysctl", "-qw", "net.ipv4.ip_forward=1")
		s.nft(ns, "table ip t {\n chain o {\n type filter hook output priority 0;\n ip protocol icmp drop\n }\n}\n")
	}
	for ns, device := range map[string]string{"c": c0, "s": s0} {
		s.run(ns, "sysctl", "-qw", "net.ipv4.tcp_retries2=4")
		s.run(ns, "ethtool", "-K", device, "gso", "off", "tso", "off", "gro", "off")
	}
	s.file("www/small", "small")
	s.file("www/big", strings.Repeat("x", 200_000))
	s.nginx("s", "server{ listen 10.16.2.2:80; root $DIR/www; }", 80)
	s.run("c", "curl", "-sS", "-m", "5", "http://10.16.2.2/small")
	s.run("c", "curl", "-sS", "-m", "20", "-o", "/dev/null", "http://10.16.2.2/big")
	s.says("mtu-black-hole", "nginx", "10.16.1.2")
}
