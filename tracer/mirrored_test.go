//go:build linux

package tracer_test

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"syscall"
	"testing"

	"github.com/closetrace/closetrace/internal/lab/sourcetest"
	"github.com/closetrace/closetrace/model"
	"github.com/closetrace/closetrace/tracer"
)

// The connection that everybody in this test has.
const mirroredClient, mirroredServer, mirroredClosed = "10.77.0.5:51034", "10.77.0.9:8443", "10.77.0.9:8444"

// mirrored has that connection in its own network namespace, both ends of it, and resets it
// when it is told to. Then it is refused a second one.
func mirrored() error {
	if err := sourcetest.LoopbackUp(); err != nil {
		return err
	}
	for _, address := range []string{"10.77.0.5/32", "10.77.0.9/32"} {
		if out, err := exec.Command("ip", "address", "add", address, "dev", "lo").CombinedOutput(); err != nil {
			return fmt.Errorf("%w: %s", err, out)
		}
	}
	listener, err := net.Listen("tcp", mirroredServer)
	if err != nil {
		return err
	}
	from, err := net.ResolveTCPAddr("tcp", mirroredClient)
	if err != nil {
		return err
	}
	client, err := (&net.Dialer{LocalAddr: from}).Dial("tcp", mirroredServer)
	if err != nil {
		return err
	}
	server, err := listener.Accept()
	if err != nil {
		return err
	}
	fmt.Println("open")
	_, _ = os.Stdin.Read(make([]byte, 1))
	if err := server.(*net.TCPConn).SetLinger(0); err != nil {
		return err
	}
	_ = server.Close()
	_, _ = client.Read(make([]byte, 1)) // until the reset has come
	_ = client.Close()
	fmt.Println("reset")
	_, _ = os.Stdin.Read(make([]byte, 1))
	from.Port++
	if _, err := (&net.Dialer{LocalAddr: from}).Dial("tcp", mirroredClosed); !errors.Is(err, syscall.ECONNREFUSED) {
		return fmt.Errorf("nobody listens at %s, and: %w", mirroredClosed, err)
	}
	fmt.Println("refused")
	return nil
}

// TestMirroredAddresses: a user has somebody's connection again in a namespace of his own,
// both older than the trace, and resets his just after. Nobody takes him for the other end. Nor
// do the resets that refuse an attempt of his, which have no socket, hit somebody else's.
func TestMirroredAddresses(t *testing.T) {
	requireRoot(t)
	start := func(attributes *syscall.SysProcAttr) (in io.Writer, out *bufio.Scanner, pid int) {
		cmd := command("mirrored")
		attributes.Pdeathsig = 0 // of the thread that starts it
		cmd.SysProcAttr = attributes
		stdin, err := cmd.StdinPipe()
		if err != nil {
			t.Fatal(err)
		}
		stdout, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Skipf("users of this host can't make namespaces: %v", err)
		}
		t.Cleanup(func() { stdin.Close(); _ = cmd.Wait() })
		if out = bufio.NewScanner(stdout); !out.Scan() {
			t.Skip("ip can't give lo an address here")
		}
		return stdin, out, cmd.Process.Pid
	}
	victimIn, victimOut, victim := start(&syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNET})
	attackerIn, attackerOut, attacker := start(&syscall.SysProcAttr{
		Cloneflags:  syscall.CLONE_NEWUSER | syscall.CLONE_NEWNET,
		UidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: 1000, Size: 1}},
		GidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: 1000, Size: 1}},
		Credential:  &syscall.Credential{NoSetGroups: true}, // root there
	})
	records := collect(t, open(t, tracer.Options{}), func() {
		fmt.Fprintln(victimIn)
		victimOut.Scan()
		fmt.Fprintln(attackerIn)
		attackerOut.Scan()
		fmt.Fprintln(attackerIn)
		attackerOut.Scan()
		fmt.Fprintln(victimIn)
		victimOut.Scan()
	})
	ends, owners := map[int]int{}, map[string]int{}
	for i := range records {
		f := &records[i].Teardown.Facts
		if records[i].Kind != model.KindTeardown || f.Process.PID != victim && f.Process.PID != attacker {
			continue
		}
		owners[f.ID] = f.Process.PID
		if f.Network.Peer.Port == 8444 {
			continue
		}
		ends[f.Process.PID]++
		if f.PeerProcess.PID != f.Process.PID {
			t.Errorf("the other end of %s of %d is of %d, the user is %d", f.Network.Local.Address, f.Process.PID, f.PeerProcess.PID, attacker)
		}
	}
	if ends[victim] != 2 || ends[attacker] != 2 {
		t.Errorf("%v ends of %d and %d, want 2 of each", ends, victim, attacker)
	}
	hit := map[int]int{}
	for i := range records {
		if r := &records[i]; r.Kind == model.KindStray && owners[r.Stray.Hit] != 0 {
			hit[owners[r.Stray.Hit]]++
		}
	}
	if hit[victim] != 1 || hit[attacker] != 1 {
		t.Errorf("resets without a socket hit %v of %d and %d, want 1 of each", hit, victim, attacker)
	}
}
