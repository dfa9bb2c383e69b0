package main

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"sync/atomic"
	"time"

	"github.com/klauspost/compress/zstd"
	"golang.org/x/sys/unix"
)

// settle is how long a tracer that does not say when it is live gets.
const settle = 3 * time.Second

// screen takes what a tracer draws, and throws it away.
type screen struct{ bytes atomic.Int64 }

// Write implements [io.Writer].
func (s *screen) Write(p []byte) (int, error) {
	s.bytes.Add(int64(len(p)))
	return len(p), nil
}

// await waits until the tracer is live. A load that begins before would have ends
// that nobody can see, and they would look like a silent loss: once, on a busy
// machine, a start took longer than the time that was given to it.
func (t *tracer) await() error {
	limit, tells := settle, t.ours && !t.discards
	if tells {
		limit = patience
	}
	for time.Since(t.began) < limit {
		switch {
		case tells && t.isLive():
			t.startUp = time.Since(t.began)
			return nil
		case t.hasEnded():
			return errors.New("it has ended")
		}
		time.Sleep(time.Millisecond)
	}
	if tells {
		return errors.New("it did not say that it is live")
	}
	return nil
}

// isLive: a recording begins with its start line, and the screen is drawn, when
// every hook is attached.
func (t *tracer) isLive() bool {
	if t.contender.terminal {
		return t.drawn.bytes.Load() > 0
	}
	text, err := os.ReadFile(t.path)
	if err != nil || len(text) == 0 {
		return false
	}
	if filepath.Ext(t.path) == ".zst" {
		frames, err := zstd.NewReader(bytes.NewReader(text), zstd.WithDecoderConcurrency(1))
		if err != nil {
			return false
		}
		defer frames.Close()
		line := make([]byte, 512)
		n, _ := frames.Read(line) // a part of the frame may be missing yet
		text = line[:n]
	}
	return bytes.Contains(text, []byte(ready))
}

func (t *tracer) hasEnded() bool {
	var state unix.Siginfo
	err := unix.Waitid(unix.P_PID, t.process.Process.Pid, &state, unix.WEXITED|unix.WNOHANG|unix.WNOWAIT, nil)
	return err == nil && state.Signo != 0
}
