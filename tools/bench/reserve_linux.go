package main

import (
	"errors"
	"fmt"
	"io"
	"os"

	"golang.org/x/sys/unix"
)

// reserve is memory that the hypervisor has supplied, kept for what the tracers
// write. A virtual machine often gets a page only when it touches it, and gives
// free ones back within seconds (free page reporting, mm/page_reporting.c): a
// recording in memory would then measure the hypervisor, at 3 µs for a line. The
// pages are those of a deleted file; as a tracer's output grows, as many are freed.
type reserve struct {
	file     *os.File
	size     int64
	released int64 // from the beginning of the file
}

const (
	// reserveRate is more than a tracer writes in a second.
	reserveRate = 200 << 20
	// reserveLead is how much more is freed than was written: what may be written
	// until the next look.
	reserveLead = 64 << 20
)

// newReserve returns a reserve for output in a folder, or none where that is not
// in memory: a nil reserve has nothing to give.
func newReserve(folder string, size int64) (*reserve, error) {
	var fs unix.Statfs_t
	if err := unix.Statfs(folder, &fs); err != nil {
		return nil, fmt.Errorf("look at %s: %w", folder, err)
	}
	if fs.Type != unix.TMPFS_MAGIC {
		return nil, nil // nothing to reserve is no error
	}
	var info unix.Sysinfo_t
	if err := unix.Sysinfo(&info); err != nil {
		return nil, fmt.Errorf("read free memory: %w", err)
	}
	file, err := os.CreateTemp(folder, "bench-reserve-")
	if err != nil {
		return nil, err
	}
	r := &reserve{file: file, size: min(size, int64(info.Freeram)*int64(info.Unit)/3)}
	r.released = r.size
	return r, errors.Join(os.Remove(file.Name()), r.fill())
}

// fill takes back what was released. It comes right after an output was deleted, so
// that it gets the same pages.
func (r *reserve) fill() error {
	if r == nil {
		return nil
	}
	if _, err := r.file.Seek(0, io.SeekStart); err != nil {
		return err
	}
	if _, err := io.CopyN(r.file, zeros{}, r.released); err != nil {
		return fmt.Errorf("reserve memory: %w", err)
	}
	r.released = 0
	return nil
}

// release frees as much as was written, and some more.
func (r *reserve) release(written int64) {
	if r == nil {
		return
	}
	if until := min(written+reserveLead, r.size); until > r.released {
		const hole = unix.FALLOC_FL_PUNCH_HOLE | unix.FALLOC_FL_KEEP_SIZE
		if unix.Fallocate(int(r.file.Fd()), hole, r.released, until-r.released) == nil {
			r.released = until
		}
	}
}

// Close frees everything.
func (r *reserve) Close() error {
	if r == nil {
		return nil
	}
	return r.file.Close()
}

// zeros is an endless file of them.
type zeros struct{}

// Read implements [io.Reader].
func (zeros) Read(p []byte) (int, error) {
	clear(p)
	return len(p), nil
}
