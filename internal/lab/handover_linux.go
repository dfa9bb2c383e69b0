package lab

import (
	"errors"
	"fmt"
	"os"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// What an agent does with descriptors besides closing them, and with itself.

// sendDescriptor puts a copy of FD into the mailbox that all agents share.
func sendDescriptor(r *request, _ *reply) error { return sendRights(mailOutFD, r.FD) }

func sendRights(socket int, fds ...int) error {
	return unix.Sendmsg(socket, []byte{0}, unix.UnixRights(fds...), nil, 0)
}

func receiveDescriptor(_ *request, p *reply) (err error) {
	p.Ret, err = receiveRights(mailInFD)
	return err
}

func receiveRights(socket int) (int, error) {
	oob := make([]byte, unix.CmsgSpace(4))
	_, n, _, _, err := unix.Recvmsg(socket, make([]byte, 1), oob, unix.MSG_CMSG_CLOEXEC)
	if err != nil {
		return -1, err
	}
	messages, err := unix.ParseSocketControlMessage(oob[:n])
	if err != nil || len(messages) != 1 {
		return -1, fmt.Errorf("parse %d control messages: %w", len(messages), err)
	}
	fds, err := unix.ParseUnixRights(&messages[0])
	if err != nil || len(fds) != 1 {
		return -1, fmt.Errorf("parse %d descriptors: %w", len(fds), err)
	}
	return fds[0], nil
}

// strand closes FD while a copy is in flight, and then the way that it flies:
// the kernel closes the copy when it empties the queue.
func strand(r *request, _ *reply) error {
	return lose(r.FD, func(pair [2]int) error { return sendRights(pair[0], r.FD) })
}

// strandCycle does the same, but the queue is in flight in itself, so that
// only the garbage collector of Unix sockets can find it.
func strandCycle(r *request, _ *reply) error {
	return lose(r.FD, func(pair [2]int) error { return sendRights(pair[0], r.FD, pair[1]) })
}

func lose(fd int, send func([2]int) error) error {
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	err = send(pair)
	return errors.Join(err, unix.Close(fd), unix.Close(pair[1]), unix.Close(pair[0]))
}

// inheritedFD is where a forked agent finds the socket.
const inheritedFD = 6

// forkAgent starts an agent that inherits FD. Its channel is in the mailbox.
func forkAgent(r *request, p *reply) error {
	channel, err := receiveRights(mailInFD)
	if err != nil {
		return err
	}
	// Not package os/exec: an os.File for FD would close it some day.
	p.Ret, err = syscall.ForkExec("/proc/self/exe", []string{"lab", roleArgument, agentPrefix + r.Text}, &syscall.ProcAttr{ // #nosec G204 -- the lab starts this program or tcpdump, with arguments of its own
		Env:   childEnv(),
		Files: []uintptr{0, 1, 2, uintptr(channel), mailOutFD, mailInFD, uintptr(r.FD)},
	})
	return errors.Join(err, unix.Close(channel))
}

// execAgent starts this program again in the same process. It does not return
// if all is well.
func execAgent(*request, *reply) error {
	return syscall.Exec("/proc/self/exe", os.Args, os.Environ()) // #nosec G204 G702 -- the lab starts this program or tcpdump, with arguments of its own
}

// fault dies of a genuine SIGSEGV: with the default action, which the Go
// runtime had replaced.
func fault(*request, *reply) error {
	var defaultAction [64]byte // more than struct sigaction on any architecture; SIG_DFL is 0
	const maskSize = 8
	_, _, errno := unix.RawSyscall6(unix.SYS_RT_SIGACTION, uintptr(unix.SIGSEGV),
		uintptr(unsafe.Pointer(&defaultAction)), 0, maskSize, 0, 0)
	if errno != 0 {
		return errno
	}
	var nowhere *int
	*nowhere = 1
	return nil
}
