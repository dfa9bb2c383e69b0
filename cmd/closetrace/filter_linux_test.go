package main

import (
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"
)

// TestFilterFailsLive: records on which a filter fails are not recorded, and the last
// message says so.
func TestFilterFailsLive(t *testing.T) {
	needCapabilities(t)
	closetrace := program(t)
	for _, args := range [][]string{
		{"record", "-o", "-"},
		{"live", "--plain"},
		{"summary", "--live"},
		{"diagnose", "--live"},
	} {
		c := exec.Command(closetrace, append(args, "--filter", "process.pid % 0 == 1", "--duration", "1500ms")...)
		quit := make(chan struct{})
		var load sync.WaitGroup
		load.Go(func() {
			for {
				select {
				case <-quit:
					return
				case <-time.After(50 * time.Millisecond):
					p := newPair(t)
					p.client.Close()
					p.server.Close()
				}
			}
		})
		r := runProgram(t, c)
		close(quit)
		load.Wait()
		if r.code != exitRuntime || strings.Count(r.errors, "the filter failed") != 1 {
			t.Errorf("%v: exit %d with %q, want %d and that it is said once", args, r.code, r.errors, exitRuntime)
		}
		if strings.Contains(r.out, "graceful fin") || strings.Contains(r.out, `"kind":"teardown"`) {
			t.Errorf("%v: a record passes:\n%s", args, r.out)
		}
		if args[0] == "diagnose" && !strings.Contains(r.out, "findings among 0 connections") {
			t.Errorf("%v: what was found until then is not shown: %q", args, r.out)
		}
	}
}
