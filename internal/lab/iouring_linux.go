package lab

import (
	"encoding/binary"
	"fmt"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Not in x/sys: include/uapi/linux/io_uring.h.
const (
	ringOpClose      = 19 // IORING_OP_CLOSE
	ringEnterGet     = 1  // IORING_ENTER_GETEVENTS
	ringEntriesAt    = 0x10000000
	ringParamsSize   = 120
	ringEntrySize    = 64
	ringCompleteSize = 16
)

// ring is an io_uring with room for one operation at a time.
type ring struct {
	fd             int
	params         [ringParamsSize]byte
	rings, entries []byte
}

// param reads a field of struct io_uring_params: sq_off is at 40, cq_off at 80.
func (r *ring) param(at int) int { return int(binary.NativeEndian.Uint32(r.params[at:])) }

func openRing() (*ring, error) {
	r := &ring{}
	fd, _, errno := unix.Syscall(unix.SYS_IO_URING_SETUP, 1, uintptr(unsafe.Pointer(&r.params)), 0)
	if errno != 0 {
		return nil, fmt.Errorf("set up io_uring: %w", errno)
	}
	r.fd = int(fd)
	submissions, completions := r.param(0), r.param(4)
	size := max(r.param(40+24)+4*submissions, r.param(80+20)+ringCompleteSize*completions)
	var err error
	r.rings, err = unix.Mmap(r.fd, 0, size, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED|unix.MAP_POPULATE)
	if err == nil {
		r.entries, err = unix.Mmap(r.fd, ringEntriesAt, ringEntrySize*submissions,
			unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED|unix.MAP_POPULATE)
	}
	if err != nil {
		r.close()
		return nil, fmt.Errorf("map io_uring: %w", err)
	}
	return r, nil
}

func (r *ring) close() {
	for _, area := range [][]byte{r.rings, r.entries} {
		if area != nil {
			_ = unix.Munmap(area)
		}
	}
	_ = unix.Close(r.fd)
}

// closeFD submits the first and only operation and waits for its result. The
// system call orders the writes before what the kernel reads.
func (r *ring) closeFD(fd int) error {
	r.entries[0] = ringOpClose
	binary.NativeEndian.PutUint32(r.entries[4:], uint32(fd))
	binary.NativeEndian.PutUint32(r.rings[r.param(40+24):], 0) // sq array: entry 0
	binary.NativeEndian.PutUint32(r.rings[r.param(40+4):], 1)  // sq tail
	if _, _, errno := unix.Syscall6(unix.SYS_IO_URING_ENTER, uintptr(r.fd), 1, 1, ringEnterGet, 0, 0); errno != 0 {
		return errno
	}
	result := int32(binary.NativeEndian.Uint32(r.rings[r.param(80+20)+8:]))
	if result < 0 {
		return unix.Errno(-result)
	}
	return nil
}

// ringClose closes FD through io_uring.
func ringClose(q *request, _ *reply) error {
	r, err := openRing()
	if err != nil {
		return err
	}
	defer r.close()
	return r.closeFD(q.FD)
}

func probeRing() error {
	r, err := openRing()
	if err == nil {
		r.close()
	}
	return err
}
