package main

import (
	"runtime"
	"strings"
	"testing"
)

// helpOf returns a command's help, its spaces as one.
func helpOf(t *testing.T, command string) string {
	t.Helper()
	var out, errs strings.Builder
	if code := run([]string{command, "--help"}, strings.NewReader(""), &out, &errs); code != 0 {
		t.Fatalf("%s --help: exit code %d: %s", command, code, errs.String())
	}
	return strings.Join(strings.Fields(out.String()), " ")
}

// TestHelpOfNumbers: where a number depends on other flags, the help says so.
func TestHelpOfNumbers(t *testing.T) {
	for command, want := range map[string]string{
		"summary": "where memory allows); of a packet capture 262144", "diagnose": "where memory allows); of a packet capture 262144",
		"list": "write --watch=5s", "kill": "0: no limit, as with --process (default 1)",
	} {
		if help := helpOf(t, command); !strings.Contains(help, want) {
			t.Errorf("%s --help does not say %q:\n%s", command, want, help)
		}
	}
}

// TestHelpOfUser: each command says whose user a trace becomes there, and only those that
// run a command say who runs it.
func TestHelpOfUser(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("there is no --user")
	}
	for _, command := range []string{"live", "record", "agent", "demo", "summary", "diagnose"} {
		help := helpOf(t, command)
		if own := strings.Contains(help, "default the user that started it"); own != (command == "agent") {
			t.Errorf("%s --help: the default is who started it: %v", command, own)
		}
		if runs := strings.Contains(help, "a command after -- runs as it"); runs != (command == "live" || command == "record") {
			t.Errorf("%s --help: it runs a command: %v", command, runs)
		}
	}
}
