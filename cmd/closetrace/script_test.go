package main

import (
	"errors"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/closetrace/closetrace/internal/lab"
)

func TestMain(m *testing.M) {
	lab.Main()
	if slices.ContainsFunc(os.Args, func(arg string) bool { return strings.HasPrefix(arg, "-test.") }) {
		// Under sudo make test, commands would run as its user, who may not enter root's folders.
		for _, name := range []string{"SUDO_UID", "SUDO_GID", "SUDO_USER"} {
			os.Unsetenv(name)
		}
	}
	testscript.Main(m, map[string]func(){
		"closetrace": func() { os.Exit(run(os.Args[1:], os.Stdin, os.Stdout, os.Stderr)) },
	})
}

// TestScript runs the command lines of testdata/script. The condition [trace] holds if
// this kernel can be traced.
func TestScript(t *testing.T) {
	traceable := canTrace()
	if !traceable && strings.Contains(os.Getenv("CLOSETRACE_REQUIRE"), "bpf") {
		t.Fatal("this kernel cannot be traced, and CLOSETRACE_REQUIRE has bpf")
	}
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata/script",
		RequireExplicitExec: false,
		Cmds:                map[string]func(*testscript.TestScript, bool, []string){"wrong": wrong},
		Condition: func(name string) (bool, error) {
			return name == "trace" && traceable, nil
		},
	})
}

// wrong runs a command line that is wrong: exit code 2, as documented.
func wrong(ts *testscript.TestScript, _ bool, args []string) {
	var exit *exec.ExitError
	if err := ts.Exec(args[0], args[1:]...); !errors.As(err, &exit) || exit.ExitCode() != exitUsage {
		ts.Fatalf("%v: %v, want exit code %d", args, err, exitUsage)
	}
}
