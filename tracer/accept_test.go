//go:build linux

package tracer_test

import (
	"bufio"
	"fmt"
	"os"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/closetrace/closetrace/model"
	"github.com/closetrace/closetrace/tracer"
)

// acceptConnections is a worker of a server: its listener is descriptor 3. It
// accepts, says so, and does not read. With an argument it asks who the peer is.
func acceptConnections() error {
	for {
		var length uint32 = unix.SizeofSockaddrAny
		var peer unix.RawSockaddrAny
		address, size := ptr(&peer), ptr(&length)
		if len(os.Args) < 2 {
			address, size = 0, 0
		}
		fd, _, errno := unix.Syscall6(unix.SYS_ACCEPT4, 3, address, size, 0, 0, 0)
		if errno != 0 {
			return errno
		}
		fmt.Println(os.Getpid())
		// The descriptor stays open: closing it would reveal its owner.
		_ = fd
	}
}

// TestAcceptOwner: many workers wait on one listener, as in servers that fork.
// The client resets as soon as one of them has accepted. Who that was must be
// right, or marked as a guess, or absent.
func TestAcceptOwner(t *testing.T) {
	requireRoot(t)
	for _, mode := range tracer.TypedModes() {
		for _, how := range []string{"without-address", "with-address"} {
			t.Run(string(mode)+"/"+how, func(t *testing.T) {
				tr := open(t, tracer.Options{Mode: mode})
				truth := map[int]int{} // the client's port: who accepted
				records := collect(t, tr, func() { serveByMany(t, how == "with-address", truth) })
				checkOwners(t, mode, truth, records)
			})
		}
	}
}

func checkOwners(t *testing.T, mode tracer.Mode, truth map[int]int, records []model.Record) {
	t.Helper()
	seen, exact := 0, 0
	here := ownNetNS(t)
	for _, r := range records {
		pid, ours := truth[int(r.Teardown.Network.Peer.Port)]
		if r.Kind != model.KindTeardown || r.Teardown.Network.NetNS != here || !ours || r.Teardown.TCP.Role != model.Passive {
			continue
		}
		seen++
		p := r.Teardown.Process
		switch {
		case p.PID == pid && p.Source != model.OwnerListener:
			exact++
		case mode.SeesFunctions():
			t.Errorf("owner is %d by %v, want %d by accept", p.PID, p.Source, pid)
		case p.PID != 0 && p.Source != model.OwnerListener:
			t.Errorf("owner is %d by %v, want %d, a guess, or nobody", p.PID, p.Source, pid)
		}
	}
	if seen != len(truth) {
		t.Errorf("%d passive ends, want %d", seen, len(truth))
	}
	t.Logf("%d of %d owners known for certain", exact, seen)
}

// serveByMany lets 24 workers accept 48 connections, one at a time.
func serveByMany(t *testing.T, withAddress bool, truth map[int]int) {
	listener, port, err := listenTCP()
	if err != nil {
		t.Error(err)
		return
	}
	file := os.NewFile(uintptr(listener), "listener")
	defer file.Close()
	said, say, err := os.Pipe()
	if err != nil {
		t.Error(err)
		return
	}
	defer said.Close()
	for range 24 {
		cmd := command("acceptor")
		if withAddress {
			cmd.Args = append(cmd.Args, "address")
		}
		cmd.ExtraFiles, cmd.Stdout = []*os.File{file}, say
		cmd.SysProcAttr = nil // this thread may end before the test does
		if err := cmd.Start(); err != nil {
			t.Error(err)
			return
		}
		defer func() {
			_ = cmd.Process.Kill()
			_ = cmd.Wait()
		}()
	}
	say.Close()
	words := bufio.NewReader(said)
	for range 48 {
		fd, err := dialTCP([4]byte{}, port)
		if err != nil {
			t.Error(err)
			return
		}
		line, err := words.ReadString('\n')
		if err != nil {
			t.Error(err)
			return
		}
		pid, _ := strconv.Atoi(strings.TrimSpace(line))
		truth[localPort(fd)] = pid
		_ = unix.SetsockoptLinger(fd, unix.SOL_SOCKET, unix.SO_LINGER, &unix.Linger{Onoff: 1})
		unix.Close(fd)
	}
}

// ownNetNS returns the network namespace of the test: others may have the same
// ports.
func ownNetNS(t *testing.T) uint32 {
	t.Helper()
	var stat unix.Stat_t
	if err := unix.Stat("/proc/self/ns/net", &stat); err != nil {
		t.Fatal(err)
	}
	return uint32(stat.Ino)
}
