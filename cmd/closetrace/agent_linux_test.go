package main

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// systemd is the socket to which a service reports its state.
type systemd struct {
	mu   sync.Mutex
	said []string
}

func newSystemd(t *testing.T) (*systemd, string) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "notify")
	c, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	s := &systemd{}
	var done sync.WaitGroup
	done.Go(func() {
		b := make([]byte, 4096)
		for {
			n, err := c.Read(b)
			if err != nil {
				return
			}
			s.mu.Lock()
			s.said = append(s.said, strings.Fields(string(b[:n]))...)
			s.mu.Unlock()
		}
	})
	t.Cleanup(func() { c.Close(); done.Wait() })
	return s, path
}

func (s *systemd) heard(what string) (times int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, one := range s.said {
		if one == what {
			times++
		}
	}
	return times
}

// resetBy makes a connection to itself that is reset with SO_LINGER {1, 0}.
func resetBy(t *testing.T) (port int) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	c, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	other, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	if err := c.(*net.TCPConn).SetLinger(0); err != nil {
		t.Fatal(err)
	}
	c.Close()
	return l.Addr().(*net.TCPAddr).Port
}

// sample is the value of the only series that matches, 0 if there is none.
func sample(t *testing.T, address, pattern string) float64 {
	t.Helper()
	answer, err := http.Get("http://" + address + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	m := regexp.MustCompile(`(?m)^` + pattern + ` ([0-9.e+]+)$`).FindSubmatch(body)
	if m == nil {
		return 0
	}
	n, err := strconv.ParseFloat(string(m[1]), 64)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// TestAgentService: the agent reports that it is ready and alive, counts, and on SIGHUP
// takes the new filter without a restart, whether a flag or a variable names the file. A
// wrong file changes nothing.
func TestAgentService(t *testing.T) {
	needCapabilities(t)
	t.Run("flag", func(t *testing.T) {
		checkService(t, func(config string) (args, environ []string) { return []string{"--config", config}, nil })
	})
	t.Run("variable", func(t *testing.T) {
		checkService(t, func(config string) (args, environ []string) { return nil, []string{variable("config") + "=" + config} })
	})
}

func checkService(t *testing.T, named func(config string) (args, environ []string)) {
	t.Helper()
	manager, socket := newSystemd(t)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := l.Addr().String()
	l.Close()
	config := filepath.Join(t.TempDir(), "agent.yaml")
	write := func(text string) {
		t.Helper()
		if err := os.WriteFile(config, []byte("metrics-listen: "+address+"\n"+text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("cause: [linger-zero]\n")
	signal.Notify(make(chan os.Signal, 1), syscall.SIGHUP) // under nohup, the agent would ignore it
	defer signal.Reset(syscall.SIGHUP)
	var errors bytes.Buffer
	args, environ := named(config)
	c := exec.Command(program(t), append([]string{"agent"}, args...)...)
	c.Stderr = &errors
	c.Env = append(append(os.Environ(), "NOTIFY_SOCKET="+socket, "WATCHDOG_USEC=2000000"), environ...)
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Process.Kill(); c.Wait() })
	until := func(what string, holds func() bool) {
		t.Helper()
		for deadline := time.Now().Add(time.Minute); !holds(); time.Sleep(20 * time.Millisecond) {
			if time.Now().After(deadline) {
				t.Fatalf("%s: not within a minute", what)
			}
		}
	}
	count := func(cause string, port int) float64 {
		return sample(t, address, fmt.Sprintf(`closetrace_connections_ended_total\{cause=%q,port="%d",.*\}`, cause, port))
	}
	until("READY", func() bool { return manager.heard("READY=1") == 1 })
	port := resetBy(t)
	until("the reset is counted", func() bool { return count("linger-zero", port) == 1 })
	if got := count("peer-reset", port); got != 0 {
		t.Errorf("the filter let %v through", got)
	}
	until("WATCHDOG", func() bool { return manager.heard("WATCHDOG=1") > 0 })

	write("cause: [peer-reset]\n")
	c.Process.Signal(syscall.SIGHUP)
	until("READY again", func() bool { return manager.heard("READY=1") == 2 && manager.heard("RELOADING=1") == 1 })
	port = resetBy(t)
	until("the new filter", func() bool { return count("peer-reset", port) == 1 })

	write("cause: [nonsense]\n")
	c.Process.Signal(syscall.SIGHUP)
	until("READY a third time", func() bool { return manager.heard("READY=1") == 3 })
	port = resetBy(t)
	until("the old filter goes on", func() bool { return count("peer-reset", port) == 1 })
	if got := sample(t, address, `closetrace_bpf_run_seconds_total`); got <= 0 {
		t.Errorf("run time of the programs is %v", got)
	}

	_, own, _ := net.SplitHostPort(address)
	if got := sample(t, address, `closetrace_listener_backlog\{port="`+own+`"\}`); got <= 0 {
		t.Errorf("the backlog of the agent's own listener is %v", got)
	}

	c.Process.Signal(syscall.SIGTERM)
	if err := c.Wait(); err != nil {
		t.Errorf("%v: %s", err, &errors)
	}
	if !strings.Contains(errors.String(), "not reloaded, and tracing goes on as before: ") || manager.heard("STOPPING=1") != 1 {
		t.Errorf("said %q", &errors)
	}
}
