//go:build linux

package process

import (
	"bufio"
	"os"
	"strings"
)

// Cgroup2Mount returns where cgroup v2 is mounted, or "". Hybrid hosts have it
// elsewhere than at /sys/fs/cgroup. The first mount of the whole hierarchy wins.
func Cgroup2Mount() string {
	file, err := os.Open("/proc/self/mountinfo")
	if err != nil {
		return ""
	}
	defer file.Close()
	part := ""
	for lines := bufio.NewScanner(file); lines.Scan(); {
		before, after, ok := strings.Cut(lines.Text(), " - ")
		fields := strings.Fields(before)
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
