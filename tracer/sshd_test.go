//go:build linux

package tracer_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/closetrace/closetrace/internal/lab/sourcetest"
	"github.com/closetrace/closetrace/model"
	"github.com/closetrace/closetrace/tracer"
)

// sshd starts a server of its own on loopback, with keys that only the test has; it
// returns its port and PID, and an ssh that logs in to it as root.
func sshd(t *testing.T) (port, server int, ssh func(command string) *exec.Cmd) {
	t.Helper()
	programs := map[string]string{}
	for _, name := range []string{"sshd", "ssh", "ssh-keygen"} {
		path, err := sourcetest.Find(name)
		if err != nil && required("servers") {
			t.Fatal(err)
		}
		if err != nil {
			t.Skip(err)
		}
		programs[name] = path
	}
	if err := os.MkdirAll("/run/sshd", 0o755); err != nil { // the chroot of its child before the login
		t.Fatal(err)
	}
	dir := t.TempDir()
	for _, key := range []string{"host", "user"} {
		path := filepath.Join(dir, key)
		if text, err := exec.Command(programs["ssh-keygen"], "-q", "-t", "ed25519", "-N", "", "-f", path).CombinedOutput(); err != nil {
			t.Fatalf("ssh-keygen: %v\n%s", err, text)
		}
	}
	port = freePort(t)
	config := fmt.Sprintf("Port %d\nListenAddress 127.0.0.1\nHostKey %[2]s/host\nAuthorizedKeysFile %[2]s/user.pub\n"+
		"StrictModes no\nPermitRootLogin prohibit-password\nPidFile none\nUsePAM no\n", port, dir)
	if err := os.WriteFile(dir+"/config", []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	listening := exec.Command(programs["sshd"], "-D", "-f", dir+"/config", "-E", dir+"/log")
	if err := listening.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = listening.Process.Kill()
		_ = listening.Wait()
		if t.Failed() {
			text, _ := os.ReadFile(dir + "/log")
			t.Logf("sshd: %s", text)
		}
	})
	ssh = func(command string) *exec.Cmd {
		return exec.Command(programs["ssh"], "-F", "none", "-i", dir+"/user", "-p", strconv.Itoa(port), "-o", "BatchMode=yes",
			"-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null", "-o", "LogLevel=ERROR", "root@127.0.0.1", command)
	}
	for range 200 {
		if ssh("true").Run() == nil {
			return port, listening.Process.Pid, ssh
		}
		time.Sleep(50 * time.Millisecond)
	}
	t.Fatal("sshd does not answer")
	return 0, 0, nil
}

// TestSSHOwner: the owner of a session's connection is the child of sshd that speaks
// with the client, which is the parent of the shell that it starts; the acceptor is
// the sshd that listens. Whether the client ends the session, or the child is killed.
func TestSSHOwner(t *testing.T) {
	requireRoot(t)
	port, listening, ssh := sshd(t)
	tr := open(t, tracer.Options{Port: uint16(port)})
	sessions := map[int]string{}
	records := collect(t, tr, func() {
		for how, after := range map[string]string{"the client ends it": "", "its child is killed": "; sleep 0.3; kill -9 $PPID"} {
			text, _ := ssh("echo $SSH_CONNECTION $PPID" + after).Output()
			words := strings.Fields(string(text))
			if len(words) != 5 {
				t.Errorf("%s: the session says %q", how, text)
				continue
			}
			pid, _ := strconv.Atoi(words[4])
			sessions[pid] = how + ", from port " + words[1]
		}
		time.Sleep(200 * time.Millisecond)
	})
	for i := range records {
		r := &records[i]
		d := &r.Teardown
		if r.Kind != model.KindTeardown || int(d.Network.Local.Port) != port {
			continue
		}
		how := sessions[d.Process.PID]
		if !strings.HasSuffix(how, fmt.Sprintf(" %d", d.Network.Peer.Port)) {
			t.Errorf("the session from port %d is of %+v, want one of %v", d.Network.Peer.Port, d.Process, sessions)
		}
		if d.Acceptor.PID != listening || d.Acceptor.Name != "sshd" || d.Process.Name != "sshd" {
			t.Errorf("%s: of %+v, accepted by %+v, want the sshd that listens, %d", how, d.Process, d.Acceptor, listening)
		}
		t.Logf("%s: %v %v, owner %+v, closer %+v", how, d.Verdict, d.Cause, d.Process, d.Closer)
		delete(sessions, d.Process.PID)
	}
	if len(sessions) > 0 {
		t.Errorf("no end is told of %v", sessions)
	}
}
