//go:build linux

package tracer_test

import (
	"os/exec"
	"strconv"
	"syscall"
	"testing"

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
