package main

import (
	"os/exec"
	"strings"
	"testing"
)

// TestAbsentName: a name that no process has is reported, with the name that was meant.
func TestAbsentName(t *testing.T) {
	names := []string{"nginx", "postgres", "java", "systemd-resolve"}
	for name, want := range map[string]string{
		"nginx":                 "",
		"ngimx":                 `--process "ngimx": no process has this name yet; did you mean nginx?`,
		"nosuchatall":           `--process "nosuchatall": no process has this name yet`,
		"systemd-resolved-long": `the kernel keeps 15 bytes of it, --process "systemd-resolve"`,
	} {
		if got := absentName(name, names); (got == "") != (want == "") || !strings.HasSuffix(got, want) {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
}

// TestWarnsOfAbsent: a namespace and a process that do not exist are reported once, and
// those that exist are not.
func TestWarnsOfAbsent(t *testing.T) {
	needCapabilities(t)
	sleeper := exec.Command("sleep", "60")
	if err := sleeper.Start(); err != nil {
		t.Fatal(err)
	}
	defer sleeper.Wait()
	defer sleeper.Process.Kill()
	closetrace := program(t)
	for _, command := range []string{"list", "live --plain -d 100ms", "record -o - -d 100ms", "summary --live -d 100ms", "diagnose --live -d 100ms"} {
		args := strings.Fields(command)
		r := runProgram(t, exec.Command(closetrace, append(args, "--netns", "12345", "--process", "slepp")...))
		for _, want := range []string{
			`closetrace: --process "slepp": no process has this name yet; did you mean sleep?`,
			"closetrace: --netns 12345: no such network namespace is seen yet; there is ", "(this)",
		} {
			if strings.Count(r.errors, want) != 1 {
				t.Errorf("%s: %q, want %q once", command, r.errors, want)
			}
		}
		if r := runProgram(t, exec.Command(closetrace, append(args, "--netns", "self", "--process", "sleep")...)); strings.Contains(r.errors, "yet") {
			t.Errorf("%s: warned of what is there: %q", command, r.errors)
		}
	}
}
