//go:build linux

package process

import (
	"fmt"
	"os"
	"testing"

	"github.com/closetrace/closetrace/tracer/process/processtest"
)

// TestOwnCgroup2: where cgroup v2 is not mounted (ip netns exec), a mount of this process
// alone serves: groups are found in it and can be made.
func TestOwnCgroup2(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs root")
	}
	mount := ownCgroup2()
	if mount == "" {
		t.Fatal("the kernel makes none")
	}
	if root, ok := directoryInode(mount); !ok || root != rootCgroup {
		t.Errorf("the root has inode %d, %t", root, ok)
	}
	name := fmt.Sprintf("closetrace-own-%d", os.Getpid())
	id, _ := processtest.Cgroup(t, mount, name)
	tree := newCgroupTree(mount)
	if got, _ := tree.path(id, 0); got != "/"+name {
		t.Errorf("got path %q of a group made there", got)
	}
	if tree.userMade("/" + name) {
		t.Error("root's group counts as a user's")
	}
	if common := Cgroup2Mount(); common != mount {
		if other, ok := directoryInode(common + "/" + name); !ok || other != id {
			t.Errorf("at %s the group has inode %d, want %d", common, other, id)
		}
	}
}
