package sandbox

import (
	"os"

	seccomp "github.com/elastic/go-seccomp-bpf"
	"golang.org/x/sys/unix"
)

// goCalls are what the Go runtime makes, and reads and writes of what is open.
// The most frequent are first: the filter is a list.
var goCalls = []string{
	"epoll_pwait", "epoll_pwait2", "epoll_wait", "futex", "nanosleep", "read", "write", "pread64", "pwrite64", "readv", "writev",
	"clock_nanosleep", "clock_gettime", "gettimeofday", "close", "fstat", "lseek", "fcntl",
	"mmap", "munmap", "madvise", "mremap", "brk", "mincore", "mprotect",
	"getpid", "gettid", "getppid", "getsid", "getuid", "geteuid", "getgid", "getegid", "capget", "uname", "sysinfo", "getrlimit",
	"getrusage", "rt_sigaction", "rt_sigprocmask", "rt_sigreturn", "sigaltstack", "restart_syscall", "set_robust_list", "rseq",
	"sched_getaffinity", "sched_yield", "getrandom", "exit", "exit_group",
	"epoll_create1", "epoll_ctl", "eventfd2", "pipe2", "poll", "ppoll", "select", "pselect6", "dup", "dup2", "dup3",
	"recvmsg", "sendmsg", "recvfrom", "sendto", "getsockopt", "getsockname", "shutdown",
}

// fileCalls open and read; landlock says what.
var fileCalls = []string{
	"openat", "open", "newfstatat", "fstatat", "stat", "lstat", "statx", "readlinkat", "readlink",
	"getdents64", "getcwd", "faccessat", "faccessat2", "access", "statfs", "fstatfs",
}

// outputCalls make, rename and remove files; landlock says where.
var outputCalls = []string{"renameat", "renameat2", "rename", "unlinkat", "unlink", "fsync", "fdatasync", "ftruncate", "flock"}

// childCalls are for those that were started before. pidfd_send_signal is not among
// them: it takes an open /proc/PID for a pidfd (kernel/signal.c, pidfd_to_pid), and
// would signal every process of the user.
var childCalls = []string{"wait4", "waitid"}

// ioctls are those of terminals, perf events and namespaces. TIOCSTI, which types
// into a terminal, is not among them.
var ioctls = []uint64{
	unix.TCGETS, unix.TCSETS, unix.TCSETSW, unix.TCSETSF, unix.TIOCGWINSZ, unix.TIOCGPGRP, unix.TIOCSPGRP, unix.TIOCINQ,
	unix.PERF_EVENT_IOC_DISABLE, unix.PERF_EVENT_IOC_ENABLE, unix.NS_GET_NSTYPE,
}

// bpfCommands read what is loaded, and make nothing.
var bpfCommands = []uint64{
	unix.BPF_MAP_LOOKUP_ELEM, unix.BPF_MAP_UPDATE_ELEM, unix.BPF_MAP_DELETE_ELEM, unix.BPF_MAP_GET_NEXT_KEY,
	unix.BPF_MAP_LOOKUP_BATCH, unix.BPF_OBJ_GET_INFO_BY_FD, unix.BPF_ITER_CREATE,
}

func argument(n uint32, op seccomp.Operation, value uint64) seccomp.Condition {
	return seccomp.Condition{Argument: n, Operation: op, Value: value}
}

func when(name string, conditions ...seccomp.Condition) seccomp.NameWithConditions {
	return seccomp.NameWithConditions{Name: name, Conditions: conditions}
}

// goConditions: threads but no processes, signals to itself only.
func goConditions() []seccomp.NameWithConditions {
	const nameMemory = 0x53564d41 // PR_SET_VMA, include/uapi/linux/prctl.h
	self := uint64(os.Getpid())
	return []seccomp.NameWithConditions{
		when("clone", argument(0, seccomp.BitsSet, unix.CLONE_THREAD)),
		when("tgkill", argument(0, seccomp.Equal, self)),
		when("kill", argument(0, seccomp.Equal, self)),
		when("kill", argument(0, seccomp.Equal, 0)), // ctrl-z: its process group
		when("prctl", argument(0, seccomp.Equal, nameMemory)),
		when("prlimit64", argument(0, seccomp.Equal, 0), argument(2, seccomp.Equal, 0)), // to read
	}
}

// networkCalls are for a service that exports. networkConditions says which sockets.
var networkCalls = []string{"connect", "bind", "listen", "accept", "accept4", "getpeername", "setsockopt", "sendmmsg", "recvmmsg", "sendfile", "splice"}

// networkConditions: IP, sock_diag and addresses of interfaces. No socket of Unix: a
// service that stays root could ask systemd or a container runtime for everything,
// and landlock does not stop connect. A pair of datagram sockets can connect, too.
func networkConditions() []seccomp.NameWithConditions {
	return []seccomp.NameWithConditions{
		when("socket", argument(0, seccomp.Equal, unix.AF_INET)),
		when("socket", argument(0, seccomp.Equal, unix.AF_INET6)),
		when("socket", argument(0, seccomp.Equal, unix.AF_NETLINK), argument(2, seccomp.Equal, unix.NETLINK_SOCK_DIAG)),
		when("socket", argument(0, seccomp.Equal, unix.AF_NETLINK), argument(2, seccomp.Equal, unix.NETLINK_ROUTE)),
	}
}

// diagConditions: sock_diag and no other socket.
func diagConditions() []seccomp.NameWithConditions {
	return []seccomp.NameWithConditions{
		when("socket", argument(0, seccomp.Equal, unix.AF_NETLINK), argument(2, seccomp.Equal, unix.NETLINK_SOCK_DIAG)),
		when("bind", argument(2, seccomp.LessOrEqual, unix.SizeofSockaddrNetlink)),
		when("setsockopt", argument(1, seccomp.Equal, unix.SOL_NETLINK)),
		when("setsockopt", argument(1, seccomp.Equal, unix.SOL_SOCKET)),
	}
}

// bpfConditions: BPF that reads, terminals and perf events.
func bpfConditions() (conditions []seccomp.NameWithConditions) {
	for _, request := range ioctls {
		conditions = append(conditions, when("ioctl", argument(1, seccomp.Equal, request)))
	}
	for _, command := range bpfCommands {
		conditions = append(conditions, when("bpf", argument(0, seccomp.Equal, command)))
	}
	return conditions
}
