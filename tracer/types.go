//go:build linux

package tracer

import (
	"errors"
	"fmt"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/btf"
	"github.com/cilium/ebpf/features"
)

// ErrNoBTF is matched by errors about a kernel whose types cannot be read. It matches
// [errors.ErrUnsupported].
var ErrNoBTF = fmt.Errorf("no BTF of the kernel: %w", errors.ErrUnsupported)

// noBTF says what to do about err, from reading the kernel's types. A file with the
// types, such as BTFHub's, relocates programs but cannot attach them: the kernel looks
// the target of tp_btf, fentry and iterators up in its own types (kernel/bpf/syscall.c,
// bpf_prog_load: EINVAL if bpf_get_btf_vmlinux() is NULL).
func noBTF(err error) error {
	switch {
	case !errors.Is(err, ebpf.ErrNotSupported):
		return fmt.Errorf("read the kernel's BTF: %w", err)
	case kernelHoldsBTF():
		return hint{"the kernel has BTF, but /sys/kernel/btf/vmlinux is not here: mount sysfs, " +
			"in a container with -v /sys/kernel/btf:/sys/kernel/btf:ro, or copy the file to /boot/vmlinux-$(uname -r)"}
	default:
		return hint{"the kernel was built without BTF (CONFIG_DEBUG_INFO_BTF) and attaches nothing by a file of BTFHub: " +
			"boot the distribution's standard kernel (docs/kernels.md)"}
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
