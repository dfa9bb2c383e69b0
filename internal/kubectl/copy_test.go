//go:build unix

package kubectl

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// stand is a stand-in for kubectl that notes how it is called.
type stand struct {
	*Client
	log string
}

const creating = "echo 'Creating debugging pod node-debugger-n-abcde with container debugger on node n.'\n"

// newStand returns one that runs debug for kubectl debug and answers phases for get pods,
// one after the other, the last again and again.
func newStand(t *testing.T, debug string, phases ...string) *stand {
	t.Helper()
	folder := t.TempDir()
	script := "#!/bin/sh\ncd " + folder + "\necho \"$*\" >>log\ncase \"$1\" in\ndebug)\n" + debug + "\n;;\nget)\n" +
		"n=$(grep -c '^get pods' log)\n"
	for i, phase := range phases {
		script += "[ $n -le " + string(rune('1'+i)) + " ] && echo 'node-debugger-n-abcde " + phase + "' && exit\n"
	}
	script += "esac\nexit 0\n"
	program := filepath.Join(folder, "kubectl")
	if err := os.WriteFile(program, []byte(script), 0o700); err != nil {
		t.Fatal(err)
	}
	return &stand{&Client{Program: program, Image: "image", Stderr: io.Discard, Stdout: io.Discard}, filepath.Join(folder, "log")}
}

func (s *stand) calls() string {
	b, _ := os.ReadFile(s.log)
	return string(b)
}

const deletion = "delete pod node-debugger-n-abcde --wait=false --ignore-not-found\n"

// copy runs Copy until it is called and interrupts it then if it should.
func (s *stand) copy(t *testing.T, interrupt bool, w io.Writer) error {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	ended := make(chan error, 1)
	go func() { ended <- s.Copy(ctx, Target{Node: "n"}, nil, w) }()
	for i := 0; interrupt && i < 100 && !strings.Contains(s.calls(), "ready\n"); i++ {
		time.Sleep(50 * time.Millisecond)
	}
	if interrupt {
		time.Sleep(100 * time.Millisecond) // what was printed is read
		cancel()
	}
	select {
	case err := <-ended:
		return err
	case <-time.After(20 * time.Second):
		t.Fatalf("Copy does not return; kubectl was called by:\n%s", s.calls())
		return nil
	}
}

// TestCopyInterruptedEarly: also while the image is pulled an interrupt ends kubectl, and
// deletes the pod if there is one. A child of kubectl may hold its output.
func TestCopyInterruptedEarly(t *testing.T) {
	for name, c := range map[string]struct {
		debug   string
		removed bool
	}{
		"no pod":    {"echo ready >>log; exec sleep 60", false},
		"pulling":   {creating + "echo ready >>log; exec sleep 60", true},
		"its child": {creating + "echo ready >>log; sleep 60", true},
	} {
		t.Run(name, func(t *testing.T) {
			s := newStand(t, c.debug)
			var got bytes.Buffer
			if err := s.copy(t, true, &got); err != nil || got.Len() != 0 {
				t.Errorf("%v and %q, want neither", err, got.String())
			}
			if removed := strings.Contains(s.calls(), deletion); removed != c.removed {
				t.Errorf("the pod was deleted: %v; want %v; calls:\n%s", removed, c.removed, s.calls())
			}
		})
	}
}

// TestCopyInterrupted: the end of a recording comes after the pod was deleted.
func TestCopyInterrupted(t *testing.T) {
	s := newStand(t, creating+"echo '{\"a\"}'\necho ready >>log\nuntil grep -q '^delete' log; do sleep 0.1; done\necho '{\"z\"}'")
	var got bytes.Buffer
	if err := s.copy(t, true, &got); err != nil || got.String() != "{\"a\"}\n{\"z\"}\n" {
		t.Errorf("%v and %q, want both lines", err, got.String())
	}
}

// full fails as a disk does that is full.
type full struct{}

func (full) Write([]byte) (int, error) { return 0, syscall.ENOSPC }

// TestCopyToFullDisk: kubectl does not wait for ever for a reader, and the pod goes.
func TestCopyToFullDisk(t *testing.T) {
	s := newStand(t, creating+"while echo '{\"kind\":\"teardown\"}'; do :; done; exec sleep 60")
	if err := s.copy(t, false, full{}); !errors.Is(err, syscall.ENOSPC) {
		t.Errorf("%v, want %v", err, syscall.ENOSPC)
	}
	if !strings.Contains(s.calls(), deletion) {
		t.Errorf("the pod was not deleted; calls:\n%s", s.calls())
	}
}

// TestPodsGo: no pod is left although Kubernetes says for a moment that it still runs.
func TestPodsGo(t *testing.T) {
	s := newStand(t, creating+"echo '{}'", "Running")
	if err := s.copy(t, false, io.Discard); err != nil || !strings.Contains(s.calls(), deletion) {
		t.Errorf("a copy: %v; calls:\n%s", err, s.calls())
	}
	s = newStand(t, "", "Running", "Running", "Succeeded")
	if err := s.Screen(t.Context(), Target{Node: "n"}, nil); err != nil || !strings.Contains(s.calls(), deletion) {
		t.Errorf("a screen: %v; calls:\n%s", err, s.calls())
	}
}
