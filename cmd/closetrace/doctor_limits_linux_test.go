package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"testing/fstest"

	"golang.org/x/sys/unix"
)

// TestLimits: doctor has one line for each thing that keeps root from tracing. The
// texts are the kernel's (security/lockdown/lockdown.c, lockdown_read) and gVisor's.
func TestLimits(t *testing.T) {
	const linux = "Linux version 6.12.48 (gcc) #1 SMP"
	for _, c := range []struct {
		name  string
		files map[string]string
		load  error
		check string
		ok    bool
		says  string
	}{
		{"Linux", map[string]string{"proc/version": linux}, nil, "sandbox", true, "not gVisor"},
		{"gVisor", map[string]string{"proc/version": "Linux version 4.19.0-gvisor #1 SMP Sun Jan 10 15:06:54 PST 2016"}, unix.ENOSYS, "sandbox", false, "on the host"},
		{"old gVisor", map[string]string{"proc/version": "Linux version 4.4.0 #1 SMP Sun Jan 10 15:06:54 PST 2016"}, unix.EPERM, "sandbox", false, "on the host"},
		{"no lockdown", nil, nil, "kernel lockdown", true, "none"},
		{"integrity", map[string]string{"sys/kernel/security/lockdown": "none [integrity] confidentiality\n"}, nil, "kernel lockdown", true, "integrity"},
		{"confidentiality", map[string]string{"sys/kernel/security/lockdown": "none integrity [confidentiality]\n"}, nil, "kernel lockdown", false, "lockdown=integrity"},
		{"everybody may", map[string]string{"proc/sys/kernel/unprivileged_bpf_disabled": "0\n"}, nil, "unprivileged BPF", true, "=0"},
		{"CAP_BPF may", map[string]string{"proc/sys/kernel/unprivileged_bpf_disabled": "2\n"}, nil, "unprivileged BPF", true, "=2"},
		{"no policy", nil, nil, "BPF policy", true, "without a signature"},
		{"signed only", nil, unix.EKEYREJECTED, "BPF policy", false, "signed programs only"},
		{"a module", map[string]string{"sys/kernel/security/lsm": "capability,selinux,bpf"}, fmt.Errorf("load program: %w", unix.EACCES), "BPF policy", false, "(capability,selinux,bpf)"},
		{"seccomp", nil, unix.EPERM, "BPF policy", false, "seccomp"},
		{"no bpf", nil, unix.ENOSYS, "BPF policy", false, "no bpf()"},
	} {
		t.Run(c.name, func(t *testing.T) {
			root := fstest.MapFS{}
			for name, text := range c.files {
				root[name] = &fstest.MapFile{Data: []byte(text)}
			}
			for _, got := range limitChecks(root, func() error { return c.load }) {
				if got.Name != c.check {
					continue
				}
				line := got.Detail
				if !got.OK {
					line += ": " + got.Advice
				}
				if got.OK != c.ok || !strings.Contains(line, c.says) {
					t.Errorf("%s: ok %v, %q; want %v, %q", got.Name, got.OK, line, c.ok, c.says)
				}
			}
		})
	}
}

// needMounts skips a test that changes mounts where those of its own can't be had: in a
// chroot, whose root is no mount.
func needMounts(t *testing.T) {
	t.Helper()
	if _, err := exec.LookPath("mount"); err != nil {
		t.Skip(err) // in a guest
	}
	c := exec.Command("true")
	c.SysProcAttr = &syscall.SysProcAttr{Unshareflags: syscall.CLONE_NEWNS}
	if err := c.Run(); errors.Is(err, syscall.EINVAL) {
		t.Skip("the root is no mount: a chroot")
	}
}

// TestHiddenBTF: the kernel's types are not in their usual place, and then are taken from
// a copy. The child is in a mount namespace of its own.
func TestHiddenBTF(t *testing.T) {
	needCapabilities(t)
	needMounts(t)
	closetrace := program(t)
	hidden := func(script string) result {
		c := exec.Command("sh", "-ec", "cd "+t.TempDir()+
			"; cp /sys/kernel/btf/vmlinux btf; mount -t tmpfs none /sys/kernel/btf; mount -t tmpfs none /boot; "+script, closetrace)
		c.SysProcAttr = &syscall.SysProcAttr{Unshareflags: syscall.CLONE_NEWNS}
		c.Env = append(os.Environ(), "LC_ALL=C")
		return runProgram(t, c)
	}
	r := hidden(`exec "$0" live --plain --duration 10ms`)
	if r.code != exitPrivileges || !strings.Contains(r.errors, "-v /sys/kernel/btf:/sys/kernel/btf:ro") || strings.Count(r.errors, "\n") != 1 {
		t.Errorf("live: exit %d with %q, want %d and one line with what to mount", r.code, r.errors, exitPrivileges)
	}
	r = hidden(`"$0" doctor || true`)
	if !strings.Contains(r.out, "FAIL  BTF ") || !strings.Contains(r.out, "mount sysfs") {
		t.Errorf("doctor: %s%s", r.out, r.errors)
	}
	r = hidden(`cp btf /boot/vmlinux-$(uname -r); exec "$0" live --plain --duration 10ms`)
	if r.code != exitOK {
		t.Errorf("with a copy: exit %d with %q", r.code, r.errors)
	}
}
