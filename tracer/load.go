//go:build linux

package tracer

import (
	"errors"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"net/netip"
	"slices"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/asm"
	"github.com/cilium/ebpf/btf"
	"github.com/cilium/ebpf/features"
	"github.com/cilium/ebpf/link"
	"github.com/cilium/ebpf/rlimit"
)

// Mode is a way to attach, by the name that start lines and --backend use.
type Mode string

// The modes, best first.
const (
	Fentry     Mode = "fentry"
	Kprobe     Mode = "kprobe"
	Tracepoint Mode = "tracepoint"
	Raw        Mode = "raw"
)

// Modes returns the modes in the order in which they are tried.
func Modes() []Mode { return []Mode{Fentry, Kprobe, Tracepoint, Raw} }

// ParseMode returns the mode of a name.
func ParseMode(name string) (Mode, error) {
	if !slices.Contains(Modes(), Mode(name)) {
		return "", fmt.Errorf("unknown back end %q: want fentry, kprobe, tracepoint or raw", name)
	}
	return Mode(name), nil
}

// loaded is a set of programs in the kernel.
type loaded struct {
	mode    Mode
	objects *ebpf.Collection
	links   []link.Link
	watches watches
	missing []Missing
	execsAt uint32 // where the counts of exec are among the variables
}

// allReturns reports whether every return of close() is traced. kretprobe_close
// has few instances, and misses some.
func (l *loaded) allReturns() bool {
	return l.runs("fexit_close", "kretprobe_multi_close")
}

// runs reports whether one of the programs is attached.
func (l *loaded) runs(programs ...string) bool {
	return slices.ContainsFunc(programs, func(p string) bool {
		return l.objects.Programs[p] != nil && l.missingReason(p) == nil
	})
}

// Missing is an optional hook that this kernel or host does not offer.
type Missing struct {
	Program string
	Err     error
}

// load loads and attaches what mode needs, or nothing.
func load(mode Mode, opts Options, env *environment) (_ *loaded, err error) {
	if mode, err = ParseMode(string(mode)); err != nil {
		return nil, err
	}
	hooks, err := hooksFor(mode, opts, env.types)
	if err != nil {
		return nil, err
	}
	spec, err := specFor(mode, hooks, opts, env)
	if err != nil {
		return nil, err
	}
	l := &loaded{mode: mode, execsAt: spec.Variables["execs"].Offset}
	defer func() {
		if err != nil {
			_ = l.Close()
		}
	}()
	if l.objects, l.missing, err = loadTolerant(spec, hooks, env); err != nil {
		return nil, fmt.Errorf("load programs: %w", err)
	}
	for _, h := range hooks {
		program := l.objects.Programs[h.program]
		if program == nil {
			continue // an optional one that did not load
		}
		attached, err := h.attach(program, env)
		if err != nil && h.optional {
			l.missing = append(l.missing, Missing{h.program, err})
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("attach %s: %w", h.program, err)
		}
		l.links = append(l.links, attached)
		again := func() (link.Link, error) { return h.attach(program, env) }
		if w := watch(h.program, attached, again); w != nil {
			l.watches.all = append(l.watches.all, w)
		}
	}
	if err := l.objects.Variables["live"].Set(true); err != nil {
		return nil, fmt.Errorf("begin: %w", err)
	}
	return l, nil
}

// loadBest loads the mode that was asked for, or the best that works.
func loadBest(opts Options, env *environment) (*loaded, error) {
	if env.types.err != nil {
		return nil, env.types.err
	}
	if opts.Mode != "" {
		l, err := load(opts.Mode, opts, env)
		if err != nil {
			return nil, fmt.Errorf("%w: %w", ErrNoMode, explain(opts.Mode, err))
		}
		return l, nil
	}
	errs := []error{ErrNoMode}
	for _, mode := range env.types.modes() {
		err := tryMode(mode, env)
		if err == nil {
			var l *loaded
			if l, err = load(mode, opts, env); err == nil {
				return l, nil
			}
		}
		if errors.Is(err, ErrRingSleeps) { // whatever the mode
			return nil, err
		}
		errs = append(errs, explain(mode, err))
	}
	return nil, errors.Join(errs...)
}

// specFor returns the programs and maps for hooks, sized and configured.
func specFor(mode Mode, hooks []hook, opts Options, env *environment) (*ebpf.CollectionSpec, error) {
	spec, err := env.programs(mode)
	if err != nil {
		return nil, err
	}
	wanted, copies := map[string]bool{once: true}, uint32(1)
	for _, h := range hooks {
		wanted[h.program] = true
		if h.copyOf != "" {
			spec.Programs[h.program] = spec.Programs[h.copyOf].Copy()
		}
		if h.copied == bySoftirqs { // which copy_did needs the number of
			copies = max(copies, h.number)
		}
	}
	for name := range spec.Programs {
		if !wanted[name] {
			delete(spec.Programs, name)
		}
	}
	spec.Maps["messages"].MaxEntries = opts.RingSize
	cpus := ebpf.MustPossibleCPU()
	batch := batchFor(opts.MaxConnections, cpus)
	spec.Maps["parts"].MaxEntries = uint32(cpus)
	entries := uint64(opts.MaxConnections) + uint64(batch)*uint64(cpus) // as many may not be counted yet
	if entries > math.MaxInt32 {
		return nil, fmt.Errorf("a table of %d connections is too large", opts.MaxConnections)
	}
	spec.Maps["conns"].MaxEntries = uint32(entries)
	if held := spec.Maps["held"]; held != nil {
		held.MaxEntries = opts.MaxConnections
	}
	if opts.PID != 0 {
		spec.Maps["family"].MaxEntries = pidsMax / marks
	}
	if opts.CountOrdinary {
		spec.Maps["tallies"].MaxEntries, spec.Maps["kept"].MaxEntries = tallySlots, keptSlots
	}
	if !preallocationNeeded(env.types) {
		spec.Maps["conns"].Flags |= bpfNoPrealloc
	}
	network, mask := networkOf(opts.Peer)
	if err := configure(spec, map[string]any{
		"on_close":       onClose(),
		"copies":         copies,
		"count_ordinary": opts.CountOrdinary,
		"capacity":       opts.MaxConnections,
		"batch":          batch,
		"untold_most":    batch * int32(cpus),
		"host_netns":     hostNetNS(),
		"tenant_seed":    rand.Uint64(), // #nosec G404 -- seeded by the kernel, and nobody is shown what it gives
		"typed_task":     mode != Raw && typedTask(),
		"wake_at":        uint64(opts.RingSize / 2),
		"filter_netns":   opts.NetNS,
		"filter_family":  opts.PID != 0,
		"filter_port":    uint32(opts.Port),
		"filter_peer":    network,
		"filter_mask":    mask,
	}); err != nil {
		return nil, err
	}
	return spec, nil
}

// configure sets variables of the programs. A missing one is an error: a filter with a
// misspelt name would let everything through.
func configure(spec *ebpf.CollectionSpec, variables map[string]any) error {
	for name, value := range variables {
		v := spec.Variables[name]
		if v == nil {
			return fmt.Errorf("set %s: the embedded programs have no such variable", name)
		}
		if err := v.Set(value); err != nil {
			return fmt.Errorf("set %s: %w", name, err)
		}
	}
	return nil
}

// networkOf returns p as an IPv6 network, which IPv4 is a part of (RFC 4291, 2.5.5.2),
// and its mask; both are zero for no network.
func networkOf(p netip.Prefix) (network, mask [16]byte) {
	if !p.IsValid() {
		return network, mask
	}
	network = p.Masked().Addr().As16()
	for i := range p.Bits() + 128 - p.Addr().BitLen() {
		mask[i/8] |= 0x80 >> (i % 8)
	}
	return network, mask
}

// typedTask reports whether programs of all types may read the current task
// directly; a probe read of each field takes ten times as long.
func typedTask() bool {
	for _, t := range []ebpf.ProgramType{ebpf.CGroupSock, ebpf.CGroupSockAddr, ebpf.RawTracepoint} {
		if features.HaveProgramHelper(t, asm.FnGetCurrentTaskBtf) != nil {
			return false
		}
	}
	return true
}

// bpfNoPrealloc is BPF_F_NO_PREALLOC, include/uapi/linux/bpf.h.
const bpfNoPrealloc = 1

// preallocationNeeded: before 6.1 a hash that allocates from a tracing program may
// deadlock in the allocator, and the kernel warns (check_map_prog_compatibility). The
// type bpf_mem_alloc came with the allocator that made it safe.
func preallocationNeeded(types *types) bool {
	spec, err := types.kernel()
	if err != nil {
		return true
	}
	var s *btf.Struct
	return spec.TypeByName("bpf_mem_alloc", &s) != nil
}

// removeMemlock lifts the limit that kernels before 5.11 charge maps to.
func removeMemlock() error { return rlimit.RemoveMemlock() }

// runOnce runs the iterator over all descriptors of all processes.
func runOnce(p *ebpf.Program) error {
	iterator, err := link.AttachIter(link.IterOptions{Program: p})
	if err != nil {
		return err
	}
	defer iterator.Close()
	run, err := iterator.Open()
	if err != nil {
		return err
	}
	defer run.Close()
	_, err = io.Copy(io.Discard, run) // the program writes nothing; reading runs it
	return err
}

// Close detaches the programs and frees the maps.
func (l *loaded) Close() error {
	errs := []error{l.detach()}
	if l.objects != nil {
		l.objects.Close()
		l.objects = nil
	}
	return errors.Join(errs...)
}

func (l *loaded) detach() error {
	var errs []error
	if l.objects != nil { // else some programs see what ends meanwhile, and others do not
		errs = append(errs, l.objects.Variables["live"].Set(false))
	}
	for _, attached := range l.links {
		errs = append(errs, attached.Close())
	}
	l.links = nil
	l.watches.close()
	return errors.Join(errs...)
}
