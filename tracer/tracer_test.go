//go:build linux

package tracer

import (
	"errors"
	"net"
	"os"
	"strings"
	"testing"

	"github.com/closetrace/closetrace/internal/lab/sourcetest"
	"github.com/closetrace/closetrace/model"
)

// TestStart: a recording knows the boot it was made in.
func TestStart(t *testing.T) {
	tr := &Tracer{loaded: &loaded{mode: Tracepoint}}
	id, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		t.Skip(err)
	}
	if got, want := tr.Start().BootID, strings.TrimSuffix(string(id), "\n"); got != want {
		t.Errorf("boot %q, want %q", got, want)
	}
}

// TestOpenWithoutCapabilities: missing capabilities are named before anything fails.
func TestOpenWithoutCapabilities(t *testing.T) {
	err := withOnly(func() error {
		tr, err := Open(Options{})
		if err == nil {
			tr.Close()
		}
		return err
	})
	var missing *PrivilegeError
	if !errors.As(err, &missing) || len(missing.Missing) != 3 {
		t.Errorf("got %v, want the three capabilities", err)
	}
}

// TestCommandLineOnlyWhenAsked: it may hold secrets.
func TestCommandLineOnlyWhenAsked(t *testing.T) {
	for _, asked := range []bool{false, true} {
		tr := OpenOrSkip(t, Options{CommandLine: asked})
		l, err := net.Listen("tcp4", "127.0.0.1:0")
		fatal(t, err)
		c := connected(t, l)
		records := sourcetest.RecordWhile(t, tr, func() {
			c.client.Close()
			c.server.Close()
		})
		l.Close()
		ends := 0
		for i := range records {
			p := &records[i].Teardown.Process
			if records[i].Kind != model.KindTeardown || p.PID != os.Getpid() {
				continue
			}
			ends++
			if (p.CommandLine != "") != asked {
				t.Errorf("asked %v: command line %q", asked, p.CommandLine)
			}
		}
		if ends == 0 {
			t.Error("no end of ours was told")
		}
	}
}
