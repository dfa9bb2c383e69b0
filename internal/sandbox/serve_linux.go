package sandbox

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strconv"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/closetrace/closetrace/internal/safefile"
)

// Namer finds the names of a container and its pod in files of the node.
type Namer func(id, runtime, podUID string) (pod, namespace, container string)

// nameFolders are the folders where runtimes and kubelet keep such files.
var nameFolders = []string{
	"/var/log/containers", "/var/log/pods", "/run/containerd", "/run/containers", "/var/lib/docker/containers",
}

// Serve is a helper: it answers on descriptor 3 until that is closed. The arguments
// are its role and what that takes.
func Serve(arguments []string, names Namer) error {
	if len(arguments) == 0 {
		return errors.New("no role for the helper")
	}
	signal.Ignore(syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP, syscall.SIGQUIT, syscall.SIGPIPE) // it ends with whom it helps
	syscall.CloseOnExec(connection)
	handle, err := roleOf(arguments[0], arguments[1:], names)
	if err != nil {
		return err
	}
	buffer := make([]byte, messageMax)
	for {
		n, err := unix.Read(connection, buffer)
		switch {
		case errors.Is(err, unix.EINTR):
			continue
		case err != nil:
			return fmt.Errorf("read question: %w", err)
		case n == 0:
			return nil
		}
		var q question
		if err = json.Unmarshal(buffer[:n], &q); err != nil {
			err = reply(nil, nil, fmt.Errorf("read question: %w", err))
		} else {
			err = reply(handle(q))
		}
		if err != nil {
			return err
		}
	}
}

// What a helper inherits: its connection and, if it makes files, their folder.
const (
	connection = 3
	outputs    = 4
)

// handler answers; the file, if any, is passed on and closed.
type handler func(question) ([]string, *os.File, error)

func roleOf(role string, arguments []string, names Namer) (handler, error) {
	switch {
	case role == "links" && len(arguments) == 1:
		return links(arguments[0])
	case role == "names" && len(arguments) == 0:
		return nameHandler(names)
	case role == "files" && len(arguments) == 1:
		return files(arguments[0])
	default:
		return nil, fmt.Errorf("no such role for the helper: %q", role)
	}
}

func reply(text []string, f *os.File, err error) error {
	a := answer{Text: text}
	if err != nil {
		a.Error, a.Exists = err.Error(), errors.Is(err, fs.ErrExist)
		var path *fs.PathError
		var errno syscall.Errno
		if errors.As(err, &path) && errors.As(err, &errno) {
			a.Path, a.Errno = path.Path, errno
		}
	}
	message, err := json.Marshal(&a)
	if err != nil {
		return err
	}
	var rights []byte
	if f != nil {
		defer f.Close()
		rights = unix.UnixRights(int(f.Fd()))
	}
	return unix.Sendmsg(connection, message, rights, nil, unix.MSG_NOSIGNAL)
}

// links reads the link to the executable of a process: the only thing that
// CAP_SYS_PTRACE is kept for. Landlock would forbid it (hook_ptrace_access_check);
// the filter lets no file be opened, so that no memory can be read.
func links(user string) (handler, error) {
	who, err := Lookup(user)
	if err != nil {
		return nil, err
	}
	proc, err := unix.Open("/proc", unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("open /proc: %w", err)
	}
	b := &Box{who: who}
	if err := b.dropIdentity([]int{unix.CAP_SYS_PTRACE}); err != nil {
		return nil, err
	}
	link := make([]byte, 4096)
	read := func(q question) ([]string, *os.File, error) {
		n, err := unix.Readlinkat(proc, strconv.Itoa(q.PID)+"/exe", link)
		if err != nil {
			return nil, nil, &fs.PathError{Op: "readlink", Path: strconv.Itoa(q.PID), Err: err}
		}
		return []string{string(link[:n])}, nil, nil
	}
	return read, allow(append(slices.Clone(goCalls), "readlinkat"), goConditions())
}

// nameHandler reads what runtimes write for root alone.
func nameHandler(names Namer) (handler, error) {
	b := &Box{}
	if err := b.drop(nil, nameFolders, nil); err != nil {
		return nil, err
	}
	find := func(q question) ([]string, *os.File, error) {
		var id, runtime, podUID string
		if err := json.Unmarshal([]byte(q.Name), &[]*string{&id, &runtime, &podUID}); err != nil {
			return nil, nil, err
		}
		pod, namespace, container := names(id, runtime, podUID)
		return []string{pod, namespace, container}, nil, nil
	}
	return find, allow(slices.Concat(goCalls, fileCalls), goConditions())
}

// files makes, renames and removes files in the folder that it got, which was at path.
func files(path string) (handler, error) {
	syscall.CloseOnExec(outputs)
	folder, err := safefile.Inherited(outputs, path)
	if err != nil {
		return nil, err
	}
	b := &Box{}
	if err := b.drop(nil, nil, []string{fmt.Sprintf("/proc/self/fd/%d", outputs)}); err != nil {
		return nil, err
	}
	do := func(q question) ([]string, *os.File, error) {
		f, err := inFolder(folder, q)
		return nil, f, err
	}
	return do, allow(slices.Concat(goCalls, fileCalls, outputCalls), goConditions())
}

func inFolder(folder safefile.Folder, q question) (*os.File, error) {
	switch q.Op {
	case "create":
		return folder.Create(q.Name, q.Force)
	case "look":
		if q.Name != filepath.Base(q.Name) {
			return nil, &fs.PathError{Op: "look", Path: q.Name, Err: unix.EINVAL}
		}
		fd, err := unix.Openat(outputs, q.Name, unix.O_PATH|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
		if err != nil {
			return nil, &fs.PathError{Op: "look", Path: q.Name, Err: err}
		}
		return os.NewFile(uintptr(fd), q.Name), nil
	case "rename":
		return nil, folder.Rename(q.Name, q.To)
	case "remove":
		return nil, folder.Remove(q.Name)
	case "sync":
		folder.Sync()
		return nil, nil
	default:
		return nil, fmt.Errorf("no such operation: %q", q.Op)
	}
}
