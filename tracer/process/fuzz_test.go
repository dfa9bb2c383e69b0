//go:build linux

package process

import (
	"fmt"
	"strings"
	"testing"
)

// FuzzMountinfo: the mount point is read as it is, whatever it is called and
// whatever is mounted beside it; that of the whole hierarchy wins.
func FuzzMountinfo(f *testing.F) {
	f.Add("sys/fs/cgroup", "", "home", true)
	f.Add("mnt/a\r\u00a0b", "", "", false)
	f.Add("a b\\040\tc\n", "x - cgroup2 ", " - cgroup2 none rw", false)
	f.Fuzz(func(t *testing.T, mount, root, other string, whole bool) {
		mount, root, other = "/"+mount, "/"+root, "/"+other
		line := func(root, mount, kind string) string {
			return fmt.Sprintf("36 35 98:0 %s %s rw,noatime master:1 - %s none rw,errors=continue\n", mangled(root), mangled(mount), kind)
		}
		text := line("/", other, "ext4") + line("/part", other, "cgroup2") + line("/", other, "cgroup")
		if whole {
			root = "/"
		}
		text += line(root, mount, "cgroup2") + line("/later", other, "cgroup")
		if got := cgroup2MountIn(text); got != mount {
			t.Errorf("the mount in %q is %q, want %q", text, got, mount)
		}
		if root == "/" {
			if got := cgroup2MountIn(text + line("/", other, "cgroup2")); got != mount {
				t.Errorf("of two mounts of the whole hierarchy %q is taken, want the first, %q", got, mount)
			}
		}
	})
}

// mangled is seq_path of fs/seq_file.c with the escapes of show_mountinfo.
func mangled(path string) string {
	var b strings.Builder
	for _, c := range []byte(path) {
		if strings.IndexByte(" \t\n\\", c) >= 0 {
			fmt.Fprintf(&b, "\\%03o", c)
		} else {
			b.WriteByte(c)
		}
	}
	return b.String()
}

// FuzzMemberships: each path is found under its hierarchy, also one with colons, in
// whatever order the lines are.
func FuzzMemberships(f *testing.F) {
	f.Add("/system.slice/a:b.service", "/docker/x", false)
	f.Add("/", "/0::/", true)
	f.Fuzz(func(t *testing.T, unified, legacy string, first bool) {
		if strings.Contains(unified+legacy, "\n") || strings.HasSuffix(unified, " (deleted)") || strings.HasSuffix(legacy, " (deleted)") {
			t.Skip("the kernel escapes and appends these itself")
		}
		text := "4:cpu,cpuacct:/y\n1:name=systemd:" + legacy + "\n"
		if first {
			text = "0::" + unified + " (deleted)\n" + text
		} else {
			text += "0::" + unified + "\n"
		}
		want := memberships{unified: unified, legacy: []string{legacy, "/y"}}
		if got := parseMemberships(text); fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("parseMemberships(%q) = %+v, want %+v", text, got, want)
		}
	})
}
