package session

import (
	"context"
	"io"
	"os"
	"os/signal"
	"syscall"
	"time"
)

// lastWords is how long a pipe is read after a signal: Ctrl-C ends its writer, too, which
// may write what it still holds.
const lastWords = 500 * time.Millisecond

// interruptible ends with [io.EOF] after SIGINT or SIGTERM, so that what was read is shown.
// A second signal ends the program. Reads of standard input can't be interrupted: a
// goroutine waits for them.
type interruptible struct {
	*io.PipeReader
	stop func() // catch signals no more
	in   io.Closer
}

func newInterruptible(in io.ReadCloser) *interruptible {
	r, w := io.Pipe()
	signals, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	go func() {
		_, err := io.Copy(w, in)
		stop()
		w.CloseWithError(err)
	}()
	go func() {
		<-signals.Done()
		time.Sleep(twice)
		stop()
		time.Sleep(lastWords - twice)
		_ = w.Close()
	}()
	return &interruptible{r, stop, in}
}

// Close closes the pipe.
func (p *interruptible) Close() error {
	p.stop()
	_ = p.PipeReader.Close() // for the goroutine
	return p.in.Close()
}
