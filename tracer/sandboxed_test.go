//go:build linux

package tracer_test

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/closetrace/closetrace/model"
	"github.com/closetrace/closetrace/tracer"
)

// counted is what a tracer without privileges still saw.
type counted struct {
	Teardowns, Lost int
	Skipped         string
}

// traceWithoutPrivileges opens a trace in the mode of its argument, gives up all
// capabilities and traces its own connections: first some, then more than the
// small ring holds.
func traceWithoutPrivileges() error {
	var c counted
	tr, err := tracer.Open(tracer.Options{Mode: tracer.Mode(os.Args[1]), RingSize: uint32(os.Getpagesize())})
	if err != nil {
		c.Skipped = err.Error()
		return json.NewEncoder(os.Stdout).Encode(c)
	}
	defer tr.Close()
	if err := tracer.DropPrivileges(); err != nil {
		return err
	}
	if p, err := tracer.Open(tracer.Options{}); err == nil {
		p.Close()
		return fmt.Errorf("a trace can be opened without privileges")
	}
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	if err := shortConnections(2); err != nil {
		return err
	}
	flooded := false
	for r, err := range model.Judged(tr.Events(ctx)) {
		if err != nil {
			return err
		}
		switch r.Kind {
		case model.KindTeardown:
			c.Teardowns++
			if !flooded { // while this runs nobody reads the ring
				flooded = true
				if err := shortConnections(200); err != nil {
					return err
				}
			}
		case model.KindLoss:
			c.Lost += int(r.Loss.Count)
			cancel()
		default:
		}
	}
	return json.NewEncoder(os.Stdout).Encode(c)
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

// TestDropPrivileges: events and losses come through after all capabilities are
// gone, also where the bpf system call asks for them each time (before 5.19).
func TestDropPrivileges(t *testing.T) {
	requireRoot(t)
	for _, mode := range tracer.Modes() {
		t.Run(string(mode), func(t *testing.T) {
			open(t, tracer.Options{Mode: mode}).Close()
			var c counted
			answer(t, command("dropped", string(mode)), &c)
			if c.Skipped != "" {
				t.Fatalf("open: %s", c.Skipped)
			}
			if c.Teardowns == 0 || c.Lost == 0 {
				t.Errorf("%d teardowns and %d losses, want some of both", c.Teardowns, c.Lost)
			}
			t.Logf("%+v", c)
		})
	}
}
