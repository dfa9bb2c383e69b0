//go:build linux

package tracer_test

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/closetrace/closetrace/model"
	"github.com/closetrace/closetrace/tracer"
)

// postgres starts a server of its own on loopback; it returns its port and the PID of
// the postmaster, and psql with what reaches it.
func postgres(t *testing.T) (port, postmaster int, psql func(sql string) *exec.Cmd) {
	t.Helper()
	found, _ := filepath.Glob("/usr/lib/postgresql/*/bin/postgres")
	account, err := user.Lookup("postgres")
	client, clientErr := exec.LookPath("psql")
	if len(found) == 0 || err != nil || clientErr != nil {
		if required("servers") {
			t.Fatal("postgresql is not installed")
		}
		t.Skip("postgresql is not installed")
	}
	uid, _ := strconv.Atoi(account.Uid)
	gid, _ := strconv.Atoi(account.Gid)
	dir, err := os.MkdirTemp("/tmp", "closetrace-postgres-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	if err := os.Chown(dir, uid, gid); err != nil {
		t.Fatal(err)
	}
	as := func(program string, arguments ...string) *exec.Cmd {
		cmd := exec.Command(program, arguments...)
		cmd.Dir = dir
		cmd.Env = []string{"PATH=/usr/bin:/bin", "LC_ALL=C", "HOME=" + dir}
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}}
		return cmd
	}
	bin := filepath.Dir(found[len(found)-1])
	if text, err := as(filepath.Join(bin, "initdb"), "-D", dir+"/db", "-A", "trust", "-N").CombinedOutput(); err != nil {
		t.Fatalf("initdb: %v\n%s", err, text)
	}
	port = freePort(t)
	server := as(filepath.Join(bin, "postgres"), "-D", dir+"/db", "-p", strconv.Itoa(port), "-c", "listen_addresses=127.0.0.1",
		"-c", "unix_socket_directories=", "-c", "fsync=off")
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = server.Process.Signal(syscall.SIGQUIT)
		_ = server.Wait()
	})
	psql = func(sql string) *exec.Cmd {
		return as(client, "-X", "-A", "-t", "-h", "127.0.0.1", "-p", strconv.Itoa(port), "-d", "postgres", "-c", sql)
	}
	for range 200 {
		if psql("select 1").Run() == nil {
			return port, server.Process.Pid, psql
		}
		time.Sleep(50 * time.Millisecond)
	}
	t.Fatal("postgres does not answer")
	return 0, 0, nil
}

func freePort(t *testing.T) int {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port
}

// TestPostgresOwner: the owner of a session's connection is its backend, as the server
// itself reports (pg_backend_pid), and the acceptor is the postmaster; whether the client
// ends it, the server (pg_terminate_backend), or a client that is killed.
func TestPostgresOwner(t *testing.T) {
	requireRoot(t)
	port, postmaster, psql := postgres(t)
	tr := open(t, tracer.Options{Port: uint16(port)})
	backends := map[int]string{}
	records := collect(t, tr, func() {
		ask := func(how, sql string) {
			text, _ := psql(sql).Output()
			pid, err := strconv.Atoi(strings.TrimSpace(strings.SplitN(string(text), "\n", 2)[0]))
			if err != nil {
				t.Errorf("%s: %q: %v", how, text, err)
				return
			}
			backends[pid] = how
		}
		for i := range 3 {
			ask(fmt.Sprintf("client %d", i), "select pg_backend_pid()")
		}
		sleeper := psql("select pg_sleep(60)")
		if err := sleeper.Start(); err != nil {
			t.Error(err)
			return
		}
		const running = "from pg_stat_activity where query = 'select pg_sleep(60)'"
		var pid int
		for range 100 {
			text, _ := psql("select pid " + running).Output()
			if pid, _ = strconv.Atoi(strings.TrimSpace(string(text))); pid != 0 {
				break
			}
			time.Sleep(20 * time.Millisecond)
		}
		backends[pid] = "terminated"
		_ = psql("select pg_terminate_backend(pid) " + running).Run()
		_ = sleeper.Wait()
		time.Sleep(200 * time.Millisecond)
	})
	told := 0
	for _, r := range records {
		d := &r.Teardown
		if r.Kind != model.KindTeardown || int(d.Network.Local.Port) != port {
			continue
		}
		if d.Process.PID == postmaster || d.Process.PID == 0 {
			t.Errorf("a session is of %+v, the postmaster is %d", d.Process, postmaster)
		}
		if d.Acceptor.PID != postmaster || d.Acceptor.Name != "postgres" || d.Process.Name != "postgres" {
			t.Errorf("accepted by %+v, want the postmaster, %d", d.Acceptor, postmaster)
		}
		if how := backends[d.Process.PID]; how != "" {
			told++
			t.Logf("%s: %v %v, owner %+v, closer %+v", how, d.Verdict, d.Cause, d.Process, d.Closer)
			delete(backends, d.Process.PID)
		}
	}
	if told < 4 || len(backends) > 0 {
		t.Errorf("%d sessions are told with the backend that served them; missing %v", told, backends)
	}
}
