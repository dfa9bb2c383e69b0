package main

import (
	"slices"
	"strings"
	"testing"
)

func TestKernelProblems(t *testing.T) {
	tests := []struct {
		name string
		log  string
		want string
	}{
		{"clean log with advice that says WARNING", `
			Linux version 5.10
			Spectre V2 : WARNING: Unprivileged eBPF is enabled with eIBRS on
			tun: Universal TUN/TAP device driver, 1.6
			WARNING: Support for unmaintained hardware
			debug: no`, ``},
		{"WARN with its text before the WARNING line", `
			before
			------------[ cut here ]------------
			trace type BPF program uses run-time allocation
			WARNING: CPU: 0 PID: 76 at kernel/bpf/verifier.c:10519 bpf_check+0x2f8e/0x3470
			Call Trace:
			---[ end trace 0123456789abcdef ]---
			after`, `
			------------[ cut here ]------------
			trace type BPF program uses run-time allocation
			WARNING: CPU: 0 PID: 76 at kernel/bpf/verifier.c:10519 bpf_check+0x2f8e/0x3470
			Call Trace:
			---[ end trace 0123456789abcdef ]---`},
		{"WARN as 6.18 and later print it", `
			WARNING: net/ipv4/tcp.c:1 at tcp_close+0x1/0x2, CPU#0: test/7`, `
			WARNING: net/ipv4/tcp.c:1 at tcp_close+0x1/0x2, CPU#0: test/7`},
		{"BUG and oops", `
			BUG: kernel NULL pointer dereference, address: 0000000000000000
			Oops: 0002 [#1] SMP`, `
			BUG: kernel NULL pointer dereference, address: 0000000000000000
			Oops: 0002 [#1] SMP`},
		{"general protection fault", `
			general protection fault, probably for non-canonical address`, `
			general protection fault, probably for non-canonical address`},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			if got, want := kernelProblems(lines(test.log)), lines(test.want); !slices.Equal(got, want) {
				t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
			}
		})
	}
}

func TestKernelProblemsAreCutAtTheirLongest(t *testing.T) {
	log := append([]string{"BUG: endless"}, make([]string, 10*maxProblem)...)
	if got := len(kernelProblems(log)); got != maxProblem {
		t.Errorf("got %d lines, want %d", got, maxProblem)
	}
}

func lines(s string) []string {
	var all []string
	for line := range strings.Lines(s) {
		if line = strings.TrimSpace(line); line != "" {
			all = append(all, line)
		}
	}
	return all
}

func TestKmsgText(t *testing.T) {
	record := "4,512,123456,-;general protection; fault\n SUBSYSTEM=net\n"
	if got, want := kmsgText(record), "general protection; fault"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}
