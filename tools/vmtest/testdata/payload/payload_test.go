// Package payload is what the boot test runs inside a guest: the good and the
// bad ends that a test can come to.
package payload

import (
	"flag"
	"net"
	"os"
	"strings"
	"testing"
	"time"
)

var end = flag.String("end", "", "how TestEnd ends: exit7, panic, crash, warn, hang")

// TestGuest looks at what a test may count on in a guest.
func TestGuest(t *testing.T) {
	if os.Getpid() == 1 {
		t.Error("the test is process 1")
	}
	note, err := os.ReadFile("testdata/note.txt")
	if err != nil || string(note) != "carried along\n" {
		t.Errorf("testdata/note.txt: got %q, %v", note, err)
	}
	if got := os.Getenv("CLOSETRACE_PAYLOAD"); got != "yes" {
		t.Errorf("CLOSETRACE_PAYLOAD: got %q, want yes", got)
	}
	mounts, err := os.ReadFile("/proc/mounts")
	if err != nil {
		t.Error(err)
	}
	for _, want := range []string{" /sys/fs/cgroup cgroup2 ", " /sys/fs/bpf bpf ", " /sys/kernel/tracing tracefs "} {
		if !strings.Contains(string(mounts), want) {
			t.Errorf("no mount %q in\n%s", want, mounts)
		}
	}
	listener, err := net.Listen("tcp", "localhost:0")
	if err != nil {
		t.Fatal(err)
	}
	conn, err := net.Dial("tcp", listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	conn.Close()
	listener.Close()
	extra, err := os.ReadFile("/bin/extra")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile("/tmp/result.txt", append(extra, ", by way of the guest"...), 0o644); err != nil {
		t.Error(err)
	}
}

// TestModules shows that modules given by -modules were loaded.
func TestModules(t *testing.T) {
	loaded, err := os.ReadFile("/proc/modules")
	if err != nil {
		t.Fatal(err)
	}
	// tcp_diag needs inet_diag, which nobody asked for.
	for _, want := range []string{"tcp_diag ", "inet_diag "} {
		if !strings.Contains("\n"+string(loaded), "\n"+want) {
			t.Errorf("module %s is missing in\n%s", want, loaded)
		}
	}
}

func TestEnd(t *testing.T) {
	switch *end {
	case "exit7":
		os.Exit(7)
	case "panic":
		panic("as asked")
	case "crash":
		write(t, "/proc/sys/kernel/sysrq", "1")
		write(t, "/proc/sysrq-trigger", "c") // the kernel dereferences NULL
	case "warn":
		// User space may write to the kernel's log; a real WARN needs a bug.
		write(t, "/dev/kmsg", "WARNING: CPU: 0 PID: 1 at payload_test.go:1 as asked\n")
	case "hang":
		time.Sleep(time.Hour)
	}
}

func write(t *testing.T, file, text string) {
	t.Helper()
	if err := os.WriteFile(file, []byte(text), 0); err != nil {
		t.Fatal(err)
	}
}
