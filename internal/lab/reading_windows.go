package lab

import (
	"errors"
	"fmt"
	"runtime"
	"time"

	"golang.org/x/sys/windows"
)

// reading is a WSARecv that waits already when something happens to its
// connection. One that begins in the same moment as a reset may tell of the end of
// the stream on Wine: its server lets the client read, and takes SO_ERROR from the
// socket (server/sock.c, sock_poll_event) before the client's recvmsg() can.
type reading struct {
	s          socket
	b          []byte
	overlapped *windows.Overlapped
	pinned     runtime.Pinner // the system writes to them
}

// patience is how long a peer waits to read something.
const patience = 20 * time.Second

// read begins to read; what it returns must be drained.
func (s socket) read() (*reading, error) {
	event, err := windows.CreateEvent(nil, 1, 0, nil)
	if err != nil {
		return nil, fmt.Errorf("make event: %w", err)
	}
	r := &reading{s: s, b: make([]byte, buffer), overlapped: &windows.Overlapped{HEvent: event}}
	r.pinned.Pin(&r.b[0])
	r.pinned.Pin(r.overlapped)
	var flags uint32
	wanted := windows.WSABuf{Len: uint32(len(r.b)), Buf: &r.b[0]}
	err = windows.WSARecv(windows.Handle(s), &wanted, 1, nil, &flags, r.overlapped, nil)
	if err != nil && !errors.Is(err, windows.ERROR_IO_PENDING) {
		r.release()
		return nil, fmt.Errorf("begin to read: %w", err)
	}
	return r, nil
}

// drain waits for what was begun, reads to the end and returns the name of its
// error, if it was one.
func (r *reading) drain() string {
	defer r.release()
	h := windows.Handle(r.s)
	if woken, _ := windows.WaitForSingleObject(r.overlapped.HEvent, uint32(patience/time.Millisecond)); woken != windows.WAIT_OBJECT_0 {
		windows.CancelIoEx(h, r.overlapped)
	}
	var n, flags uint32
	if err := windows.WSAGetOverlappedResult(h, r.overlapped, &n, true, &flags); err != nil {
		return nameOf(err)
	}
	if n == 0 {
		return ""
	}
	return r.s.drain()
}

func (r *reading) release() {
	windows.CloseHandle(r.overlapped.HEvent)
	r.pinned.Unpin()
}
