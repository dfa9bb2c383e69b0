package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestNetNS: every way to name our own namespace gives the number that the link in
// /proc shows.
func TestNetNS(t *testing.T) {
	link, err := os.Readlink("/proc/self/ns/net") // net:[4026531840]
	if err != nil {
		t.Fatal(err)
	}
	want := strings.Trim(strings.TrimPrefix(link, "net:"), "[]")
	for _, text := range []string{"self", "/proc/self/ns/net", fmt.Sprintf("/proc/%d/ns/net", os.Getpid()), want} {
		var n netns
		if err := n.Set(text); err != nil || n.String() != want {
			t.Errorf("--netns %s: got %s, %v; want %s", text, &n, err, want)
		}
	}
	plain := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(plain, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for text, want := range map[string]string{
		"no-such-name":      "there is no /run/netns/no-such-name: want self",
		plain:               "is not a network namespace",
		"/proc/self/ns/uts": "a namespace of another kind",
	} {
		var n netns
		if err := n.Set(text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("--netns %s: got %v, want %q", text, err, want)
		}
	}
}

// TestListAllNetNS: if a process may not be inspected, that is reported only if the
// process is in a network namespace that is not listed. In a PID namespace of its own
// /proc has the processes of the test alone.
func TestListAllNetNS(t *testing.T) {
	needCapabilities(t)
	needMounts(t)
	for _, tool := range []string{"unshare", "setpriv"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skip(err)
		}
	}
	closetrace := programForAll(t)
	for beside, missing := range map[string]bool{"sleep 60": false, "unshare --net sleep 60": true} {
		c := exec.Command("unshare", "--pid", "--fork", "--kill-child", "--mount-proc", "sh", "-c", beside+` &
			until grep -q sleep /proc/$!/comm; do :; done
			setpriv --reuid=65534 --regid=65534 --clear-groups "$0" list --all-netns`, closetrace)
		c.Dir = "/"
		r := runProgram(t, c)
		if told := strings.Contains(r.errors, "look into other network namespaces"); r.code != 0 || told != missing {
			t.Errorf("beside %s: exit %d, standard error %q; want it told that something is missing: %v", beside, r.code, r.errors, missing)
		}
	}
}
