package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestSettingsBombs: a file of the agent's settings that was made to take time, memory or a
// screen of text is refused at once, in one short line.
func TestSettingsBombs(t *testing.T) {
	var keys, aliases strings.Builder
	for i := range 90_000 {
		fmt.Fprintf(&keys, "k%d: 1\n", i)
	}
	aliases.WriteString("a: &a [x,x,x,x,x,x,x,x,x]\n")
	for i := 'b'; i < 'k'; i++ {
		fmt.Fprintf(&aliases, "%c: &%c [%s]\n", i, i, strings.TrimSuffix(strings.Repeat(fmt.Sprintf("*%c,", i-1), 9), ","))
	}
	for what, text := range map[string]string{
		"keys": keys.String(), "as many as it may have": keys.String()[:60_000], "aliases": aliases.String(), "lists": "port: " + strings.Repeat("[", 1<<20),
		"maps": "port: " + strings.Repeat("{a: ", 1<<18), "a long key": `"` + strings.Repeat("k", 60_000) + `": 1`, "a long value": "port: " + strings.Repeat("x", 60_000),
		"many values": "port: [" + strings.Repeat("x,", 30_000) + "x]", "question marks": strings.Repeat("? ", 1<<19), "zeros": strings.Repeat("\x00", 1<<20),
	} {
		path := filepath.Join(t.TempDir(), "agent.yaml")
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		var errors strings.Builder
		start := time.Now()
		code := run([]string{"agent", "--config", path}, nil, &strings.Builder{}, &errors)
		took := time.Since(start)
		if code != exitUsage || strings.Count(errors.String(), "\n") != 1 || len(errors.String()) > messageMax+100 {
			t.Errorf("%s: exit %d with %d bytes: %.200q", what, code, errors.Len(), errors.String())
		}
		if took > 5*time.Second {
			t.Errorf("%s: took %v", what, took)
		}
	}
}
