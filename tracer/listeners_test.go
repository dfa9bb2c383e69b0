//go:build linux

package tracer_test

import (
	"errors"
	"fmt"
	"net"
	"os"
	"strconv"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/closetrace/closetrace/model"
	"github.com/closetrace/closetrace/tracer"
)

// listen listens at the address of its argument and accepts nobody.
func listen() error {
	l, err := net.Listen("tcp", os.Args[1])
	if err != nil {
		return err
	}
	defer l.Close()
	fmt.Println("listening")
	_, _ = os.Stdin.Read(make([]byte, 1))
	return nil
}

// TestListenersOfOnePort: two processes listen at one port of two addresses, others at all
// addresses. Whose a connection is that nobody has accepted follows from its address.
func TestListenersOfOnePort(t *testing.T) {
	requireRoot(t)
	for _, mode := range labModes() {
		t.Run(string(mode), func(t *testing.T) {
			old, oldPort, err := listenTCP() // older than the trace
			if err != nil {
				t.Fatal(err)
			}
			defer unix.Close(old)
			older := command("listen", "127.0.0.2:"+strconv.Itoa(oldPort))
			keep(t, older)
			owners := map[[2]int]int{} // by the last byte of the address, and the port
			another := func(address string, last int) {
				port, cmd := freePort(t), command("listen") // this process has listened there at 127.0.0.1
				cmd.Args = append(cmd.Args, address+strconv.Itoa(port))
				keep(t, cmd)
				owners[[2]int{last, port}] = cmd.Process.Pid
			}
			another("0.0.0.0:", 3)
			another("[::]:", 3)
			tr := open(t, tracer.Options{Mode: mode})
			listener, port, err := listenTCP()
			if err != nil {
				t.Fatal(err)
			}
			defer unix.Close(listener)
			younger := command("listen", "127.0.0.2:"+strconv.Itoa(port))
			keep(t, younger)
			another("0.0.0.0:", 3)
			another("[::]:", 3)
			another("127.0.0.1:", 1)
			owners[[2]int{1, oldPort}], owners[[2]int{2, oldPort}] = os.Getpid(), older.Process.Pid
			owners[[2]int{1, port}], owners[[2]int{2, port}] = os.Getpid(), younger.Process.Pid
			records := collect(t, tr, func() {
				for to := range owners {
					resetUnaccepted(t, to[0], to[1])
				}
			})
			seen := 0
			for i := range records {
				d := &records[i].Teardown
				want, ours := owners[[2]int{int(d.Network.Local.Address.As4()[3]), int(d.Network.Local.Port)}]
				if records[i].Kind != model.KindTeardown || !ours || d.TCP.Role != model.Passive {
					continue
				}
				seen++
				if d.Process.PID != want || d.Process.Source != model.OwnerListener {
					t.Errorf("%v port %d: owner %d by %v, want %d by its listener", d.Network.Local.Address, d.Network.Local.Port, d.Process.PID, d.Process.Source, want)
				}
			}
			if seen != len(owners) {
				t.Errorf("%d ends, want %d", seen, len(owners))
			}
		})
	}
}

// resetUnaccepted connects to 127.0.0.last and resets.
func resetUnaccepted(t *testing.T, last, port int) {
	t.Helper()
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Error(err)
		return
	}
	defer unix.Close(fd)
	if err := unix.Connect(fd, &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, byte(last)}, Port: port}); err != nil {
		t.Error(err)
	}
	_ = unix.SetsockoptLinger(fd, unix.SOL_SOCKET, unix.SO_LINGER, &unix.Linger{Onoff: 1})
}

// TestMPTCPListenerCloses: MPTCP resets the subflow that nobody accepted before the listener's
// close ends it.
func TestMPTCPListenerCloses(t *testing.T) {
	requireRoot(t)
	for _, mode := range labModes() {
		t.Run(string(mode), func(t *testing.T) {
			socket := func() int {
				fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, unix.IPPROTO_MPTCP)
				if err != nil {
					t.Skipf("this kernel has no MPTCP: %v", err)
				}
				return fd
			}
			listener, client := socket(), socket()
			defer unix.Close(client)
			here := &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}
			if err := errors.Join(unix.Bind(listener, here), unix.Listen(listener, 1)); err != nil {
				t.Fatal(err)
			}
			bound, err := unix.Getsockname(listener)
			if err != nil {
				t.Fatal(err)
			}
			records := collect(t, open(t, tracer.Options{Mode: mode}), func() {
				if err := unix.Connect(client, bound); err != nil {
					t.Error(err)
				}
				time.Sleep(100 * time.Millisecond)
				unix.Close(listener)
			})
			for i := range records {
				d := &records[i].Teardown
				if records[i].Kind != model.KindTeardown || int(d.Network.Local.Port) != bound.(*unix.SockaddrInet4).Port {
					continue
				}
				if d.Cause != model.CauseListenerClosed || d.Confidence != model.Certain || d.Closer.PID != os.Getpid() || d.Closer.Call != model.CallClose {
					t.Errorf("got %v, %v, closer %+v; want %v of this process", d.Cause, d.Confidence, d.Closer, model.CauseListenerClosed)
				}
				return
			}
			t.Error("the end in the queue was not told")
		})
	}
}
