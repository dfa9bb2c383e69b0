package main

import (
	"bytes"
	"encoding/json"
	"net"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/closetrace/closetrace/internal/record/recordtest"
)

// recorder is a recording that runs.
type recorder struct {
	*exec.Cmd
	folder string
	errors bytes.Buffer
}

// startRecorder records into folder/a.jsonl; prepare may change the command.
// It returns when the recording is live.
func startRecorder(t *testing.T, folder string, prepare func(*exec.Cmd), args ...string) *recorder {
	t.Helper()
	needCapabilities(t)
	r := &recorder{folder: folder}
	path := filepath.Join(folder, "a.jsonl")
	r.Cmd = exec.Command(program(t), append([]string{"record", "-o", path}, args...)...)
	r.Stderr = &r.errors
	if prepare != nil {
		prepare(r.Cmd)
	}
	// An ignored signal stays ignored in a new program, and the tests may run under
	// nohup; a handled one does not.
	hangup := make(chan os.Signal, 1)
	signal.Notify(hangup, syscall.SIGHUP)
	defer signal.Stop(hangup)
	if err := r.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.Process.Kill(); r.Wait() })
	r.until(t, func() bool {
		info, err := os.Stat(path)
		return err == nil && info.Size() > 0
	})
	return r
}

// until waits for something that the recording does.
func (r *recorder) until(t *testing.T, done func() bool) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); !done(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("nothing happens for a minute: %s", &r.errors)
		}
	}
}

// end waits for the end and returns the exit code.
func (r *recorder) end(t *testing.T) int {
	t.Helper()
	timer := time.AfterFunc(time.Minute, func() { r.Process.Kill() })
	defer timer.Stop()
	r.Wait()
	return r.ProcessState.ExitCode()
}

// files returns the files of the folder, each checked against the schema, with
// the reason of its stop line, or "" if it has none.
func (r *recorder) files(t *testing.T) map[string]string {
	t.Helper()
	reasons := map[string]string{}
	names, err := filepath.Glob(filepath.Join(r.folder, "*.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		data, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := recordtest.Check(bytes.NewReader(data)); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		lines := bytes.Split(bytes.TrimSpace(data), []byte("\n"))
		var first, last struct{ Kind, Reason string }
		json.Unmarshal(lines[0], &first)
		json.Unmarshal(lines[len(lines)-1], &last)
		if first.Kind != "start" {
			t.Errorf("%s begins with %q", name, first.Kind)
		}
		reasons[filepath.Base(name)] = last.Reason
	}
	return reasons
}

// listen returns a listener of this test.
func listen(t *testing.T) net.Listener {
	t.Helper()
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l
}

// connect makes n connections, and more until done.
func connect(t *testing.T, l net.Listener, n int, done func() bool) {
	t.Helper()
	for i := 0; i < n || !done(); i++ {
		client, err := net.Dial("tcp4", l.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		server, err := l.Accept()
		if err != nil {
			t.Fatal(err)
		}
		client.Close()
		server.Close()
	}
}

// TestRotationUnderLoad: each connection is in one of the files, once.
func TestRotationUnderLoad(t *testing.T) {
	const connections = 3000
	l := listen(t)
	r := startRecorder(t, t.TempDir(), nil, "--rotate-size", "50KB", "--filter", "network.peer.port=="+portOf(l.Addr()))
	connect(t, l, connections, func() bool { return true })
	r.Process.Signal(syscall.SIGTERM)
	if code := r.end(t); code != 0 {
		t.Errorf("exit %d: %s", code, &r.errors)
	}
	seen := map[string]int{}
	files := r.files(t)
	for name, reason := range files {
		if want := map[bool]string{true: "signal", false: "rotate"}[name == "a.jsonl"]; reason != want {
			t.Errorf("%s ends with %q, want %q", name, reason, want)
		}
		data, err := os.ReadFile(filepath.Join(r.folder, name))
		if err != nil {
			t.Fatal(err)
		}
		for line := range bytes.Lines(data) {
			var record struct{ Kind, ID string }
			if json.Unmarshal(line, &record); record.Kind == "teardown" {
				seen[record.ID]++
			}
		}
	}
	if len(files) < 10 {
		t.Errorf("got %d files, want many", len(files))
	}
	for id, n := range seen {
		if n > 1 {
			t.Errorf("teardown %s is there %d times", id, n)
		}
	}
	if len(seen) != connections {
		t.Errorf("got %d teardowns, want %d", len(seen), connections)
	}
}

// TestRecordChooses: of connections to two ports, only the chosen ones are recorded; the
// start line says what was chosen.
func TestRecordChooses(t *testing.T) {
	const connections = 20
	wanted, other := listen(t), listen(t)
	port := portOf(wanted.Addr())
	for _, c := range []struct {
		args   []string
		filter string
		want   int // ends
	}{
		{[]string{"--port", port}, "(network.local.port == PORT || network.peer.port == PORT)", 2 * connections},
		{[]string{"--port", port, "--filter", "network.peer.port == " + port}, "(network.local.port == PORT || network.peer.port == PORT) && (network.peer.port == PORT)", connections},
		{[]string{"--port", port, "--netns", "1"}, "(network.local.port == PORT || network.peer.port == PORT) && network.netns == 1", 0},
	} {
		r := startRecorder(t, t.TempDir(), nil, c.args...)
		for range connections {
			connect(t, wanted, 1, func() bool { return true })
			connect(t, other, 1, func() bool { return true })
		}
		r.Process.Signal(syscall.SIGTERM)
		if code := r.end(t); code != 0 {
			t.Errorf("exit %d: %s", code, &r.errors)
		}
		data, err := os.ReadFile(filepath.Join(r.folder, "a.jsonl"))
		if err != nil {
			t.Fatal(err)
		}
		if first, _, _ := bytes.Cut(data, []byte("\n")); !strings.Contains(string(first), `"filter":"`+strings.ReplaceAll(c.filter, "PORT", port)+`"`) {
			t.Errorf("%s: got the start line %s, want the filter %s", c.args, first, c.filter)
		}
		if got := bytes.Count(data, []byte(`{"kind":"teardown"`)); got != c.want {
			t.Errorf("%s: got %d ends, want %d", c.args, got, c.want)
		}
	}
}

// TestRecordFaults: what a user sees when the file can't be written any more.
func TestRecordFaults(t *testing.T) {
	needCapabilities(t)
	for _, c := range []struct {
		name string
		size string // of the file system
		ruin func(*testing.T, *recorder)
		says string
	}{
		{"a full disk", "128k", func(t *testing.T, r *recorder) {
			connect(t, listen(t), 300, func() bool { return unix.Kill(r.Process.Pid, 0) != nil || full(r.folder) })
		}, "no space left on device: free some space or write to another disk; record --max-size bounds a recording\n"},
		{"a folder that is removed", "64m", func(t *testing.T, r *recorder) {
			if err := os.Remove(filepath.Join(r.folder, "a.jsonl")); err != nil {
				t.Fatal(err)
			}
		}, "recording was removed while it was written: "},
	} {
		t.Run(c.name, func(t *testing.T) {
			folder := t.TempDir()
			if err := unix.Mount("tmpfs", folder, "tmpfs", 0, "size="+c.size); err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { unix.Unmount(folder, unix.MNT_DETACH) })
			r := startRecorder(t, folder, nil)
			c.ruin(t, r)
			if code := r.end(t); code != exitRuntime {
				t.Errorf("exit %d, want %d", code, exitRuntime)
			}
			lines := strings.Split(strings.TrimSpace(r.errors.String()), "\n")
			last := lines[len(lines)-1] + "\n"
			if !strings.HasPrefix(last, "closetrace: ") || strings.Count(last, c.says) != 1 || strings.Contains(last, `\n`) {
				t.Errorf("standard error ends with %q, want %q once, on one line", last, c.says)
			}
			r.files(t)
		})
	}
}

// full reports whether the file system of a folder has no page left.
func full(folder string) bool {
	var s unix.Statfs_t
	return unix.Statfs(folder, &s) == nil && s.Bavail == 0
}
