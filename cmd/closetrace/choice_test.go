package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"syscall"
	"testing"

	"github.com/spf13/pflag"

	"github.com/closetrace/closetrace/model"
)

// TestExitCodes: scripts rely on the numbers, which the help and the README have.
func TestExitCodes(t *testing.T) {
	for _, c := range []struct {
		err  error
		want int
	}{
		{nil, 0},
		{syscall.EPIPE, 0},
		{errStopped, 0},
		{errors.New("x"), 1},
		{fs.ErrNotExist, 1},
		{usage("x"), 2},
		{model.ErrFilter, 2},
		{model.ErrFilterFailed, 1},
		{errSource, 3},
		{errSelftest, 4},
		{errLost, 5},
		{commandError(130), 130},
		{errors.Join(errLost, commandError(7)), 7},
		{errors.Join(errLost, usage("x")), 2},
	} {
		wrapped := c.err
		if c.err != nil {
			wrapped = fmt.Errorf("trace: %w", c.err)
		}
		if got := exitCode(wrapped); got != c.want {
			t.Errorf("%v: exit code %d, want %d", c.err, got, c.want)
		}
	}
}

func TestMessages(t *testing.T) {
	for _, c := range []struct {
		err  error
		want string
	}{
		{&fs.PathError{Op: "open", Path: "a\x1b", Err: os.ErrNotExist}, `a\x1b: no such file`},
		{errors.New("a\x1b"), `a\x1b`},
		{fmt.Errorf("%w: a\nb", model.ErrFilter), "filter: a\nb"},
		{errors.Join(errors.New("a"), errors.New("b"), errors.New("a")), "a; b"},
	} {
		if got := message(c.err); got != c.want {
			t.Errorf("got %q, want %q", got, c.want)
		}
	}
	if got := clipped(strings.Repeat("x", messageMax)); len(got) != messageMax {
		t.Errorf("a message with room has %d bytes", len(got))
	}
	if got := clipped(strings.Repeat("x", messageMax) + "y"); got != strings.Repeat("x", messageMax)+"..." {
		t.Errorf("got %d bytes", len(got))
	}
}

// TestFlagsAreExpressions: what each flag chooses, and what is no value of it.
func TestFlagsAreExpressions(t *testing.T) {
	for _, c := range []struct{ flags, want string }{
		{"", ""},
		{"--pid 7", "(process.pid == 7 || closer.pid == 7)"},
		{"--process nginx", `(process.name == "nginx" || closer.name == "nginx")`},
		{"--port 443", "(network.local.port == 443 || network.peer.port == 443)"},
		{"--peer 10.0.0.0/8", `cidr(network.peer.address, "10.0.0.0/8")`},
		{"--peer 10.0.0.9", `cidr(network.peer.address, "10.0.0.9/32")`},
		{"--verdict abortive,silent", `verdict in ["abortive", "silent"]`},
		{"--cause fin", `cause in ["fin"]`},
		{"-f true", "true"},
		{"-f true --filter false", "(true) && (false)"},
		{"-f true --port 1 --verdict silent", `(network.local.port == 1 || network.peer.port == 1) && verdict in ["silent"] && (true)`},
		{"--port 65535 --pid 2147483647", "(process.pid == 2147483647 || closer.pid == 2147483647) && (network.local.port == 65535 || network.peer.port == 65535)"},
	} {
		var choice choice
		set := pflag.NewFlagSet("", pflag.ContinueOnError)
		choice.flags(set)
		if err := set.Parse(strings.Fields(c.flags)); err != nil {
			t.Errorf("%s: %v", c.flags, err)
			continue
		}
		if f, err := choice.compile(); err != nil || f.String() != c.want {
			t.Errorf("%s: got %s, %v, want %s", c.flags, f, err, c.want)
		}
	}
	for _, wrong := range []string{
		"--port 0", "--port 65536", "--port -1", "--port x", "--pid 0", "--pid -1", "--pid 2147483648", "--pid x", "--peer x", "--peer 10.0.0.0/33",
		"--verdict rude", "--cause none-such", "--filter a)||(b --filter true", "-f process.nosuch==1",
	} {
		var choice choice
		set := pflag.NewFlagSet("", pflag.ContinueOnError)
		choice.flags(set)
		err := set.Parse(strings.Fields(wrong))
		if err == nil {
			if _, err = choice.compile(); exitCode(err) != exitUsage {
				t.Errorf("%s: %v, want a usage error", wrong, err)
			}
		}
	}
	var id processID
	if id.String() != "" || id.Set("812") != nil || id.String() != "812" {
		t.Errorf("a process ID is written as %q", id.String())
	}
}
