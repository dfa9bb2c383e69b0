//go:build linux

package process

import (
	"fmt"
	"os"
	"strings"
	"sync"

	"golang.org/x/sys/unix"
)

// Cgroup2Mount returns where cgroup v2 is mounted, or "". Hybrid hosts have it
// elsewhere than at /sys/fs/cgroup. The first mount of the whole hierarchy wins.
// Where there is none, as in ip netns exec, which has a /sys of its own, it is a
// mount of this process that nobody else sees; that takes CAP_SYS_ADMIN.
func Cgroup2Mount() string {
	text, _ := os.ReadFile("/proc/self/mountinfo")
	if mount := cgroup2MountIn(string(text)); mount != "" {
		return mount
	}
	return ownCgroup2()
}

// ownCgroup2 is a mount of cgroup v2 without a place in the tree of mounts: a
// descriptor that stays open (fsmount(2), since 5.2). "" if the kernel makes none.
var ownCgroup2 = sync.OnceValue(func() string {
	filesystem, err := unix.Fsopen("cgroup2", unix.FSOPEN_CLOEXEC)
	if err != nil {
		return ""
	}
	defer unix.Close(filesystem)
	if err := unix.FsconfigCreate(filesystem); err != nil {
		return ""
	}
	mount, err := unix.Fsmount(filesystem, unix.FSMOUNT_CLOEXEC, unix.MOUNT_ATTR_NOSUID|unix.MOUNT_ATTR_NODEV|unix.MOUNT_ATTR_NOEXEC)
	if err != nil {
		return ""
	}
	return fmt.Sprintf("/proc/self/fd/%d", mount)
})

// cgroup2MountIn reads proc_pid_mountinfo(5).
func cgroup2MountIn(text string) string {
	part := ""
	for line := range strings.Lines(text) {
		before, after, ok := strings.Cut(line, " - ")
		fields := strings.Split(before, " ") // only some blanks in paths are escaped
		if !ok || !strings.HasPrefix(after, "cgroup2 ") || len(fields) < 5 {
			continue
		}
		if fields[3] == "/" {
			return unescapeMount(fields[4])
		}
		part = unescapeMount(fields[4])
	}
	return part
}

// unescapeMount undoes the octal escapes of proc_pid_mountinfo(5).
func unescapeMount(s string) string {
	return strings.NewReplacer(`\040`, " ", `\011`, "\t", `\012`, "\n", `\134`, `\`).Replace(s)
}
