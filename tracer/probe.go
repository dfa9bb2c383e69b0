//go:build linux

package tracer

import (
	"errors"
	"fmt"
	"os"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/asm"
	"golang.org/x/sys/unix"

	"github.com/closetrace/closetrace/tracer/process"
)

// Status says what one mode offers on this host.
type Status struct {
	Mode     Mode
	Err      error // why the mode can't be used
	Programs []ProgramStatus
}

// ProgramStatus says whether the kernel takes one program.
type ProgramStatus struct {
	Program  string
	Optional bool
	Err      error
}

// Probe tries each mode, and each of its programs alone, and leaves nothing
// behind. types is [Options.Types].
func Probe(types string) []Status {
	_ = removeMemlock() // before 5.11; if it fails, each program reports why it does not load
	opts := tiny()
	env := newEnvironment(types, 0)
	var all []Status
	for _, mode := range env.types.modes() {
		s := Status{Mode: mode}
		l, err := load(mode, opts, env)
		s.Err = withoutKprobes(mode, err)
		hooks, _ := hooksFor(mode, opts, env.types)
		for _, h := range hooks {
			p := ProgramStatus{Program: h.program, Optional: h.optional}
			if l != nil {
				p.Err = l.missingReason(h.program)
			} else {
				p.Err = withoutKprobes(mode, tryProgram(mode, h, opts, env))
			}
			if h.copyOf == "" || p.Err != nil { // of a copy only its failure is news
				s.Programs = append(s.Programs, p)
			}
		}
		if l != nil {
			_ = l.Close()
		}
		all = append(all, s)
	}
	return all
}

// tiny returns options for programs that are only tried.
func tiny() Options {
	return Options{RingSize: uint32(os.Getpagesize()), MaxConnections: 1}.withDefaults()
}

// tryMode tries what most often fails: to attach a program that does nothing at the
// mode's first hook. Loading all programs and maps for each mode takes ten times as long.
func tryMode(mode Mode, env *environment) error {
	first := extra[mode][0]
	if first.optional {
		return nil
	}
	spec, err := env.programs(mode)
	if err != nil {
		return err
	}
	program := spec.Programs[first.program]
	program.Instructions = asm.Instructions{asm.Mov.Imm(asm.R0, 0), asm.Return()}
	spec.Programs = map[string]*ebpf.ProgramSpec{first.program: program}
	spec.Maps, spec.Variables = nil, nil
	if err := attachAlone(first, spec, env); err != nil {
		return fmt.Errorf("try %s: %w", first.program, err)
	}
	return nil
}

func (l *loaded) missingReason(program string) error {
	for _, m := range l.missing {
		if m.Program == program {
			return m.Err
		}
	}
	return nil
}

// tryProgram loads and attaches one program alone.
func tryProgram(mode Mode, h hook, opts Options, env *environment) error {
	spec, err := specFor(mode, []hook{h}, opts, env)
	if err != nil {
		return err
	}
	delete(spec.Programs, once)
	return attachAlone(h, spec, env)
}

func attachAlone(h hook, spec *ebpf.CollectionSpec, env *environment) error {
	objects, err := ebpf.NewCollectionWithOptions(spec, env.types.options())
	if err != nil {
		return err
	}
	defer objects.Close()
	attached, err := h.attach(objects.Programs[h.program], env)
	if err != nil {
		return err
	}
	return attached.Close()
}

// Host is what the kernel and its mounts offer.
type Host struct {
	Release string
	BTF     error  // nil if its types are known
	Types   string // the file that they are from; "" is the kernel itself
	Cgroup2 string // mount point, or ""
	Tracefs string // mount point, or "": kprobes on older kernels need it
	// Missing names the capabilities that this process lacks.
	Missing []string
	Reasons int // number of RST reasons the kernel names; 0 before 6.10
}

// Inspect reads what Open depends on; types is [Options.Types].
func Inspect(types string) Host {
	h := Host{Release: release(), Cgroup2: process.Cgroup2Mount(), Missing: missingCapabilities()}
	known := newTypes(types)
	h.BTF, h.Types = known.err, known.path
	for _, dir := range []string{"/sys/kernel/tracing", "/sys/kernel/debug/tracing"} {
		if _, err := os.Stat(dir + "/events"); err == nil {
			h.Tracefs = dir
			break
		}
	}
	h.Reasons = len(resetReasons(known))
	return h
}

// release returns that of the kernel.
func release() string {
	var u unix.Utsname
	_ = unix.Uname(&u)
	return unix.ByteSliceToString(u.Release[:])
}

// explain shortens the error of a mode to one line that says what to do.
func explain(mode Mode, err error) error {
	err = withoutKprobes(mode, err)
	var verifier *ebpf.VerifierError
	switch {
	case errors.As(err, &verifier):
		return fmt.Errorf("%s: %w", mode, err)
	case mode == Fentry && errors.Is(err, unix.EPERM):
		return fmt.Errorf("%s: the kernel has no BPF trampolines or forbids them: %w", mode, unix.EPERM)
	default:
		return fmt.Errorf("%s: %w", mode, err)
	}
}

// ErrNoKprobes is matched by the errors of kprobes on a kernel that has none; it
// matches [errors.ErrUnsupported].
var ErrNoKprobes = fmt.Errorf("the kernel has no kprobes: %w", errors.ErrUnsupported)

// withoutKprobes replaces an error by its cause, that there are no kprobes.
func withoutKprobes(mode Mode, err error) error {
	if err != nil && mode == Kprobe && !hasKprobes() {
		return ErrNoKprobes
	}
	return err
}

// hasKprobes reports whether the kernel was built with kprobes: it then has a perf
// device of that name, since 4.17 (kernel/events/core.c, perf_tp_register).
func hasKprobes() bool {
	_, err := os.Stat("/sys/bus/event_source/devices/kprobe")
	return !errors.Is(err, os.ErrNotExist)
}
