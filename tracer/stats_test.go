//go:build linux

package tracer

import (
	"fmt"
	"os"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/cilium/ebpf"
)

// verified finds the summary in the verifier's log.
var verified = regexp.MustCompile(`processed (\d+) insns[^\n]*`)

// verifierTable has a line for each kernel series and program, with the instructions that
// the verifier processed; make verifier-table writes it.
const verifierTable = "testdata/verifier.txt"

// TestVerifierStats compares how many instructions the kernel's verifier processes for
// each program with the committed table, so that growth is seen in review. The limit of
// the kernel is a million instructions for each.
func TestVerifierStats(t *testing.T) {
	if missing := missingCapabilities(); len(missing) > 0 {
		t.Skip(&PrivilegeError{missing})
	}
	if err := removeMemlock(); err != nil {
		t.Skip(err)
	}
	got := map[string]int{}
	verify := func(mode Mode, program string) {
		name := program
		if mode == Raw {
			name = "raw/" + program
		}
		if n := verifierStats(t, mode, program); n > 0 {
			got[name] = n
		}
	}
	for _, mode := range Modes() {
		hooks, err := hooksFor(mode, Options{PID: 1}, newTypes(""))
		if err != nil {
			t.Skip(err)
		}
		for _, h := range hooks {
			if h.copyOf == "" && (mode == Tracepoint || mode == Raw || !inCore(h)) {
				verify(mode, h.program)
			}
		}
	}
	verify(Tracepoint, once)
	if len(got) == 0 {
		t.Fatal("no program could be loaded")
	}
	compareVerified(t, got)
}

// compareVerified allows a tenth more than the table says, or writes a new one.
func compareVerified(t *testing.T, got map[string]int) {
	series := kernelSeries.FindString(Inspect("").Release) + "/" + runtime.GOARCH
	if path := os.Getenv("CLOSETRACE_VERIFIER"); path != "" {
		var lines []string
		for program, n := range got {
			lines = append(lines, fmt.Sprintf("%-12s %-22s %d\n", series, program, n))
		}
		slices.Sort(lines)
		if err := os.WriteFile(path, []byte(strings.Join(lines, "")), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	text, err := os.ReadFile(verifierTable)
	if err != nil {
		t.Fatal(err)
	}
	rows := 0
	for line := range strings.Lines(string(text)) {
		var kernel, program string
		var want int
		if _, err := fmt.Sscan(line, &kernel, &program, &want); err != nil {
			t.Fatalf("%s: %q: %v", verifierTable, line, err)
		}
		if kernel != series || got[program] == 0 {
			continue
		}
		rows++
		if n := got[program]; n > want+want/10 {
			t.Errorf("%s: the verifier went through %d instructions, before through %d; if that is worth it: make verifier-table", program, n, want)
		}
	}
	if rows == 0 {
		t.Logf("%s has no line of kernel %s", verifierTable, series)
	}
}

var kernelSeries = regexp.MustCompile(`^\d+\.\d+`)

func inCore(h hook) bool {
	return slices.ContainsFunc(core, func(c hook) bool { return c.program == h.program })
}

// verifierStats returns 0 if the kernel refuses the program.
func verifierStats(t *testing.T, mode Mode, name string) int {
	t.Helper()
	spec, err := newEnvironment("", 0).programs(mode)
	if err != nil {
		t.Fatal(err)
	}
	spec.Maps["messages"].MaxEntries = 1 << 16
	if err := spec.Variables["typed_task"].Set(mode != Raw && typedTask()); err != nil {
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
		return 0
	}
	defer objects.Close()
	const budget = 100_000 // a tenth of the kernel's
	found := verified.FindStringSubmatch(objects.Programs[name].VerifierLog)
	if found == nil {
		t.Errorf("%s: no statistics in the verifier's log", name)
		return 0
	}
	t.Logf("%-20s %5d instructions, %s", name, size, found[0])
	n, err := strconv.Atoi(found[1])
	if err != nil || n > budget {
		t.Errorf("%s: the verifier went through %s instructions, want at most %d: %v", name, found[1], budget, err)
	}
	return n
}
