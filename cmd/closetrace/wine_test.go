//go:build linux

package main

import (
	"bytes"
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/closetrace/closetrace/etwsrc/etltest"
)

// wineFolder holds a Debian 13 with Wine 10; make wine fills it.
const wineFolder = "../../build/wine"

// wine runs programs for Windows in that folder.
type wine struct{ root, compiler string }

// newWine skips the test if Wine is not prepared.
func newWine(t *testing.T) *wine {
	t.Helper()
	root, err := filepath.Abs(wineFolder)
	if err != nil {
		t.Fatal(err)
	}
	_, ready := os.Stat(filepath.Join(root, "ready"))
	compiler, missing := exec.LookPath("x86_64-w64-mingw32-gcc")
	if err := errors.Join(ready, missing); err != nil || os.Geteuid() != 0 {
		if strings.Contains(os.Getenv("CLOSETRACE_REQUIRE"), "wine") {
			t.Fatalf("Wine is required: run make wine as root, with gcc-mingw-w64-x86-64: %v", err)
		}
		t.Skipf("Wine is not prepared (make wine, as root): %v", err)
	}
	proc := filepath.Join(root, "proc")
	if err := unix.Mount("proc", proc, "proc", 0, ""); err != nil {
		t.Fatalf("mount proc for Wine: %v", err)
	}
	t.Setenv("CGO_ENABLED", "0") // of what is built, unless a test says otherwise
	w := &wine{root, compiler}
	t.Cleanup(func() {
		stop := exec.Command("/usr/bin/wineserver", "--kill", "--wait")
		stop.SysProcAttr = &unix.SysProcAttr{Chroot: root}
		stop.Env = wineEnvironment
		stop.Run() // nothing to stop is not a failure
		if err := unix.Unmount(proc, unix.MNT_DETACH); err != nil {
			t.Errorf("unmount proc: %v", err)
		}
	})
	return w
}

// build makes a program for Windows: with "build" a package's, with "test -c"
// that of its tests.
func (w *wine) build(t *testing.T, name string, command ...string) {
	t.Helper()
	build := exec.Command("go", slices.Insert(command, len(command)-1, "-o", filepath.Join(w.root, name))...)
	build.Env = append(os.Environ(), "GOOS=windows", "GOARCH=amd64", "CC="+w.compiler)
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build for Windows: %v\n%s", err, out)
	}
}

var wineEnvironment = []string{"PATH=/usr/bin:/bin", "HOME=/root", "WINEARCH=win64", "WINEDEBUG=-all"}

// run returns what a program printed, and its exit code.
func (w *wine) run(t *testing.T, program string, args ...string) (stdout, stderr string, code int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute) // the first start makes Wine's folders
	defer cancel()
	c := exec.CommandContext(ctx, "/usr/bin/wine", append([]string{program}, args...)...)
	c.SysProcAttr = &unix.SysProcAttr{Chroot: w.root}
	c.Dir = "/"
	c.Env = wineEnvironment
	var out, errs bytes.Buffer
	c.Stdout, c.Stderr = &out, &errs
	err := c.Run()
	var exit *exec.ExitError
	switch {
	case errors.As(err, &exit):
		code = exit.ExitCode()
	case err != nil:
		t.Fatalf("run wine: %v", err)
	}
	return out.String(), errs.String(), code
}

// TestWine runs the Windows build for real: everything but the events, which
// Wine cannot deliver.
func TestWine(t *testing.T) {
	w := newWine(t)
	w.build(t, "closetrace.exe", "build", ".")
	recording, err := os.ReadFile("testdata/wine/recording.jsonl")
	if err != nil {
		t.Fatal(err)
	}
	for name, data := range map[string][]byte{
		"trace.etl": etltest.Fixture(t, "Tx-KernelNetwork.etl"), "recording.jsonl": recording,
	} {
		if err := os.WriteFile(filepath.Join(w.root, name), data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, test := range []struct {
		args   []string
		code   int
		stdout string
		stderr string
	}{
		{args: []string{"version"}, stdout: "windows/amd64"},
		{args: []string{"--help"}, stdout: "Exit codes:"},
		{args: []string{"kill", "--help"}, stdout: "SetTcpEntry ends a connection"},
		{args: []string{"nosuch"}, code: exitUsage, stderr: "unknown command"},
		{args: []string{"replay", "/trace.etl"}, stdout: "49155"},
		{args: []string{"replay", "/trace.etl", "--json"}, stdout: `"backend":"etl"`},
		{args: []string{"replay", "/recording.jsonl"}, stdout: "unread-data"},
		{args: []string{"summary", "/recording.jsonl"}, stdout: "unread-data"},
		{args: []string{"replay", "/nosuch"}, code: exitRuntime, stderr: "no such file"},
		{args: []string{"live"}, code: exitPrivileges, stderr: "cannot trace"},
		{args: []string{"doctor"}, code: exitPrivileges, stdout: "back end: none"},
		{args: []string{"demo", "--plain"}, code: exitPrivileges, stderr: "cannot trace"},
		{args: []string{"record", "-o", "/new.jsonl"}, code: exitPrivileges, stderr: "cannot trace"},
		{args: []string{"explain", "linger-expired"}, stdout: "closesocket"},
		{args: []string{"report", "/recording.jsonl", "--force", "-o", "/report.html"}},
		{args: []string{"kill", "127.0.0.1:1", "127.0.0.1:2"}, code: exitRuntime, stderr: "no open connection matches"},
		{args: []string{"list", "--all"}, stdout: "LOCAL"},
	} {
		t.Run(strings.Join(test.args, " "), func(t *testing.T) {
			stdout, stderr, code := w.run(t, "/closetrace.exe", test.args...)
			if code != test.code || !strings.Contains(stdout, test.stdout) || !strings.Contains(stderr, test.stderr) {
				t.Errorf("got code %d, stdout %q, stderr %q; want %d, %q, %q", code, stdout, stderr, test.code, test.stdout, test.stderr)
			}
		})
	}
}

// TestSelftestUnderWine: nothing can be traced there, but the closes are still made. They
// return what Linux's sockets below Wine do: a hard close resets, and Wine never waits
// for SO_LINGER.
func TestSelftestUnderWine(t *testing.T) {
	w := newWine(t)
	w.build(t, "closetrace.exe", "build", ".")
	stdout, stderr, code := w.run(t, "/closetrace.exe", "doctor", "--selftest")
	if code != exitPrivileges || !strings.Contains(stderr, "no verdict was tested") || strings.Contains(stdout, "could not be played") {
		t.Errorf("got code %d, stdout %q, stderr %q; want %d and that no verdict was tested", code, stdout, stderr, exitPrivileges)
	}
	for name, want := range map[string]string{
		"linger-off":              "b recv: ok",
		"linger-off-pending":      "b recv: ok",
		"linger-zero":             "b recv: WSAECONNRESET",
		"linger-zero-nonblocking": "b recv: WSAECONNRESET",
		"unread-data":             "b recv: WSAECONNRESET",
		"shutdown-first":          "b recv: ok",
		"process-exit":            "a exit: ok b recv: ok",
		"refused":                 "a connect: WSAECONNREFUSED",
	} {
		line := lineThatBegins(stdout, name+" ")
		if !strings.HasSuffix(strings.TrimSpace(line), want) {
			t.Errorf("%s: %q, want that it ends with %q", name, line, want)
		}
	}
	if line := lineThatBegins(stdout, "-      linger-would-block: "); !strings.Contains(line, "not WSAEWOULDBLOCK") {
		t.Errorf("got %q, want that Wine does otherwise than documented", line)
	}
}

func lineThatBegins(text, prefix string) string {
	for line := range strings.Lines(text) {
		if strings.HasPrefix(line, prefix) {
			return line
		}
	}
	return ""
}

// TestWithCgoUnderWine: a program that was built with cgo does the same.
func TestWithCgoUnderWine(t *testing.T) {
	w := newWine(t)
	t.Setenv("CGO_ENABLED", "1")
	w.build(t, "closetrace.exe", "build", ".")
	for command, want := range map[string]int{"version": exitOK, "live": exitPrivileges} {
		stdout, stderr, code := w.run(t, "/closetrace.exe", command)
		if code != want || want != exitOK && !strings.Contains(stderr, "cannot trace") {
			t.Errorf("%s: got code %d, stdout %q, stderr %q; want %d", command, code, stdout, stderr, want)
		}
	}
}

// TestPackagesUnderWine runs the tests that only Windows has.
func TestPackagesUnderWine(t *testing.T) {
	w := newWine(t)
	for _, test := range []struct{ pkg, cgo, run string }{
		{"../../internal/sockets", "0", "List|Kill"},
		{"../../internal/services", "0", "Services|ByProcess"},
		{"../../etwsrc", "0", "Callback|Open|Owners|EventsOf|Errors|Clocks|ProcessesRun|Layout|Simulated"},
		{"../../etwsrc", "1", "BiZone|Callback"}, // bi-zone/etw needs a C compiler
	} {
		t.Run(filepath.Base(test.pkg)+" cgo "+test.cgo, func(t *testing.T) {
			t.Setenv("CGO_ENABLED", test.cgo)
			w.build(t, "tests.exe", "test", "-c", test.pkg)
			stdout, stderr, code := w.run(t, "/tests.exe", "-test.v", "-test.run", test.run)
			if code != 0 || !strings.Contains(stdout, "--- PASS") {
				t.Errorf("got code %d, stdout %s, stderr %s", code, stdout, stderr)
			}
		})
	}
}
