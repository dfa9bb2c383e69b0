//go:build linux

package tracer

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"slices"
	"sync"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/btf"
	"github.com/cilium/ebpf/link"

	"github.com/closetrace/closetrace/bpf"
	"github.com/closetrace/closetrace/tracer/process"
)

// hook is one program and how it is attached.
type hook struct {
	program string
	attach  func(*ebpf.Program, *environment) (link.Link, error)
	// optional hooks may be missing: fewer facts are known then.
	optional bool
	// copied programs are loaded and attached several times, because the kernel does not
	// run a program that interrupts itself; see copy_did in bpf/maps.h.
	copied interruption
	// copyOf is the program that this one is the copy of, or empty; number is 2
	// for the first copy.
	copyOf string
	number uint32
	// function and parameters, if set, are what the kernel's BTF must declare,
	// or absent: argument lists change between stable releases.
	function   string
	parameters int
	// tracepoint, if set, is what the kernel must have.
	tracepoint string
}

// environment is what the hooks need to know of the host.
type environment struct {
	cgroup string // mount point of cgroup v2, or ""
	// types are the kernel's BTF: indexing it takes as long as loading all programs.
	types *types
	// embedded are the programs of this file, read once; raw those at raw tracepoints.
	embedded, raw func() (*ebpf.CollectionSpec, error)
	// ring makes the ring buffer, once; nil: it is made with the other maps.
	ring func() (*ebpf.Map, error)
}

// newEnvironment: types is a file with the kernel's types, or empty; ring is the size of a
// ring buffer to be made meanwhile, or 0.
func newEnvironment(types string, ring uint32) *environment {
	e := &environment{
		cgroup:   process.Cgroup2Mount(),
		embedded: sync.OnceValues(bpf.LoadTrace), raw: sync.OnceValues(bpf.LoadRaw),
	}
	if ring != 0 {
		e.makeRing(ring)
	}
	go e.embedded() // beside the types: each takes as long
	e.types = newTypes(types)
	return e
}

// makeRing begins to make the ring buffer: the kernel clears its pages while types and
// programs are read.
func (e *environment) makeRing(size uint32) {
	e.ring = sync.OnceValues(func() (*ebpf.Map, error) {
		return ebpf.NewMap(&ebpf.MapSpec{Name: "messages", Type: ebpf.RingBuf, MaxEntries: size})
	})
	go e.ring()
}

// madeRing returns that ring buffer, or nil if there is none: what is wrong is found again
// when it is made with the other maps.
func (e *environment) madeRing() *ebpf.Map {
	if e.ring == nil {
		return nil
	}
	ring, _ := e.ring()
	return ring
}

// programs returns a copy of the embedded programs and maps of a mode, to be changed.
func (e *environment) programs(mode Mode) (*ebpf.CollectionSpec, error) {
	embedded := e.embedded
	if mode == Raw {
		embedded = e.raw
	}
	spec, err := embedded()
	if err != nil {
		return nil, fmt.Errorf("read embedded programs: %w", err)
	}
	return spec.Copy(), nil
}

// forget frees what only loading needs, some megabytes; hooks that are attached again
// need none of it.
func (e *environment) forget() {
	if ring := e.madeRing(); ring != nil {
		_ = ring.Close() // the collection has a descriptor of its own
	}
	*e = environment{cgroup: e.cgroup}
}

// core is attached in every mode.
var core = []hook{
	{program: "set_state", attach: attachTracepoint("inet_sock_set_state"), copied: bySoftirqs},
	{program: "receive_reset", attach: attachTracepoint("tcp_receive_reset"), copied: bySoftirqs},
	// Softirqs are on where release_sock() at the end of tcp_close() handles the backlog.
	{program: "destroy_sock", attach: attachTracepoint("tcp_destroy_sock"), copied: bySoftirqs},
	{program: "retransmit_skb", attach: attachTracepoint("tcp_retransmit_skb")},
	{program: "inherit", attach: attachTracepoint("sched_process_fork"), copied: byTasks},
	{program: "executed", attach: attachTracepoint("sched_process_exec"), copied: byTasks},
	{program: "send_reset", attach: attachTracepoint("tcp_send_reset"), copied: bySoftirqs},
	{program: "error_report", attach: attachTracepoint("inet_sk_error_report"), tracepoint: "inet_sk_error_report", optional: true},
}

// extra is what a mode adds to the core.
var extra = map[Mode][]hook{
	Fentry: {
		{program: "fentry_close", attach: attachTracing, copied: inFunctions},
		{program: "fexit_close", attach: attachTracing, copied: inFunctions},
		{program: "fexit_accept4", attach: attachTracing, function: "inet_csk_accept", parameters: 4, copied: inFunctions},
		{program: "fexit_accept2", attach: attachTracing, function: "inet_csk_accept", parameters: 2, copied: inFunctions},
		{program: "fentry_reset", attach: attachTracing, function: "tcp_reset", parameters: 2},
		{program: "fentry_active_reset", attach: attachTracing},
		{program: "fentry_v4_err", attach: attachTracing, optional: true},
		{program: "fentry_v6_err", attach: attachTracing, function: "tcp_v6_err", parameters: 6, optional: true},
		{program: "fentry_v4_send_reset", attach: attachTracing, function: "tcp_v4_send_reset", parameters: 2},
		{program: "fentry_v6_send_reset", attach: attachTracing, function: "tcp_v6_send_reset", parameters: 2},
		{program: "fentry_timewait", attach: attachTracing, optional: true},
	},
	Kprobe: {
		{program: "kprobe_close", attach: attachKprobe("tcp_close")},
		{program: "kretprobe_close", attach: attachKretprobe("tcp_close"), function: fgraphReturn, parameters: absent},
		{program: "kretprobe_multi_close", attach: attachKretprobeMulti("tcp_close"), function: fgraphReturn, parameters: 3},
		{program: "kprobe_graft", attach: attachKprobe("security_sock_graft"), function: "security_sock_graft", parameters: 2},
		{program: "kretprobe_accept", attach: attachKretprobe("inet_csk_accept"), function: "security_sock_graft", parameters: absent},
		{program: "kprobe_reset", attach: attachKprobe("tcp_reset"), function: "tcp_reset", parameters: 2},
		{program: "kprobe_active_reset", attach: attachKprobe("tcp_send_active_reset")},
		{program: "kprobe_v4_err", attach: attachKprobe("tcp_v4_err"), optional: true},
		{program: "kprobe_v6_err", attach: attachKprobe("tcp_v6_err"), function: "tcp_v6_err", parameters: 6, optional: true},
		{program: "kprobe_v4_send_reset", attach: attachKprobe("tcp_v4_send_reset"), function: "tcp_v4_send_reset", parameters: 2},
		{program: "kprobe_v6_send_reset", attach: attachKprobe("tcp_v6_send_reset"), function: "tcp_v6_send_reset", parameters: 2},
		{program: "kprobe_timewait", attach: attachKprobe("tcp_timewait_state_process"), optional: true},
	},
	Tracepoint: withoutFunctions,
	Raw:        withoutFunctions,
}

// withoutFunctions is for modes that cannot look into functions.
var withoutFunctions = []hook{
	{program: "sock_release", attach: attachCgroup(ebpf.AttachCgroupInetSockRelease), optional: true},
	{program: "getpeername4", attach: attachCgroup(ebpf.AttachCgroupInet4GetPeername), optional: true},
	{program: "getpeername6", attach: attachCgroup(ebpf.AttachCgroupInet6GetPeername), optional: true},
	{program: "icmp_send", attach: attachTracepoint("icmp_send"), tracepoint: "icmp_send", optional: true},
}

// following marks what a followed process starts.
var following = hook{program: "fork", attach: attachTracepoint("sched_process_fork"), copied: byTasks}

// interruption says what may interrupt a program by another run of itself.
type interruption uint8

const (
	nothing     interruption = iota
	inFunctions              // tasks: a function's program that runs in system calls only
	byTasks                  // tasks: the same at a tracepoint
	bySoftirqs               // softirqs, and tasks at a tracepoint; those that call copy_did are all of this kind
)

// preemption says which programs a task can be preempted in.
type preemption struct{ functions, tracepoints bool }

// preemptionOf reads it from the kernel's types. A program at a tracepoint can be
// preempted since they run under SRCU (a46023d5616e, in 7.0). A program at a function
// only disables migration (__bpf_prog_enter, migrate_disable, since 5.11), so it can be
// preempted on every kernel with preemption: those have preemptible RCU.
func preemptionOf(kernel *btf.Spec) preemption {
	var guard *btf.Typedef
	return preemption{
		functions:   parameters(kernel, "__rcu_read_lock") != absent && !preemptionOff(),
		tracepoints: kernel.TypeByName("class_srcu_fast_notrace_t", &guard) == nil,
	}
}

// preemptionOff reports whether a kernel that could preempt was configured not to, by
// preempt=none or voluntary (PREEMPT_DYNAMIC). If debugfs does not show it, it was not.
func preemptionOff() bool {
	modes, err := os.ReadFile("/sys/kernel/debug/sched/preempt")
	return err == nil && (bytes.Contains(modes, []byte("(none)")) || bytes.Contains(modes, []byte("(voluntary)")))
}

// copies returns how many copies of a program make it practically certain that one of
// them can run: two if only softirqs interrupt, more if tasks do too.
func copies(p preemption, by interruption) int {
	switch {
	case by != nothing && p.tracepoints, by == inFunctions && p.functions:
		return 4
	case by == bySoftirqs:
		return 2
	default:
		return 1
	}
}

// once runs at the start, in every mode but Raw.
const once = "task_file"

func attachTracing(p *ebpf.Program, _ *environment) (link.Link, error) {
	return link.AttachTracing(link.TracingOptions{Program: p})
}

// attachTracepoint: a program at a typed tracepoint was loaded for it.
func attachTracepoint(name string) func(*ebpf.Program, *environment) (link.Link, error) {
	return func(p *ebpf.Program, env *environment) (link.Link, error) {
		if p.Type() == ebpf.Tracing {
			return attachTracing(p, env)
		}
		return link.AttachRawTracepoint(link.RawTracepointOptions{Name: name, Program: p})
	}
}

func attachKprobe(symbol string) func(*ebpf.Program, *environment) (link.Link, error) {
	return func(p *ebpf.Program, _ *environment) (link.Link, error) {
		return link.Kprobe(symbol, p, nil)
	}
}

// fgraphReturn is a function of kernels whose fprobe, and with it kprobe.multi, is built
// on the function graph tracer: 4346ba160409 ("fprobe: Rewrite fprobe on function-graph
// tracer"). fprobe_return(trace, gops, fregs), kernel/trace/fprobe.c.
const fgraphReturn = "fprobe_return"

// attachKretprobe leaves the number of instances to the kernel: more need a writable
// tracefs. If more closes wait than that (about ten), the others are judged by the core's
// linger rule and the timer; only their exact time is not known.
func attachKretprobe(symbol string) func(*ebpf.Program, *environment) (link.Link, error) {
	return func(p *ebpf.Program, _ *environment) (link.Link, error) {
		return link.Kretprobe(symbol, p, nil)
	}
}

// attachKretprobeMulti is for kernels with fgraphReturn: returns are kept on a stack of
// each task, so that any number can wait. Older kernels have room for two on each
// processor (fprobe_init_rethook), fewer than a kretprobe. Sessions are not used: their
// functions have other arguments since 7.0, and a close() that does not linger has
// nothing to keep for its return.
func attachKretprobeMulti(symbol string) func(*ebpf.Program, *environment) (link.Link, error) {
	return func(p *ebpf.Program, _ *environment) (link.Link, error) {
		return link.KretprobeMulti(p, link.KprobeMultiOptions{Symbols: []string{symbol}})
	}
}

func attachCgroup(how ebpf.AttachType) func(*ebpf.Program, *environment) (link.Link, error) {
	return func(p *ebpf.Program, env *environment) (link.Link, error) {
		if env.cgroup == "" {
			return nil, fmt.Errorf("no cgroup v2 is mounted: %w", errors.ErrUnsupported)
		}
		return link.AttachCgroup(link.CgroupOptions{Path: env.cgroup, Attach: how, Program: p})
	}
}

// hooksFor returns the core and what mode and opts add to it on this kernel.
func hooksFor(mode Mode, opts Options, types *types) ([]hook, error) {
	spec, err := types.kernel()
	if err != nil {
		return nil, err
	}
	if !slices.Contains(types.modes(), mode) {
		return nil, fmt.Errorf("the types are those of %s: only the raw back end works without types in the kernel: %w", types.path, errors.ErrUnsupported)
	}
	if err := checkRing(spec); err != nil {
		return nil, err
	}
	all := slices.Concat(core, extra[mode])
	if opts.PID != 0 {
		all = append(all, following)
	}
	var hooks []hook
	for _, h := range all {
		if h.function != "" && parameters(spec, h.function) != h.parameters ||
			h.tracepoint != "" && !hasTracepoint(spec, h.tracepoint) {
			continue
		}
		hooks = append(hooks, h)
	}
	return withCopies(hooks, preemptionOf(spec)), nil
}

// withCopies adds the copies that the hooks need where p says what can be preempted.
func withCopies(hooks []hook, p preemption) []hook {
	var all []hook
	for _, h := range hooks {
		all = append(all, h)
		for n := 2; n <= copies(p, h.copied); n++ {
			another := h
			another.copyOf, another.program, another.number = h.program, fmt.Sprintf("%s_%d", h.program, n), uint32(n)
			all = append(all, another)
		}
	}
	return all
}

// hasTracepoint reports whether the kernel has what a program at a tracepoint needs.
func hasTracepoint(spec *btf.Spec, name string) bool {
	var arguments *btf.Typedef
	return spec.TypeByName("btf_trace_"+name, &arguments) == nil
}

// absent is the number of parameters of a function that the kernel does not have.
const absent = -1

// parameters returns the number of parameters of a kernel function, or absent.
func parameters(spec *btf.Spec, function string) int {
	var f *btf.Func
	if spec.TypeByName(function, &f) != nil {
		return absent
	}
	proto, ok := f.Type.(*btf.FuncProto)
	if !ok {
		return absent
	}
	return len(proto.Params)
}
