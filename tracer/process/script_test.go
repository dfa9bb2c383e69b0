//go:build linux

package process

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

func TestScript(t *testing.T) {
	for line, want := range map[string]string{
		"python3 /srv/worker.py --token secret": "/srv/worker.py",
		"/usr/bin/python3.13 -u -W ignore a.py": "a.py",
		"python3 -m http.server 8000":           "http.server",
		"python3 -c print('secret')":            "",
		"java -Xmx1g -jar /opt/shop.jar x":      "/opt/shop.jar",
		"java -cp a.jar:b.jar com.acme.Main":    "com.acme.Main",
		"node --max-old-space-size=1 server.js": "server.js",
		"sh -c secret":                          "",
		"bash":                                  "",
		"nginx -c /etc/nginx.conf":              "",
		"python3 -m":                            "",
	} {
		if got := scriptOf(strings.Fields(line)); got != want {
			t.Errorf("%s: %q, want %q", line, got, want)
		}
	}
}

// TestScriptOfProcess: the kernel puts the interpreter before the name of a script that
// was executed directly.
func TestScriptOfProcess(t *testing.T) {
	script := filepath.Join(t.TempDir(), "order-worker-emea")
	if err := os.WriteFile(script, []byte("#!/bin/sh\necho\nread line\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	c := exec.Command(script, "--token", "secret")
	hold, err := c.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	said, err := c.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	defer c.Wait()
	defer hold.Close()
	if _, err := said.Read(make([]byte, 1)); err != nil { // it runs
		t.Fatal(err)
	}
	if got := scriptOf(argumentsOf(c.Process.Pid)); got != script {
		t.Errorf("%q, want %q", got, script)
	}
}
