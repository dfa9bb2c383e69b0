// Package sandboxtest tries what a process in a sandbox must not be able to do.
package sandboxtest

import (
	"errors"
	"fmt"
	"os"
	"unsafe"

	"golang.org/x/sys/unix"
)

// attempt is something forbidden. What landlock forbids is allowed to any user of a
// kernel without it.
type attempt struct {
	name     string
	landlock bool
	try      func() error
}

func call(number uintptr, arguments ...uintptr) func() error {
	var a [6]uintptr
	copy(a[:], arguments)
	return func() error {
		_, _, errno := unix.RawSyscall6(number, a[0], a[1], a[2], a[3], a[4], a[5])
		if errno == 0 {
			return nil
		}
		return errno
	}
}

func open(path string, flags int) func() error {
	return func() error {
		fd, err := unix.Open(path, flags|unix.O_CLOEXEC, 0o600)
		if err == nil {
			unix.Close(fd)
		}
		return err
	}
}

func socket(family, kind, protocol int) func() error {
	return func() error {
		fd, err := unix.Socket(family, kind|unix.SOCK_CLOEXEC, protocol)
		if err == nil {
			unix.Close(fd)
		}
		return err
	}
}

// fork makes a process that ends at once.
func fork() error {
	pid, _, errno := unix.RawSyscall6(unix.SYS_CLONE, uintptr(unix.SIGCHLD), 0, 0, 0, 0, 0)
	if errno != 0 {
		return errno
	}
	if pid == 0 {
		unix.RawSyscall(unix.SYS_EXIT_GROUP, 0, 0, 0)
	}
	return nil
}

func exec() error { return unix.Exec("/proc/self/exe", []string{"exec"}, nil) }

// bpf has attributes that would be right for a map of four bytes.
func bpf(command uintptr) func() error {
	attributes := &struct{ kind, key, value, entries uint32 }{1, 4, 4, 1}
	return call(unix.SYS_BPF, command, uintptr(unsafe.Pointer(attributes)), unsafe.Sizeof(*attributes))
}

// signalByFolder asks whether it could signal a process of the same user: itself.
func signalByFolder() error {
	fd, err := unix.Open("/proc/self", unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	return unix.PidfdSendSignal(fd, 0, nil, 0)
}

func terminalInput() error {
	c := byte('x')
	return call(unix.SYS_IOCTL, 0, unix.TIOCSTI, uintptr(unsafe.Pointer(&c)))()
}

// attempts go against files outside, other processes, the kernel and the network.
// folder is one that everybody may write, outside of the sandbox; everybody may write
// the file everybody in it, and only root read the file root.
func attempts(folder string) []attempt {
	parent := os.Getppid()
	file := folder + "/made"
	return []attempt{
		{"make a file outside", true, open(file, unix.O_WRONLY|unix.O_CREAT)},
		{"write a file of everybody outside", true, open(folder+"/everybody", unix.O_WRONLY)},
		{"read a file outside", true, open(folder+"/everybody", unix.O_RDONLY)},
		{"remove a file outside", true, func() error { return unix.Unlink(folder + "/everybody") }},
		{"rename a file outside", true, func() error { return unix.Rename(folder+"/everybody", file) }},
		{"read a file of root", false, open(folder+"/root", unix.O_RDONLY)},
		{"read another process's memory", false, open(fmt.Sprintf("/proc/%d/mem", parent), unix.O_RDONLY)},
		{"write /proc/sys", false, open("/proc/sys/kernel/core_pattern", unix.O_WRONLY)},
		{"make a link", false, func() error { return unix.Symlink("/etc/passwd", file) }},
		{"make a folder", false, func() error { return unix.Mkdir(file, 0o700) }},
		{"change a mode", false, func() error { return unix.Chmod(folder+"/everybody", 0o777) }},
		{"socket of IPv4", false, socket(unix.AF_INET, unix.SOCK_STREAM, 0)},
		{"socket of Unix", false, socket(unix.AF_UNIX, unix.SOCK_STREAM, 0)},
		{"socket for routes", false, socket(unix.AF_NETLINK, unix.SOCK_RAW, unix.NETLINK_ROUTE)},
		{"packet socket", false, socket(unix.AF_PACKET, unix.SOCK_RAW, 0)},
		{"exec", false, exec},
		{"fork", false, fork},
		{"ptrace", false, call(unix.SYS_PTRACE, unix.PTRACE_SEIZE, uintptr(parent))},
		{"process_vm_readv", false, call(unix.SYS_PROCESS_VM_READV, uintptr(parent))},
		{"process_vm_writev", false, call(unix.SYS_PROCESS_VM_WRITEV, uintptr(parent))},
		{"pidfd_getfd of a helper", false, call(unix.SYS_PIDFD_GETFD)},
		{"open a file by its handle", false, call(unix.SYS_OPEN_BY_HANDLE_AT)},
		{"signal another process", false, func() error { return unix.Kill(parent, 0) }},
		{"signal by a folder of /proc", false, signalByFolder},
		{"new BPF map", false, bpf(unix.BPF_MAP_CREATE)},
		{"load BPF program", false, bpf(unix.BPF_PROG_LOAD)},
		{"take BPF map by id", false, bpf(unix.BPF_MAP_GET_FD_BY_ID)},
		{"mount", false, func() error { return unix.Mount("none", "/tmp", "tmpfs", 0, "") }},
		{"unshare", false, call(unix.SYS_UNSHARE, unix.CLONE_NEWUSER)},
		{"setns", false, call(unix.SYS_SETNS, 0, unix.CLONE_NEWNET)},
		{"chroot", false, func() error { return unix.Chroot("/") }},
		{"become root", false, call(unix.SYS_SETRESUID, 0, 0, 0)},
		{"perf_event_open", false, call(unix.SYS_PERF_EVENT_OPEN)},
		{"load a module", false, call(unix.SYS_FINIT_MODULE, 0)},
		{"io_uring", false, call(unix.SYS_IO_URING_SETUP, 1)},
		{"userfaultfd", false, call(unix.SYS_USERFAULTFD, 1)},
		{"memfd_create", false, call(unix.SYS_MEMFD_CREATE)},
		{"add a key", false, call(unix.SYS_ADD_KEY)},
		{"read a key", false, call(unix.SYS_KEYCTL)},
		{"fanotify", false, call(unix.SYS_FANOTIFY_INIT)},
		{"be dumpable", false, call(unix.SYS_PRCTL, unix.PR_SET_DUMPABLE, 1)},
		{"set the clock", false, call(unix.SYS_CLOCK_SETTIME, 0)},
		{"type into the terminal", false, terminalInput},
	}
}

// Try returns how many forbidden things were refused, and those that were not.
// landlock is the kernel's version of it, asked for before the sandbox.
func Try(folder string, landlock int) (refused int, allowed []string) {
	for _, a := range attempts(folder) {
		if a.landlock && landlock == 0 {
			continue
		}
		switch err := a.try(); {
		case errors.Is(err, unix.EPERM), errors.Is(err, unix.EACCES):
			refused++
		default:
			allowed = append(allowed, fmt.Sprintf("%s: %v", a.name, err))
		}
	}
	return refused, allowed
}
