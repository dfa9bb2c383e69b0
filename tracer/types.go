//go:build linux

package tracer

import (
	"errors"
	"fmt"
	"os"
	"sync"
	"weak"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/btf"
	"github.com/cilium/ebpf/features"
)

// types are those of the kernel.
type types struct {
	cache *btf.Cache // the kernel's own, if file is nil
	file  *btf.Spec
	path  string // of file
	err   error  // why there are none
}

var lastCache struct {
	sync.Mutex
	weak.Pointer[btf.Cache]
}

// sharedTypes returns the cache of the kernel's types that was made last, if it is still in
// memory: live reads them for its list of open sockets and at once again for the trace.
func sharedTypes() *btf.Cache {
	lastCache.Lock()
	defer lastCache.Unlock()
	if cache := lastCache.Value(); cache != nil {
		return cache
	}
	cache := btf.NewCache()
	lastCache.Pointer = weak.Make(cache)
	return cache
}

// newTypes reads the types in a file or, if path is empty, those of the kernel or of a file
// in the usual places.
func newTypes(path string) *types {
	t := &types{cache: sharedTypes(), path: path}
	if path != "" {
		t.file, t.err = readTypes(path)
		return t
	}
	_, err := t.cache.Kernel()
	if err == nil {
		return t
	}
	switch t.file, t.path, t.err = findTypes("/", release()); {
	case t.err == nil:
	case errors.Is(t.err, os.ErrNotExist):
		t.err = noBTF(err)
	default:
		t.err = fmt.Errorf("%w: %w", ErrNoBTF, t.err)
	}
	return t
}

func (t *types) kernel() (*btf.Spec, error) {
	switch {
	case t.err != nil:
		return nil, t.err
	case t.file != nil:
		return t.file, nil
	default:
		return t.cache.Kernel()
	}
}

// modes are those that work with these types. By those of a file nothing can be attached:
// the kernel looks the target of tp_btf, fentry and iterators up in its own types
// (kernel/bpf/syscall.c, bpf_prog_load: EINVAL if bpf_get_btf_vmlinux() is NULL).
func (t *types) modes() []Mode {
	if t.file != nil {
		return []Mode{Raw}
	}
	return Modes()
}

// options are for loading programs.
func (t *types) options() ebpf.CollectionOptions {
	return ebpf.CollectionOptions{Cache: t.cache, Programs: ebpf.ProgramOptions{KernelTypes: t.file}}
}

// ErrNoBTF is matched by errors about a kernel whose types cannot be read. It matches
// [errors.ErrUnsupported].
var ErrNoBTF = fmt.Errorf("no BTF of the kernel: %w", errors.ErrUnsupported)

// noBTF says what to do about err, from reading the kernel's types.
func noBTF(err error) error {
	switch {
	case !errors.Is(err, ebpf.ErrNotSupported):
		return fmt.Errorf("read the kernel's BTF: %w", err)
	case kernelHoldsBTF():
		return hint{"the kernel has BTF, but /sys/kernel/btf/vmlinux is not here: mount sysfs, " +
			"in a container with -v /sys/kernel/btf:/sys/kernel/btf:ro, or copy the file to /boot/vmlinux-$(uname -r)"}
	default:
		return hint{elsewhere(release())}
	}
}

// hint is an ErrNoBTF that says what to do.
type hint struct{ text string }

func (h hint) Error() string { return h.text }

func (hint) Unwrap() error { return ErrNoBTF }

// kernelHoldsBTF asks the kernel itself, which takes CAP_SYS_ADMIN. It reads its types
// when the first program is loaded.
func kernelHoldsBTF() bool {
	_ = features.HaveProgramType(ebpf.SocketFilter)
	handle, err := btf.FindHandle((*btf.HandleInfo).IsVmlinux)
	if err != nil {
		return false
	}
	_ = handle.Close()
	return true
}
