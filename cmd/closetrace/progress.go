package main

import (
	"fmt"
	"io"
	"time"
)

// progress shows how much of all is done, on a terminal and after a second. The
// returned function ends it and may be called again.
func (a *app) progress(progress func() (part, all int64)) (done func()) {
	if !isTerminal(a.stderr) {
		return func() {}
	}
	quit := make(chan struct{})
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		showProgress(a.stderr, progress, quit)
	}()
	stopped := false
	return func() {
		if !stopped {
			stopped = true
			close(quit)
			<-ended
		}
	}
}

// clearing ends a bar before the first output, which goes to the same terminal.
type clearing struct {
	out  io.Writer
	done func()
}

// Write implements [io.Writer].
func (c *clearing) Write(p []byte) (int, error) {
	c.done()
	return c.out.Write(p)
}

// showProgress draws a bar every quarter of a second, from the second on.
func showProgress(out io.Writer, progress func() (read, size int64), quit <-chan struct{}) {
	ticker := time.NewTicker(250 * time.Millisecond)
	defer ticker.Stop()
	for ticks := 1; ; ticks++ {
		select {
		case <-quit:
			if ticks > 4 {
				fmt.Fprint(out, "\r\x1b[K")
			}
			return
		case <-ticker.C:
		}
		if read, size := progress(); ticks >= 4 && size > 0 {
			const width = 40
			read = min(read, size) // a file that is still written grows
			full := int(read * width / size)
			fmt.Fprintf(out, "\r[%-*s] %3d %%", width, "########################################"[:full], read*100/size)
		}
	}
}
