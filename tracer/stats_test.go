//go:build linux

package tracer

import (
	"regexp"
	"strconv"
	"testing"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/btf"

	"github.com/closetrace/closetrace/bpf"
)

// verified finds the summary in the verifier's log.
var verified = regexp.MustCompile(`processed (\d+) insns[^\n]*`)

// TestVerifierStats prints how much work each program makes for the kernel's
// verifier, so that growth is seen in review: make verifier-stats. The limit of
// the kernel is a million instructions for each.
func TestVerifierStats(t *testing.T) {
	if missing := missingCapabilities(); len(missing) > 0 {
		t.Skip(&PrivilegeError{missing})
	}
	if err := removeMemlock(); err != nil {
		t.Skip(err)
	}
	loadedAny := false
	for _, mode := range Modes() {
		hooks, err := hooksFor(mode, Options{PID: 1}, btf.NewCache())
		if err != nil {
			t.Skip(err)
		}
		for _, h := range hooks {
			if h.copyOf == "" && (mode == Tracepoint || !inCore(h)) {
				loadedAny = verifierStats(t, h.program) || loadedAny
			}
		}
	}
	if !verifierStats(t, once) && !loadedAny {
		t.Error("no program could be loaded")
	}
}

func inCore(h hook) bool {
	for _, c := range core {
		if c.program == h.program {
			return true
		}
	}
	return false
}

func verifierStats(t *testing.T, name string) bool {
	t.Helper()
	spec, err := bpf.LoadTrace()
	if err != nil {
		t.Fatal(err)
	}
	spec.Maps["messages"].MaxEntries = 1 << 16
	if err := spec.Variables["typed_task"].Set(typedTask()); err != nil {
		t.Fatal(err)
	}
	for other := range spec.Programs {
		if other != name {
			delete(spec.Programs, other)
		}
	}
	size := len(spec.Programs[name].Instructions)
	objects, err := ebpf.NewCollectionWithOptions(spec, ebpf.CollectionOptions{
		Programs: ebpf.ProgramOptions{LogLevel: ebpf.LogLevelStats},
	})
	if err != nil {
		t.Logf("%-20s not on this kernel: %v", name, err)
		return false
	}
	defer objects.Close()
	const budget = 100_000 // a tenth of the kernel's
	found := verified.FindStringSubmatch(objects.Programs[name].VerifierLog)
	if found == nil {
		t.Errorf("%s: no statistics in the verifier's log", name)
		return true
	}
	t.Logf("%-20s %5d instructions, %s", name, size, found[0])
	if n, err := strconv.Atoi(found[1]); err != nil || n > budget {
		t.Errorf("%s: the verifier went through %s instructions, want at most %d: %v", name, found[1], budget, err)
	}
	return true
}
