package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

// TestGoInstall builds the program as "go install" does by default, with cgo, and traces
// with it: no thread may keep a capability, not even one that C code started.
func TestGoInstall(t *testing.T) {
	needCapabilities(t)
	if _, err := exec.LookPath("gcc"); err != nil {
		t.Skip("building with cgo needs gcc")
	}
	folder := t.TempDir()
	build := exec.Command("go", "install", ".")
	build.Env = append(os.Environ(), "CGO_ENABLED=1", "GOBIN="+folder)
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("go install: %v: %s", err, out)
	}
	// live has no file to write, so nothing need be kept.
	c := exec.Command(filepath.Join(folder, "closetrace"), "live", "--plain", "--duration", "60s")
	out, err := c.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Process.Kill(); _ = c.Wait() })
	if _, err := out.Read(make([]byte, 1)); err != nil { // the header: tracing has begun
		t.Fatalf("no header: %v", err)
	}
	status := func() (capabilities []string) {
		threads, _ := filepath.Glob(filepath.Join("/proc", strconv.Itoa(c.Process.Pid), "task/*/status"))
		for _, name := range threads {
			text, _ := os.ReadFile(name)
			for line := range strings.Lines(string(text)) {
				if value, found := strings.CutPrefix(line, "CapEff:"); found {
					capabilities = append(capabilities, strings.TrimSpace(value))
				}
			}
		}
		return capabilities
	}
	none := strings.Repeat("0", 16)
	for deadline := time.Now().Add(patience); ; time.Sleep(10 * time.Millisecond) {
		held := status()
		if len(held) > 1 && len(strings.ReplaceAll(strings.Join(held, ""), none, "")) == 0 {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("capabilities of the threads: %v, want none", held)
		}
	}
}
