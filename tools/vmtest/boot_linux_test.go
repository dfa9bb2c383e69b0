package main

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// bootKernel is the first of those that make kernels has put into the cache, "" if there is none.
func bootKernel() string {
	cached, _ := filepath.Glob("../../build/kernels/*")
	for _, dir := range cached {
		if _, err := openKernel(dir, "amd64"); err == nil {
			return dir
		}
	}
	return ""
}

// needMachine skips the test where no guest can be booted, and fails it where
// CLOSETRACE_REQUIRE, a list of words, has "vm".
func needMachine(t *testing.T) {
	t.Helper()
	stop := t.Skipf
	words := strings.FieldsFunc(os.Getenv("CLOSETRACE_REQUIRE"), func(c rune) bool { return c == ',' || c == ' ' })
	switch {
	case slices.Contains(words, "vm"):
		stop = t.Fatalf
	case testing.Short():
		t.Skip("boots guests, which takes seconds each: not with -short")
	}
	if _, err := exec.LookPath("qemu-system-x86_64"); err != nil {
		stop("no qemu (Debian: qemu-system-x86): %v", err)
	}
	if bootKernel() == "" {
		stop("no kernel (make kernels)")
	}
}

// build makes vmtest and the payload as a stranger would.
func build(t *testing.T) (vmtest, payload string) {
	t.Helper()
	dir := t.TempDir()
	vmtest, payload = filepath.Join(dir, "vmtest"), filepath.Join(dir, "payload.test")
	for _, args := range [][]string{
		{"build", "-o", vmtest, "."},
		{"test", "-c", "-o", payload, "./testdata/payload"},
	} {
		if out, code := bounded(t, []string{"CGO_ENABLED=0", "GOARCH=amd64"}, "go", args...); code != 0 {
			t.Fatalf("go %s: exit code %d\n%s", args, code, out)
		}
	}
	return vmtest, payload
}

func TestBootEndsAsTheTestEnds(t *testing.T) {
	needMachine(t)
	vmtest, payload := build(t)
	kernelDir, err := filepath.Abs(bootKernel())
	if err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name string
		run  []string // flags of vmtest
		end  string   // flag of the payload
		code int
		says string
	}{
		{"success", nil, "", 0, "PASS"},
		{"exit code of the test", nil, "exit7", 7, ""},
		{"panic of the test", nil, "panic", 2, "panic: as asked"},
		{"crash of the guest's kernel", nil, "crash", machineFailed, "Kernel panic - not syncing"},
		{"warning in the kernel's log", nil, "warn", machineFailed, "WARNING: CPU: 0 PID: 1 at payload_test.go:1 as asked"},
		{"warning that may be", []string{"-dmesg=show"}, "warn", 0, "as asked"},
		{"timeout of the machine", []string{"-timeout=6s"}, "hang", machineFailed, "ran longer than 6s"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			args := append([]string{"run", "-kernel", kernelDir, "-modules="}, test.run...)
			args = append(args, payload, "-test.run=^TestEnd$", "-end="+test.end)
			temp := t.TempDir()
			out, code := bounded(t, []string{"TMPDIR=" + temp}, vmtest, args...)
			if code != test.code || !strings.Contains(out, test.says) {
				t.Errorf("got code %d, want %d and %q in\n%s", code, test.code, test.says, out)
			}
			nothingLeft(t, temp)
		})
	}
}

// TestBootUnderGoTest is the way in which everyone else uses the program.
func TestBootUnderGoTest(t *testing.T) {
	needMachine(t)
	vmtest, _ := build(t)
	kernelDir, err := filepath.Abs(bootKernel())
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	profile, result, extra := filepath.Join(dir, "cover.out"), filepath.Join(dir, "result.txt"), filepath.Join(dir, "extra")
	if err := os.WriteFile(extra, []byte("from the host"), 0o600); err != nil {
		t.Fatal(err)
	}
	wrapper := vmtest + " run -modules=tcp_diag,no_such_module -kernel " + kernelDir +
		" -file " + extra + ":/bin/extra -get /tmp/result.txt:" + result
	out, code := bounded(t, []string{"CGO_ENABLED=0", "GOARCH=amd64", "CLOSETRACE_PAYLOAD=yes"},
		"go", "test", "-count=1", "-coverprofile="+profile, "-run=TestGuest|TestModules", "-exec", wrapper, "./testdata/payload")
	if code != 0 {
		t.Fatalf("go test: exit code %d\n%s", code, out)
	}
	for file, want := range map[string]string{profile: "mode: ", result: "from the host, by way of the guest"} {
		if got, err := os.ReadFile(file); err != nil || !strings.HasPrefix(string(got), want) {
			t.Errorf("%s: got %q, %v, want %q", filepath.Base(file), got, err, want)
		}
	}
}

// bounded runs a command and returns all that it printed and its exit code.
func bounded(t *testing.T, env []string, name string, args ...string) (out string, code int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Env = append(os.Environ(), env...)
	text, err := cmd.CombinedOutput()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return string(text), cmd.ProcessState.ExitCode()
}

// nothingLeft looks for a process that still has the run's folder on its
// command line, as qemu does, and for files in it.
func nothingLeft(t *testing.T, temp string) {
	t.Helper()
	commands, err := filepath.Glob("/proc/[0-9]*/cmdline")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range commands {
		line, err := os.ReadFile(file)
		if err == nil && strings.Contains(string(line), temp) {
			t.Errorf("left running: %s %q", file, line)
		}
	}
	if files, err := os.ReadDir(temp); err != nil || len(files) > 0 {
		t.Errorf("left in the temporary folder: %v, %v", files, err)
	}
}
