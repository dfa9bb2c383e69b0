//go:build linux

package process

import (
	"os"
	"testing"

	"github.com/closetrace/closetrace/tracer/process/processtest"
)

// TestDelegated: a user who has a part of the tree, as systemd gives it, makes a path
// like that of a pod. It is marked, and does not get the name of a pod that exists; the
// same path below root's folders is believed.
func TestDelegated(t *testing.T) {
	const user = 12345
	pod := "/kubepods/besteffort/pod" + processtest.PodUID + "/" + processtest.ContainerID
	for name, c := range map[string]struct {
		top  string
		mine bool
	}{"user's": {"/closetrace-test-user", true}, "root's": {"/closetrace-test-root", false}} {
		t.Run(name, func(t *testing.T) {
			mount := Cgroup2Mount()
			processtest.Cgroup(t, mount, c.top)
			if c.mine {
				if err := os.Chown(mount+c.top, user, user); err != nil {
					t.Fatal(err)
				}
			}
			id, directory := processtest.Cgroup(t, mount, c.top+pod)
			pid, started := sleeperIn(t, directory)
			o := NewOwners(Options{Lazy: true})
			o.files.ask = func(string, string, string) (pod, namespace, container string) { return "cart-0", "shop", "web" }
			f := factsOf(pid, processtest.SleeperName)
			o.Describe(&f, started, id, 0)
			if f.Container.ID != processtest.ContainerID || f.Cgroup.Delegated != c.mine {
				t.Errorf("container %q, delegated: %v, want %v", f.Container.ID, f.Cgroup.Delegated, c.mine)
			}
			if named := f.K8s.Pod.Name != ""; named == c.mine {
				t.Errorf("got the names %q, %q", f.K8s.Pod.Name, f.Container.Name)
			}
			o = NewOwners(Options{Lazy: true}) // without the process, by a walk
			if _, known := o.tree.path(id, 0); !known || o.tree.made[id] != c.mine {
				t.Errorf("by a walk: known: %v, made by a user: %v", known, o.tree.made[id])
			}
		})
	}
}
