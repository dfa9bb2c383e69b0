package main

import (
	"fmt"
	"os"
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
		plain:               "is no network namespace",
		"/proc/self/ns/uts": "a namespace of another kind",
	} {
		var n netns
		if err := n.Set(text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("--netns %s: got %v, want %q", text, err, want)
		}
	}
}
