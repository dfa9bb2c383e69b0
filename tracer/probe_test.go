//go:build linux

package tracer

import (
	"errors"
	"os"
	"strings"
	"testing"
)

// TestExplainKprobes: the error says that the kernel has no kprobes only if its symbols
// lack what perf creates them with.
func TestExplainKprobes(t *testing.T) {
	symbols, err := os.ReadFile("/proc/kallsyms")
	if err != nil || !strings.Contains(string(symbols), " do_sys_open") {
		t.Skipf("no symbols in /proc/kallsyms: %v", err)
	}
	without := !strings.Contains(string(symbols), " perf_kprobe_init\n")
	why := explain(Kprobe, errors.New("symbol tcp_close: not found"))
	if said := errors.Is(why, ErrNoKprobes); said != without {
		t.Errorf("the kernel is without kprobes: %v; it is said: %v", without, why)
	}
	if why := explain(Tracepoint, os.ErrNotExist); errors.Is(why, ErrNoKprobes) {
		t.Errorf("of another back end: %v", why)
	}
}

// TestOpenUnknownMode: a trace without the hooks of its mode would report less.
func TestOpenUnknownMode(t *testing.T) {
	tr, err := Open(Options{Mode: "fentri"})
	if err == nil {
		tr.Close()
		t.Error("a mode that does not exist is opened")
	}
}
