//go:build linux

package tracer_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/closetrace/closetrace/internal/sandbox"
	"github.com/closetrace/closetrace/internal/sandbox/sandboxtest"
	"github.com/closetrace/closetrace/model"
	"github.com/closetrace/closetrace/tracer"
)

// counted is what a tracer in its sandbox still saw, and what else it could do.
type counted struct {
	Teardowns, Lost, Refused int
	Allowed                  []string
	Skipped                  string
}

// traceInSandbox opens a trace in the mode of its first argument and enters the
// sandbox. It traces the connections of another process, first some, then more than
// the small ring holds, and tries what is forbidden meanwhile.
func traceInSandbox() error {
	var c counted
	tr, err := tracer.Open(tracer.Options{Mode: tracer.Mode(os.Args[1]), RingSize: uint32(os.Getpagesize())})
	if err != nil {
		c.Skipped = err.Error()
		return json.NewEncoder(os.Stdout).Encode(c)
	}
	defer tr.Close()
	box, err := sandbox.New(sandbox.Options{})
	if err != nil {
		return err
	}
	connect, done, err := connector()
	if err != nil {
		return err
	}
	defer done()
	landlock := sandbox.Landlock()
	if err := box.Enter(nil); err != nil {
		return err
	}
	if p, err := tracer.Open(tracer.Options{}); err == nil {
		p.Close()
		return fmt.Errorf("a trace can be opened in the sandbox")
	}
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	if err := connect(2); err != nil {
		return err
	}
	for r, err := range model.Judged(tr.Events(ctx)) {
		if err != nil {
			return err
		}
		switch r.Kind {
		case model.KindTeardown:
			if c.Teardowns++; c.Teardowns > 1 {
				continue
			}
			c.Refused, c.Allowed = sandboxtest.Try(os.Args[2], landlock)
			if err := connect(200); err != nil { // while nobody reads the ring
				return err
			}
		case model.KindLoss:
			c.Lost += int(r.Loss.Count)
			cancel()
		default:
		}
	}
	return json.NewEncoder(os.Stdout).Encode(c)
}

// connector starts a process that makes connections when it is asked to.
func connector() (connect func(times byte) error, done func(), err error) {
	c := command("connections")
	in, err := c.StdinPipe()
	if err != nil {
		return nil, nil, err
	}
	out, err := c.StdoutPipe()
	if err != nil {
		return nil, nil, err
	}
	connect = func(times byte) error {
		if _, err := in.Write([]byte{times}); err != nil {
			return err
		}
		_, err := io.ReadFull(out, make([]byte, 1))
		return err
	}
	return connect, func() { in.Close(); _ = c.Wait() }, c.Start()
}

// makeConnections is the other side.
func makeConnections() error {
	times := make([]byte, 1)
	for {
		if _, err := os.Stdin.Read(times); err != nil {
			return nil // no more requests
		}
		if err := shortConnections(int(times[0])); err != nil {
			return err
		}
		if _, err := os.Stdout.Write(times); err != nil {
			return err
		}
	}
}

func shortConnections(times int) error {
	listener, port, err := listenTCP()
	if err != nil {
		return err
	}
	defer unix.Close(listener)
	for range times {
		fd, err := dialTCP([4]byte{}, port)
		if err != nil {
			return err
		}
		peer, _, err := unix.Accept(listener)
		if err != nil {
			return err
		}
		unix.Close(fd)
		unix.Close(peer)
	}
	return nil
}

// TestSandbox: events and losses come through in the sandbox, also where the bpf system
// call asks for capabilities each time (before 5.19), and everything that a decoder with
// a flaw might be exploited for is refused.
func TestSandbox(t *testing.T) {
	requireRoot(t)
	folder, err := os.MkdirTemp("", "everybody")
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(folder)
	file := filepath.Join(folder, "everybody")
	if err := errors.Join(os.WriteFile(file, nil, 0o600), os.WriteFile(filepath.Join(folder, "root"), nil, 0o600), os.Chmod(folder, 0o777), os.Chmod(file, 0o666)); err != nil {
		t.Fatal(err)
	}
	for _, mode := range tracer.TypedModes() {
		t.Run(string(mode), func(t *testing.T) {
			open(t, tracer.Options{Mode: mode}).Close()
			var c counted
			answer(t, command("sandboxed", string(mode), folder), &c)
			if c.Skipped != "" {
				t.Fatalf("open: %s", c.Skipped)
			}
			if c.Teardowns == 0 || c.Lost == 0 {
				t.Errorf("%d teardowns and %d losses, want some of both", c.Teardowns, c.Lost)
			}
			if c.Refused < 20 || len(c.Allowed) > 0 {
				t.Errorf("%d refused, and not: %s", c.Refused, strings.Join(c.Allowed, "; "))
			}
			t.Logf("%+v", c)
		})
	}
}
