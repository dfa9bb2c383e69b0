//go:build linux

package tracer_test

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/closetrace/closetrace/internal/lab"
	"github.com/closetrace/closetrace/tracer/process/processtest"
)

// roleVariable makes a process of this test binary something else.
const roleVariable = "CLOSETRACE_TEST_ROLE"

var roles = map[string]func() error{
	"acceptor":     acceptConnections,
	"flood":        floodLoopback,
	"flood-closed": floodClosed,
	"hoard":        hoard,
	"hoard-in":     hoardIn,
	"hoard-at":     hoardAt,
	"listen":       listen,
	"mirrored":     mirrored,
	"signalled":    signalled,
	"soak-crowd":   soakCrowd,
	"soak-stream":  soakStream,
	"spin":         spin,
	"sandboxed":    traceInSandbox,
	"connections":  makeConnections,
}

func TestMain(m *testing.M) {
	lab.Main()
	processtest.Main()
	if role := roles[os.Getenv(roleVariable)]; role != nil {
		// So that the test that waits for an answer fails, and not go test.
		time.AfterFunc(3*time.Minute, func() { panic("the role did not end") })
		if err := role(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// command returns a process of this test binary in a role.
func command(role string, arguments ...string) *exec.Cmd {
	cmd := exec.Command("/proc/self/exe", arguments...)
	// Without asynchronous preemption no signal of the Go runtime interrupts a wait.
	cmd.Env = append(os.Environ(), roleVariable+"="+role, "GODEBUG=asyncpreemptoff=1")
	cmd.Stderr = os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	return cmd
}

// answer runs cmd and decodes what it writes.
func answer(t *testing.T, cmd *exec.Cmd, to any) {
	t.Helper()
	runtime.LockOSThread() // the death signal is of the thread
	defer runtime.UnlockOSThread()
	text, err := cmd.Output()
	if err != nil {
		t.Fatalf("run %s: %v", cmd.Env[len(cmd.Env)-2], err)
	}
	if err := json.Unmarshal(text, to); err != nil {
		t.Fatalf("read answer %q: %v", text, err)
	}
}

// requireRoot skips the test if namespaces can't be made.
func requireRoot(t *testing.T) {
	t.Helper()
	if os.Geteuid() != 0 && !required("bpf") {
		t.Skip("needs root")
	}
}

// backlog is how many connections wait for accept at most.
const backlog = 1024

// listenTCP returns a blocking listener on loopback and its port.
func listenTCP() (fd, port int, err error) {
	if fd, err = unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0); err != nil {
		return 0, 0, err
	}
	if err = unix.Bind(fd, &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}); err != nil {
		return 0, 0, err
	}
	if err = unix.Listen(fd, backlog); err != nil {
		return 0, 0, err
	}
	name, err := unix.Getsockname(fd)
	if err != nil {
		return 0, 0, err
	}
	return fd, name.(*unix.SockaddrInet4).Port, nil
}

// dialTCP connects from address, or any, to the port on 127.0.0.1.
func dialTCP(from [4]byte, port int) (int, error) {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return 0, err
	}
	if from != [4]byte{} {
		// The port is chosen by connect(), so that each address has all ports.
		if err := unix.SetsockoptInt(fd, unix.SOL_IP, unix.IP_BIND_ADDRESS_NO_PORT, 1); err != nil {
			return 0, err
		}
		if err := unix.Bind(fd, &unix.SockaddrInet4{Addr: from}); err != nil {
			return 0, err
		}
	}
	return fd, unix.Connect(fd, &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}, Port: port})
}

func localPort(fd int) int {
	name, err := unix.Getsockname(fd)
	if err != nil {
		return 0
	}
	return name.(*unix.SockaddrInet4).Port
}

func contextOf(t *testing.T) (context.Context, context.CancelFunc) {
	t.Helper()
	return context.WithCancel(t.Context())
}
