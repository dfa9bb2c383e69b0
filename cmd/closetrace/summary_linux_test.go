package main

import (
	"bufio"
	"errors"
	"os/exec"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/sys/unix"
)

// TestRepeatFails: who repeats learns that it failed, at once and at the end.
func TestRepeatFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		failed := make(chan struct{})
		calls := 0
		stop := repeat(time.Second, func() error {
			if calls++; calls == 3 {
				return unix.EPIPE
			}
			return nil
		}, func() { close(failed) })
		<-failed
		if err := stop(); !errors.Is(err, unix.EPIPE) || calls != 3 {
			t.Errorf("%v after %d calls, want %v after 3", err, calls, unix.EPIPE)
		}
	})
}

// TestSummaryReaderGone: the trace ends when nobody reads what is printed again and again.
func TestSummaryReaderGone(t *testing.T) {
	needCapabilities(t)
	c := exec.Command(program(t), "summary", "--live", "--every", "100ms", "--duration", "1m")
	out, err := c.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	if _, err := bufio.NewReader(out).ReadString('\n'); err != nil {
		t.Error(err)
	}
	out.Close()
	late := time.AfterFunc(patience, func() { c.Process.Kill() })
	defer late.Stop()
	if err := c.Wait(); err != nil {
		t.Errorf("%v, want exit code 0 without the minute", err)
	}
}
