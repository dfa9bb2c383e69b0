//go:build linux

package tracer_test

import (
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/closetrace/closetrace/tracer"
)

// TestContainerIsOneTenant: who is root in a container gets one share of the table,
// whichever users and namespaces it invents there.
func TestContainerIsOneTenant(t *testing.T) {
	requireRoot(t)
	const entries, share, lent = 1200, 1200 * 2 / 3, 100_000
	for name, container := range map[string]func() *exec.Cmd{
		"users": func() *exec.Cmd { // root's capability to set the user ID, as Docker leaves it
			cmd := command("hoard", "3000", "500")
			cmd.SysProcAttr.Cloneflags = syscall.CLONE_NEWNET
			return cmd
		},
		"namespaces": func() *exec.Cmd { // root of a user namespace that root has made, as of LXD
			cmd := command("hoard-in", "8", "400", strconv.Itoa(1))
			cmd.SysProcAttr.Cloneflags = syscall.CLONE_NEWUSER | syscall.CLONE_NEWNET
			cmd.SysProcAttr.UidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: lent, Size: 1 << 16}}
			cmd.SysProcAttr.GidMappings = cmd.SysProcAttr.UidMappings
			cmd.SysProcAttr.Credential = &syscall.Credential{Uid: 1, Gid: 1}
			return cmd
		},
		"root": func() *exec.Cmd { // the host's root, in a container that may make user namespaces
			return command("hoard-in", "8", "400", strconv.Itoa(0))
		},
	} {
		t.Run(name, func(t *testing.T) {
			tr := open(t, tracer.Options{MaxConnections: entries})
			keep(t, container())
			// Each processor tells of its entries in batches.
			if held, untold := tr.InTable(), entries/16; held > share+untold || held < share*9/10-untold {
				t.Errorf("a container has %d of %d entries, want about %d", held, entries, share)
			}
		})
	}
}

// hoardAt opens as many connections as its second argument says to the port of its first.
func hoardAt() error {
	port, err := strconv.Atoi(os.Args[1])
	if err != nil {
		return err
	}
	count, err := strconv.Atoi(os.Args[2])
	if err != nil {
		return err
	}
	for i := range count {
		if _, err := dialTCP([4]byte{127, 1, byte(i >> 8), byte(i)}, port); err != nil {
			return fmt.Errorf("connect: %w", err)
		}
	}
	fmt.Println("all are open")
	_, _ = os.Stdin.Read(make([]byte, 1))
	return nil
}

// TestListenerOfRootsIsATenant: a user fills the share of a listener of root's. Root's other
// connections find room, also if the user was there before the trace.
func TestListenerOfRootsIsATenant(t *testing.T) {
	requireRoot(t)
	const entries, victims = 1200, 40
	for name, before := range map[string]bool{"before the trace": true, "after it": false} {
		t.Run(name, func(t *testing.T) {
			listener, port, err := listenTCP()
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { unix.Close(listener) })
			accepted := make(chan []int, 1)
			go func() {
				var all []int
				for { // until the listener is shut down
					fd, _, err := unix.Accept(listener)
					if err != nil {
						accepted <- all
						return
					}
					all = append(all, fd)
				}
			}()
			t.Cleanup(func() {
				_ = unix.Shutdown(listener, unix.SHUT_RDWR)
				for _, fd := range <-accepted {
					unix.Close(fd)
				}
			})
			hoard := func() {
				cmd := command("hoard-at", strconv.Itoa(port), strconv.Itoa(2*entries))
				cmd.SysProcAttr.Credential = &syscall.Credential{Uid: hoarder, Gid: hoarder}
				keep(t, cmd)
			}
			if before {
				hoard()
			}
			tr := open(t, tracer.Options{MaxConnections: entries})
			if !before {
				hoard()
			}
			full := tr.InTable()
			other, otherPort, err := listenTCP()
			if err != nil {
				t.Fatal(err)
			}
			defer unix.Close(other)
			tuples(t, other, otherPort, victims)
			if more := tr.InTable() - full; more != 2*victims {
				t.Errorf("of %d ends of root's %d found room beside %d", 2*victims, more, full)
			}
		})
	}
}
