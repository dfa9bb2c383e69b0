//go:build linux

package tracer

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/netip"
	"os"
	"runtime"
	"time"
	"unsafe"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/btf"
	"github.com/cilium/ebpf/link"
	"golang.org/x/sys/unix"

	"github.com/closetrace/closetrace/bpf"
	"github.com/closetrace/closetrace/model"
	"github.com/closetrace/closetrace/tracer/process"
)

// Holder is one descriptor that refers to an IPv4 or IPv6 socket.
type Holder struct {
	Inode      uint64 // of the socket
	PID        int
	Descriptor int
	Name       string // of the process
	UID        uint32
	Started    uint64 // of the process: nanoseconds since boot
	Cgroup     uint64 // id of its cgroup v2
	// Linger and Linger2 are what getsockopt returns, of TCP only; seconds of -1
	// are for ever.
	Linger  model.Linger
	Linger2 model.Opt[int]
	Repair  bool // TCP_REPAIR is on
	MPTCP   bool
	// Connection is what the socket is connected to; nil if it is not one of TCP.
	Connection *HeldConnection
}

// HeldConnection is a TCP socket, as inet_diag reports it.
type HeldConnection struct {
	Network model.Network
	State   model.State
	Cookie  uint64 // 0: not asked for yet
	// Receive and Send are the queues in sequence numbers, Unsent the part of Send that
	// never left.
	Receive, Send, Unsent uint32
	Retransmits           uint32
	// Retries2 and KeepaliveProbes are how many retransmissions and probes may be
	// unanswered, UserTimeout is TCP_USER_TIMEOUT; 0 is none. A socket's own value takes
	// precedence over that of its namespace.
	Retries2, KeepaliveProbes      int
	KeepaliveInterval, UserTimeout time.Duration
	// A SYN is sent again SYNLinear times at equal distances, and then SYNRetries times
	// with backoff (TCP_SYNCNT). RTOMax is the most that a timer backs off to; 0 is the
	// kernel's fixed maximum.
	SYNRetries, SYNLinear int
	RTOMax                time.Duration
	// Silent is how long ago a segment came last, Probing how long ago a closed window
	// was probed first; 0 is never, or unknown.
	Silent, Probing time.Duration
}

// Holders finds out who holds which socket, with a BPF iterator over the
// descriptors of all processes. It may be used by one goroutine at a time.
type Holders struct {
	program *ebpf.Program
	link    *link.Iter
	// marked is a socket of our own with SO_LINGER {1,markSeconds}: it shows how many
	// jiffies a second has.
	marked int
}

const markSeconds = 100

// OpenHolders loads the iterator. It needs CAP_BPF and CAP_PERFMON, or CAP_SYS_ADMIN; the
// error then matches [fs.ErrPermission]. It matches [errors.ErrUnsupported] if the kernel
// lacks iterators or BTF, and inside a PID namespace, whose PIDs the iterator does not
// report.
func OpenHolders() (*Holders, error) {
	if process.InNamespace() {
		return nil, fmt.Errorf("find holders of sockets inside a PID namespace: %w", errors.ErrUnsupported)
	}
	spec, err := bpf.LoadSockets()
	if err != nil {
		return nil, fmt.Errorf("read embedded programs: %w", err)
	}
	_ = removeMemlock() // before 5.11; the program is small, and may load all the same
	h := &Holders{marked: -1}
	spec.Programs = map[string]*ebpf.ProgramSpec{bpf.SocketsProgHolders: spec.Programs[bpf.SocketsProgHolders]}
	objects, err := ebpf.NewCollectionWithOptions(spec, ebpf.CollectionOptions{Cache: sharedTypes()})
	if err == nil {
		h.program = objects.DetachProgram(bpf.SocketsProgHolders)
		objects.Close()
		h.link, err = link.AttachIter(link.IterOptions{Program: h.program})
	}
	if err == nil {
		h.marked, err = markedSocket()
	}
	if err != nil {
		_ = h.Close()
		return nil, fmt.Errorf("load the iterator over descriptors: %w", holdersError(err))
	}
	return h, nil
}

// holdersError distinguishes missing privileges from what the kernel lacks.
func holdersError(err error) error {
	switch {
	case errors.Is(err, unix.EPERM), errors.Is(err, unix.EACCES):
		return fmt.Errorf("%w (needs CAP_BPF and CAP_PERFMON)", fs.ErrPermission)
	case errors.Is(err, btf.ErrNotFound), errors.Is(err, ebpf.ErrNotSupported), errors.Is(err, unix.EINVAL), errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("%w: %w", errors.ErrUnsupported, err)
	default:
		return err
	}
}

func markedSocket() (int, error) {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return -1, err
	}
	if err := unix.SetsockoptLinger(fd, unix.SOL_SOCKET, unix.SO_LINGER, &unix.Linger{Onoff: 1, Linger: markSeconds}); err != nil {
		_ = unix.Close(fd)
		return -1, err
	}
	return fd, nil
}

// Read looks at all descriptors once. The socket of this Holders is left out.
func (h *Holders) Read() ([]Holder, error) {
	text, err := h.run()
	if err != nil {
		return nil, fmt.Errorf("read the iterator over descriptors: %w", holdersError(err))
	}
	const size = int(unsafe.Sizeof(bpf.SocketsHolding{}))
	if len(text)%size != 0 {
		return nil, fmt.Errorf("the iterator over descriptors wrote %d bytes, want a multiple of %d", len(text), size)
	}
	var raw []bpf.SocketsHolding
	if len(text) > 0 {
		raw = unsafe.Slice((*bpf.SocketsHolding)(unsafe.Pointer(&text[0])), len(text)/size)
	}
	return h.decode(raw), nil
}

// iteratorChunk is the most that the kernel returns for one read (bpf_seq_read).
const iteratorChunk = 32 << 10

func (h *Holders) run() ([]byte, error) {
	iterator, err := h.link.Open()
	if err != nil {
		return nil, err
	}
	defer iterator.Close()
	text := make([]byte, 0, 32*iteratorChunk) // 14,000 descriptors
	for {
		if cap(text)-len(text) < iteratorChunk {
			text = append(make([]byte, 0, 2*cap(text)), text...)
		}
		n, err := iterator.Read(text[len(text) : len(text)+iteratorChunk])
		text = text[:len(text)+n]
		switch {
		case errors.Is(err, io.EOF):
			runtime.KeepAlive(h)
			return text, nil
		case err != nil:
			return nil, err
		}
	}
}

func (h *Holders) decode(raw []bpf.SocketsHolding) []Holder {
	all := make([]Holder, 0, len(raw))
	self, hertz := uint32(os.Getpid()), uint64(0)
	for i := range raw {
		if raw[i].Tgid == self && int(raw[i].Descriptor) == h.marked {
			hertz = raw[i].Lingertime / markSeconds
		}
	}
	names := map[[16]byte]string{}
	for i := range raw {
		r := &raw[i]
		if r.Tgid == self && int(r.Descriptor) == h.marked {
			continue
		}
		name, ok := names[r.Comm]
		if !ok {
			name = unix.ByteSliceToString(r.Comm[:])
			names[r.Comm] = name
		}
		one := Holder{
			Inode: r.Inode, PID: int(r.Tgid), Descriptor: int(r.Descriptor), Name: name,
			UID: r.Uid, Started: r.Start, Cgroup: r.Cgroup, Repair: r.Repair != 0, MPTCP: r.Mptcp != 0,
		}
		if r.Tcp != 0 && hertz != 0 {
			one.Linger, one.Linger2 = lingerOf(r, hertz), model.Some(linger2Of(r.Linger2, hertz))
		}
		if r.Tcp != 0 {
			one.Connection = connectionOf(r, hertz)
		}
		all = append(all, one)
	}
	return all
}

func connectionOf(r *bpf.SocketsHolding, hertz uint64) *HeldConnection {
	address := func(b [16]byte) netip.Addr {
		if r.Family == unix.AF_INET {
			return netip.AddrFrom4([4]byte(b[:4]))
		}
		return netip.AddrFrom16(b).Unmap()
	}
	jiffies := func(n uint32) time.Duration {
		if hertz == 0 {
			return 0
		}
		return time.Duration(n) * time.Second / time.Duration(hertz)
	}
	return &HeldConnection{
		Retries2: int(r.Retries2), KeepaliveProbes: int(r.KeepaliveProbes), SYNRetries: int(r.SynRetries), SYNLinear: int(r.SynLinear),
		KeepaliveInterval: jiffies(r.KeepaliveInterval), UserTimeout: time.Duration(r.UserTimeout) * time.Millisecond,
		RTOMax: jiffies(r.RtoMax), Silent: jiffies(r.Silent), Probing: jiffies(r.Probing),
		Network: model.Network{
			Local: model.Endpoint{Address: address(r.Local), Port: r.LocalPort},
			Peer:  model.Endpoint{Address: address(r.Peer), Port: r.PeerPort>>8 | r.PeerPort<<8}, // x86 and arm64: little-endian
			NetNS: r.Netns,
		},
		State: model.State(r.State), Cookie: r.Cookie, Receive: r.Receive, Send: r.Send, Unsent: r.Unsent, Retransmits: r.Retransmits,
	}
}

// lingerOf: a negative time was stored as MAX_SCHEDULE_TIMEOUT, LONG_MAX.
func lingerOf(r *bpf.SocketsHolding, hertz uint64) model.Linger {
	l := model.Linger{On: model.Some(r.Linger != 0)}
	switch {
	case r.Linger == 0:
	case r.Lingertime >= 1<<63-1:
		l.Seconds = model.Some(forever)
	default:
		l.Seconds = model.Some(int(r.Lingertime / hertz))
	}
	return l
}

func linger2Of(jiffies int32, hertz uint64) int {
	if jiffies < 0 {
		return -1
	}
	return int(jiffies) / int(hertz)
}

// StaysReadable reports whether Read works when all capabilities are gone. It does since
// 5.19 (c8644cd0efe7), and before that if unprivileged BPF is not disabled; otherwise
// CAP_BPF must be kept for it.
func (h *Holders) StaysReadable() bool {
	return withOnly(func() error {
		iterator, err := h.link.Open()
		if err == nil {
			_ = iterator.Close()
		}
		return err
	}) == nil
}

// Close unloads the iterator.
func (h *Holders) Close() error {
	var errs []error
	if h.marked >= 0 {
		errs = append(errs, unix.Close(h.marked))
		h.marked = -1
	}
	if h.link != nil {
		errs = append(errs, h.link.Close())
	}
	if h.program != nil {
		errs = append(errs, h.program.Close())
	}
	return errors.Join(errs...)
}
