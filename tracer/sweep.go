//go:build linux

package tracer

import (
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
	"time"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/link"
)

const (
	// sweepProgram is loaded in every mode.
	sweepProgram = "sweep"
	// sweepEvery is the least time between two sweeps: an end that was not shown
	// is told after the second.
	sweepEvery = time.Second
	// lastSweeps is the time between the two at the end of the trace: an end that is
	// being told when the first comes is told by the second.
	lastSweeps = 50 * time.Millisecond
	// sweepShare is the part of a processor's time that sweeps may take: a
	// million connections take long, and are then looked at less often.
	sweepShare = 100
	// sweepAtOnce entries are looked at in one system call.
	sweepAtOnce = 4096
)

// sweeper looks for connections that have ended although no program was shown
// their end, by a program that is run for each entry of the table.
type sweeper struct {
	mu    sync.Mutex // Close may be called while events are read
	link  *link.Iter
	final [2]io.ReadCloser // the last runs; they can't be opened without privileges before 5.19
	every time.Duration
	next  ktime
}

func newSweeper(objects *ebpf.Collection) (_ *sweeper, err error) {
	s := &sweeper{every: sweepEvery, next: monotonic().add(sweepEvery)}
	s.link, err = link.AttachIter(link.IterOptions{Program: objects.Programs[sweepProgram], Map: objects.Maps["conns"]})
	if err != nil {
		return nil, fmt.Errorf("attach %s: %w", sweepProgram, err)
	}
	for i := range s.final {
		if s.final[i], err = s.link.Open(); err != nil {
			return s, fmt.Errorf("prepare %s: %w", sweepProgram, err)
		}
	}
	return s, nil
}

// sweep looks at all connections if it is time to. Where the kernel does not allow
// a process without privileges to run the program, only the end of the trace tells.
func (s *sweeper) sweep() {
	s.mu.Lock()
	defer s.mu.Unlock()
	began := monotonic()
	if s.link == nil || began < s.next {
		return
	}
	if run, err := s.link.Open(); err == nil {
		_, _ = readThrough(run) // what it did not reach waits for the next
		run.Close()
	}
	now := monotonic()
	s.next = now.add(max(s.every, sweepShare*time.Duration(now-began)))
}

// finish looks at all connections for the last time but one and the last time.
// The other programs must still run: without them, what ends meanwhile would be
// told as not shown.
func (s *sweeper) finish(number int) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.link == nil {
		return os.ErrClosed
	}
	_, err := readThrough(s.final[number])
	return err
}

// readThrough runs the program for all entries, and returns their number.
func readThrough(run io.Reader) (entries int, err error) {
	var seen [sweepAtOnce]byte
	for {
		n, err := run.Read(seen[:])
		entries += n
		if err != nil || n == 0 {
			if errors.Is(err, io.EOF) {
				err = nil
			}
			return entries, err
		}
	}
}

// Close lets the program go.
func (s *sweeper) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.link == nil {
		return nil
	}
	errs := []error{s.link.Close()}
	for _, run := range s.final {
		if run != nil {
			errs = append(errs, run.Close())
		}
	}
	s.link = nil
	return errors.Join(errs...)
}
