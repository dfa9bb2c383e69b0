package sandbox

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"runtime"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"
)

// HelperCommand is the first argument of a process that is a helper; see [Serve] and internal/helper.
const HelperCommand = "sandbox-helper"

// question is what a helper is asked, and answer what it says; a file may come with it.
type question struct {
	Op       string
	PID      int    `json:",omitzero"`
	Name, To string `json:",omitzero"`
	Force    bool   `json:",omitzero"`
}

type answer struct {
	Text  []string      `json:",omitzero"`
	Path  string        `json:",omitzero"` // of an error
	Errno syscall.Errno `json:",omitzero"`
	Error string        `json:",omitzero"`
	// Exists: the error is that there is a file of that name.
	Exists bool `json:",omitzero"`
}

// existing is the error of a helper that there is a file of a name.
type existing struct{ text string }

func (e existing) Error() string { return e.text }

func (existing) Is(target error) bool { return target == fs.ErrExist }

// messageMax bounds a message of both: JSON writes each of the up to 4096 bytes of a path,
// which any user may choose, as six at most.
const messageMax = 64 << 10

// patience is how long a helper may think. One that takes longer is not asked again. One
// that writes may wait for a disk.
func patience(role string) *unix.Timeval {
	if role == "files" {
		return &unix.Timeval{Sec: 60}
	}
	return &unix.Timeval{Sec: 2}
}

// helper is the other side's end of a connection. Any goroutine may ask.
type helper struct {
	mu      sync.Mutex
	role    string
	conn    int // -1: gone
	command *exec.Cmd
}

var errGone = errors.New("the helper has ended")

// start begins a helper. It ends when its connection is closed, whatever ends us.
// It gets files as descriptors from 4 on.
func (b *Box) start(role string, files []*os.File, arguments ...string) (*helper, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, fmt.Errorf("find this program: %w", err)
	}
	ends, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("start helper %s: %w", role, err)
	}
	theirs := os.NewFile(uintptr(ends[1]), "helper")
	defer theirs.Close()
	h := &helper{role: role, conn: ends[0]}
	h.command = exec.Command(self, append([]string{HelperCommand, role}, arguments...)...) // #nosec G204 -- this program itself
	h.command.ExtraFiles = append([]*os.File{theirs}, files...)
	h.command.Stderr = os.Stderr
	h.command.SysProcAttr = &syscall.SysProcAttr{Setsid: true} // no ctrl-c of the terminal: we end it
	err = errors.Join(unix.SetsockoptTimeval(h.conn, unix.SOL_SOCKET, unix.SO_RCVTIMEO, patience(role)), startBounded(h.command))
	if err != nil {
		return nil, errors.Join(fmt.Errorf("start helper %s: %w", role, err), unix.Close(h.conn))
	}
	b.helpers = append(b.helpers, h)
	return h, nil
}

// startBounded starts a command by a thread that has given up what helpers don't need,
// and ends.
func startBounded(c *exec.Cmd) error {
	started := make(chan error)
	go func() {
		runtime.LockOSThread() // and never unlocked: no other goroutine gets this thread
		err := shrinkBounds()
		if err == nil {
			err = c.Start()
		}
		started <- err
	}()
	return <-started
}

func (h *helper) ask(q question) (answer, *os.File, error) {
	text, err := json.Marshal(&q)
	if err != nil {
		return answer{}, nil, err
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.conn < 0 {
		return answer{}, nil, errGone
	}
	a, f, err := exchange(h.conn, text)
	if err != nil { // a late answer would be taken for that of the next question
		_ = unix.Close(h.conn)
		h.conn = -1
		return answer{}, nil, fmt.Errorf("ask helper %s: %w", h.role, err)
	}
	switch {
	case a.Errno != 0:
		err = &fs.PathError{Op: q.Op, Path: a.Path, Err: a.Errno}
	case a.Exists:
		err = existing{a.Error}
	case a.Error != "":
		err = errors.New(a.Error)
	}
	return a, f, err
}

func exchange(conn int, text []byte) (answer, *os.File, error) {
	if err := unix.Sendto(conn, text, unix.MSG_NOSIGNAL, nil); err != nil {
		return answer{}, nil, err
	}
	buffer, control := make([]byte, messageMax), make([]byte, unix.CmsgSpace(4))
	var n, controls, flags int
	err := error(unix.EINTR)
	for errors.Is(err, unix.EINTR) {
		n, controls, flags, _, err = unix.Recvmsg(conn, buffer, control, unix.MSG_CMSG_CLOEXEC)
	}
	if err == nil && n == 0 {
		err = errGone
	}
	if err != nil {
		return answer{}, nil, err
	}
	f, err := passedFile(control[:controls])
	if err != nil {
		return answer{}, nil, err
	}
	var a answer
	if flags&unix.MSG_TRUNC != 0 || json.Unmarshal(buffer[:n], &a) != nil {
		if f != nil {
			_ = f.Close()
		}
		return answer{Error: "its answer is too long or no answer"}, nil, nil // the next one begins anew
	}
	return a, f, nil
}

func passedFile(control []byte) (*os.File, error) {
	if len(control) == 0 {
		return nil, nil
	}
	messages, err := unix.ParseSocketControlMessage(control)
	if err != nil || len(messages) == 0 {
		return nil, err
	}
	descriptors, err := unix.ParseUnixRights(&messages[0])
	if err != nil || len(descriptors) == 0 {
		return nil, err
	}
	return os.NewFile(uintptr(descriptors[0]), "passed"), nil
}

func (h *helper) pid() int { return h.command.Process.Pid }

func (h *helper) close() error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.conn >= 0 {
		_ = unix.Close(h.conn)
		h.conn = -1
	}
	if err := h.command.Wait(); err != nil {
		return fmt.Errorf("helper %s: %w", h.role, err)
	}
	return nil
}
