package main

import (
	"errors"
	"io/fs"
	"strings"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/asm"
	"golang.org/x/sys/unix"
)

// limitChecks reports what may keep a process with all capabilities from tracing.
// load loads the smallest program there is.
func limitChecks(root fs.FS, load func() error) []check {
	read := func(name string) string {
		text, _ := fs.ReadFile(root, name)
		return strings.TrimSpace(string(text))
	}
	return []check{
		sandboxCheck(read("proc/version")),
		lockdownCheck(read("sys/kernel/security/lockdown")),
		unprivilegedCheck(read("proc/sys/kernel/unprivileged_bpf_disabled")),
		policyCheck(load(), read("sys/kernel/security/lsm")),
	}
}

// sandboxCheck recognizes gVisor by its /proc/version: 4.19.0-gvisor, and before 2025
// 4.4.0 with a date of its own (pkg/sentry/kernel/version.go).
func sandboxCheck(version string) check {
	gvisor := strings.Contains(version, "gvisor") || strings.Contains(version, "Sun Jan 10 15:06:54 PST 2016")
	return check{
		Name: "sandbox", OK: !gvisor, Detail: "this is a Linux kernel, not gVisor",
		Advice: "no: this is gVisor, which has no BPF; run closetrace on the host",
	}
}

// lockdownCheck: mode confidentiality forbids reading kernel memory and placing kprobes
// (enum lockdown_reason, LOCKDOWN_BPF_READ_KERNEL); integrity forbids neither.
func lockdownCheck(text string) check {
	level := "none"
	if _, after, found := strings.Cut(text, "["); found {
		level, _, _ = strings.Cut(after, "]")
	}
	return check{
		Name: "kernel lockdown", OK: level != "confidentiality", Detail: level,
		Advice: "programs cannot read kernel memory; boot with lockdown=integrity or none",
	}
}

// unprivilegedCheck reports who may load programs; it never keeps root from loading them.
func unprivilegedCheck(text string) check {
	c := check{Name: "unprivileged BPF", OK: true, Optional: true}
	switch text {
	case "":
		c.Detail = "no such setting (kernel.unprivileged_bpf_disabled)"
	case "0":
		c.Detail = "kernel.unprivileged_bpf_disabled=0: users without CAP_BPF may load some programs; closetrace does not need it"
	default:
		c.Detail = "kernel.unprivileged_bpf_disabled=" + text + ": only with CAP_BPF, which closetrace has"
	}
	return c
}

// policyCheck: something other than missing privileges keeps a process with CAP_BPF from
// loading its smallest program.
func policyCheck(err error, modules string) check {
	c := check{Name: "BPF policy", OK: err == nil, Detail: "programs load without a signature"}
	switch {
	case err == nil:
	case errors.Is(err, unix.ENOSYS):
		c.Detail = "there is no bpf(): a kernel without CONFIG_BPF_SYSCALL, or a sandbox"
	case errors.Is(err, unix.EKEYREJECTED), errors.Is(err, unix.ENOKEY), errors.Is(err, unix.EBADMSG):
		c.Detail = "the kernel takes signed programs only; closetrace's are not signed: ask who set the policy to allow it"
	case errors.Is(err, unix.EPERM), errors.Is(err, unix.EACCES):
		c.Detail = "programs are refused in spite of CAP_BPF, by seccomp (a container's profile) or a security module"
		if modules != "" {
			c.Detail += " (" + modules + ")"
		}
	default:
		c.Detail = oneLine(err)
	}
	return c
}

// loadNothing loads a program that does nothing.
func loadNothing() error {
	p, err := ebpf.NewProgram(&ebpf.ProgramSpec{
		Type:         ebpf.SocketFilter,
		Instructions: asm.Instructions{asm.Mov.Imm(asm.R0, 0), asm.Return()},
		License:      "GPL",
	})
	if err != nil {
		return err
	}
	return p.Close()
}
