package main

import (
	"bufio"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/closetrace/closetrace/internal/procstat"
)

// TestStopTellsCost compares what the stop line says of the trace's cost with what the
// kernel says of the same process from outside: its accounting (/proc/PID/stat, wait4),
// and run times and memory of its programs and maps (/proc/PID/fdinfo).
func TestStopTellsCost(t *testing.T) {
	folder, l := t.TempDir(), listen(t)
	r := startRecorder(t, folder, nil, "--port", portOf(l.Addr())) // what else the host does is not checked line by line
	before, began := accountOf(t, r.Process.Pid), time.Now()
	const connections = 2000
	connect(t, l, connections, func() bool { return true })
	time.Sleep(300 * time.Millisecond) // what is late has been delivered
	after := accountOf(t, r.Process.Pid)
	if err := r.Process.Signal(unix.SIGINT); err != nil {
		t.Fatal(err)
	}
	if code := r.end(t); code != exitOK {
		t.Fatalf("exit %d: %s", code, r.errors.String())
	}
	took := time.Since(began)
	c := stopCost(t, r)
	t.Logf("%+v\nbefore %+v\nafter %+v", *c, before, after)
	between := func(what string, got, low, high float64) {
		t.Helper()
		if got < low || got > high {
			t.Errorf("%s %.4g, want from %.4g to %.4g", what, got, low, high)
		}
	}
	// All but the end is in both; a tick is 10 ms, and what else the host does goes on.
	all := r.ProcessState.UserTime() + r.ProcessState.SystemTime()
	between("CPU time in s", c.CPU.Seconds(), (after.cpu-before.cpu).Seconds()-0.03, (all-before.cpu).Seconds()+0.05)
	between("duration in s", c.Duration.Seconds(), took.Seconds()-1, took.Seconds()+2)
	between("ends", float64(c.Ends), 2*connections, 2*connections)
	between("BPF run time in s", c.BPF.Seconds(), (after.bpf - before.bpf).Seconds(), 1.5*after.bpf.Seconds()+0.01)
	between("BPF runs", float64(c.Runs), float64(after.runs-before.runs), 1.5*float64(after.runs)+1000)
	between("BPF seconds", c.BPFDuration.Seconds(), 0, c.Duration.Seconds())
	between("BPF ends", float64(c.BPFEnds), float64(c.Ends), float64(c.Ends))
	between("bytes of maps", float64(c.Maps), 0.9*float64(before.maps), 1.1*float64(before.maps))
	between("bytes of memory", float64(c.Memory), 0.5*float64(after.memory), 2*float64(after.memory))
	if after.runs-before.runs < 2*connections || c.BPF <= 0 {
		t.Errorf("programs ran %d times: the witness has not seen the connections", after.runs-before.runs)
	}
}

// stop is what the last line of a recording says of the cost.
type stop struct {
	Duration    time.Duration `json:"duration_ns"`
	Ends        uint64        `json:"ends"`
	CPU         time.Duration `json:"cpu_ns"`
	BPF         time.Duration `json:"bpf_ns"`
	Runs        uint64        `json:"bpf_runs"`
	BPFDuration time.Duration `json:"bpf_duration_ns"`
	BPFEnds     uint64        `json:"bpf_ends"`
	Maps        uint64        `json:"maps_bytes"`
	Memory      uint64        `json:"memory_bytes"`
}

func stopCost(t *testing.T, r *recorder) *stop {
	t.Helper()
	r.files(t) // fit the schema
	text, err := os.ReadFile(filepath.Join(r.folder, "a.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(string(text)), "\n")
	var last struct {
		Cost stop `json:"cost"`
	}
	if err := json.Unmarshal([]byte(lines[len(lines)-1]), &last); err != nil {
		t.Fatal(err)
	}
	return &last.Cost
}

// TestMeasuringEnds: the kernel measures BPF programs, which makes all of the host slower,
// until it has seen some ends; the rest of the trace does without.
func TestMeasuringEnds(t *testing.T) {
	if testing.Short() {
		t.Skip("takes some seconds")
	}
	folder, l := t.TempDir(), listen(t)
	r := startRecorder(t, folder, nil, "--port", portOf(l.Addr()))
	if !measures(t, r.Process.Pid) {
		t.Fatal("the kernel does not measure at the beginning")
	}
	connections := 0
	for ; measures(t, r.Process.Pid); connections += 1000 {
		if connections == 50_000 {
			t.Fatalf("the kernel still measures after %d connections", connections)
		}
		connect(t, l, 1000, func() bool { return true })
		time.Sleep(2 * measureLook)
	}
	const more = 1000
	connect(t, l, more, func() bool { return true })
	if err := r.Process.Signal(unix.SIGINT); err != nil {
		t.Fatal(err)
	}
	if code := r.end(t); code != exitOK {
		t.Fatalf("exit %d: %s", code, r.errors.String())
	}
	c := stopCost(t, r)
	if most := uint64(2 * connections); c.BPFEnds == 0 || c.BPFEnds > most {
		t.Errorf("%d ends were measured, want some of the first %d", c.BPFEnds, most)
	}
	if want := uint64(2 * (connections + more)); c.Ends != want {
		t.Errorf("%d ends, want %d", c.Ends, want)
	}
}

// measures reports whether a process has the kernel measure (bpf_enable_runtime_stats).
func measures(t *testing.T, pid int) bool {
	t.Helper()
	descriptors, err := filepath.Glob(filepath.Join("/proc", strconv.Itoa(pid), "fd", "*"))
	if err != nil || len(descriptors) == 0 {
		t.Fatalf("no descriptors of %d: %v", pid, err)
	}
	return slices.ContainsFunc(descriptors, func(path string) bool {
		to, _ := os.Readlink(path)
		return strings.Contains(to, "bpf-stats")
	})
}

// account is what the kernel says of a process and of its BPF programs and maps.
type account struct {
	cpu, bpf           time.Duration
	runs, maps, memory uint64
}

func accountOf(t *testing.T, pid int) (a account) {
	t.Helper()
	proc := filepath.Join("/proc", strconv.Itoa(pid))
	text, err := os.ReadFile(filepath.Join(proc, "stat"))
	if err != nil {
		t.Fatal(err)
	}
	fields := strings.Fields(string(text[strings.LastIndexByte(string(text), ')')+1:]))
	for _, ticks := range fields[11:13] { // proc_pid_stat(5): utime, stime
		n, err := strconv.Atoi(ticks)
		if err != nil {
			t.Fatal(err)
		}
		a.cpu += time.Duration(n) * procstat.Tick
	}
	seen := map[string]bool{}
	infos, err := filepath.Glob(filepath.Join(proc, "fdinfo", "*"))
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range infos {
		info := keysOf(path)
		object := "program " + info["prog_id"] + " map " + info["map_id"]
		if seen[object] || info["run_time_ns"] == "" && info["map_id"] == "" {
			continue // a link names its program, too
		}
		seen[object] = true
		number := func(key string) uint64 { n, _ := strconv.ParseUint(info[key], 10, 64); return n }
		a.bpf += time.Duration(number("run_time_ns"))
		a.runs += number("run_cnt")
		if info["map_id"] != "" {
			a.maps += number("memlock")
		}
	}
	a.memory, _ = strconv.ParseUint(strings.TrimSuffix(keysOf(filepath.Join(proc, "status"))["RssAnon"], " kB"), 10, 64)
	a.memory <<= 10
	return a
}

// keysOf reads a file of lines such as "memlock:\t4096"; of no file, nothing.
func keysOf(path string) map[string]string {
	keys := map[string]string{}
	f, err := os.Open(path)
	if err != nil {
		return keys
	}
	defer f.Close()
	for lines := bufio.NewScanner(f); lines.Scan(); {
		if key, value, ok := strings.Cut(lines.Text(), ":"); ok {
			keys[key] = strings.TrimSpace(value)
		}
	}
	return keys
}
