package main

import (
	"encoding/json"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestRecordAbnormal: connections that this test counts itself are all in what is said of
// the recording, although nearly none has a line.
func TestRecordAbnormal(t *testing.T) {
	const connections = 500
	l := listen(t)
	r := startRecorder(t, t.TempDir(), nil, "--abnormal", "--port", portOf(l.Addr()))
	connect(t, l, connections, func() bool { return true })
	time.Sleep(100 * time.Millisecond) // the last acknowledgements
	r.Process.Signal(syscall.SIGTERM)
	if code := r.end(t); code != 0 {
		t.Fatalf("exit %d: %s", code, &r.errors)
	}
	r.files(t)
	file := filepath.Join(r.folder, "a.jsonl")
	run := func(args ...string) string {
		return runProgram(t, exec.Command(program(t), args...)).out
	}
	var s struct {
		Teardowns   uint64            `json:"teardowns"`
		OnlyCounted uint64            `json:"only_counted"`
		EventsLost  uint64            `json:"events_lost"`
		Verdicts    map[string]uint64 `json:"verdicts"`
		Processes   []struct {
			Process   string `json:"process"`
			Teardowns uint64 `json:"teardowns"`
		} `json:"processes"`
	}
	if err := json.Unmarshal([]byte(run("summary", "--json", file)), &s); err != nil {
		t.Fatal(err)
	}
	if s.Teardowns+s.EventsLost != 2*connections || s.Verdicts["graceful"] != s.Teardowns || s.OnlyCounted < connections {
		t.Errorf("summary: %+v, want %d graceful ends, nearly all only counted", s, 2*connections)
	}
	if len(s.Processes) != 1 || s.Processes[0].Process == "" || s.Processes[0].Teardowns != s.Teardowns {
		t.Errorf("summary: processes %+v, want one with a name and all ends", s.Processes)
	}
	if text := run("replay", file); !strings.Contains(text, "graceful, only counted") || !strings.Contains(text, "at port "+portOf(l.Addr())) {
		t.Errorf("replay says nothing of counts:\n%s", text)
	}
	if text := run("replay", "--verdict", "abortive", file); strings.Contains(text, "only counted") {
		t.Errorf("counts are no abortive ends:\n%s", text)
	}
	if text := run("diagnose", file); !strings.Contains(text, "only counted") {
		t.Errorf("diagnose does not say what was only counted:\n%s", text)
	}
}
