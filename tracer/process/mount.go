//go:build linux

package process

import (
	"os"
	"strings"
)

// Cgroup2Mount returns where cgroup v2 is mounted, or "". Hybrid hosts have it
// elsewhere than at /sys/fs/cgroup. The first mount of the whole hierarchy wins.
func Cgroup2Mount() string {
	text, _ := os.ReadFile("/proc/self/mountinfo")
	return cgroup2MountIn(string(text))
}

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
