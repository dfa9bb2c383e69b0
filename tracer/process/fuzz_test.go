//go:build linux

package process

import (
	"fmt"
	"strings"
	"testing"
)

// FuzzStat: whatever a process calls itself, its name, its parent and its start are
// read as the kernel wrote them (do_task_stat in fs/proc/array.c), and no text is
// taken for a process that has none of the name's parentheses.
func FuzzStat(f *testing.F) {
	f.Add("nginx", byte('S'), uint32(1), uint64(4711), "12 nginx S 1 2")
	f.Add("a) S 666 (b", byte('R'), uint32(7), uint64(1<<63), ")(")
	f.Add("\n) Z 1 1 1\n(", byte('Z'), uint32(0), uint64(0), "1 2 3 4")
	f.Fuzz(func(t *testing.T, name string, state byte, parent uint32, start uint64, other string) {
		if state < 'A' || state > 'z' {
			state = 'S'
		}
		text := fmt.Appendf(nil, "12 (%s) %c %d 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 -2 %d 20 -1\n", name, state, int32(parent), start)
		if got, ok := parseStat(text); !ok || got != (program{start: start, name: name}) {
			t.Errorf("parseStat(%q) = %+v, %v", text, got, ok)
		}
		if got := parentOf(text); got != int(int32(parent)) {
			t.Errorf("parentOf(%q) = %d, want %d", text, got, int32(parent))
		}
		if _, ok := parseStat([]byte(other)); (ok || parentOf([]byte(other)) != 0) && !strings.Contains(other, "(") {
			t.Errorf("%q is taken for a process", other)
		}
	})
}

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
