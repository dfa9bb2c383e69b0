package main

import (
	"bytes"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// TestInterruptedPipe: Ctrl-C while a pipe is read shows what was read, also ends that are
// held back for what may follow.
func TestInterruptedPipe(t *testing.T) {
	made, err := os.ReadFile(captureOf(t))
	if err != nil {
		t.Fatal(err)
	}
	recorded, err := os.ReadFile(recordingOf(t))
	if err != nil {
		t.Fatal(err)
	}
	path := program(t)
	for _, x := range []struct {
		args []string
		data []byte
		want string
	}{
		{[]string{"summary", "-"}, made, "peer-reset"},
		{[]string{"diagnose", "-"}, made, "\n"},
		{[]string{"report", "-", "-o", "-"}, made, "</html>"},
		{[]string{"replay", "-"}, made, "peer-reset"},
		{[]string{"summary", "-"}, recorded, "peer-reset"},
	} {
		in, feed, err := os.Pipe()
		if err != nil {
			t.Fatal(err)
		}
		defer feed.Close()
		if _, err := feed.Write(x.data); err != nil {
			t.Fatal(err)
		}
		c := exec.Command(path, x.args...)
		var out, errs bytes.Buffer
		c.Stdin, c.Stdout, c.Stderr = in, &out, &errs
		if err := c.Start(); err != nil {
			t.Fatal(err)
		}
		in.Close()
		time.AfterFunc(30*time.Second, func() { _ = c.Process.Kill() })
		for left := 1; left > 0; time.Sleep(time.Millisecond) {
			if left, err = unix.IoctlGetInt(int(feed.Fd()), unix.TIOCINQ); err != nil {
				t.Fatal(err)
			}
		}
		if err := c.Process.Signal(unix.SIGINT); err != nil {
			t.Fatal(err)
		}
		if err := c.Wait(); err != nil || !strings.Contains(out.String(), x.want) {
			t.Errorf("%v: %v, want %q in\n%s%s", x.args, err, x.want, out.String(), errs.String())
		}
	}
}
