package main

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/cilium/ebpf"
	"golang.org/x/sys/unix"

	"github.com/closetrace/closetrace/internal/privilege"
	"github.com/closetrace/closetrace/internal/sandbox"
	"github.com/closetrace/closetrace/internal/sockets"
	"github.com/closetrace/closetrace/tracer"
)

// diagnose inspects this host and tries every back end.
func diagnose(by sourceFlags) (diagnosis, error) {
	host := tracer.Inspect(by.btf)
	if err := by.wrongTypes(host.BTF); by.btf != "" && err != nil {
		return diagnosis{}, err
	}
	d := diagnosis{Checks: slices.Concat(hostChecks(&host), limitChecks(os.DirFS("/"), loadNothing), ownerChecks())}
	if len(host.Missing) > 0 {
		return d, nil
	}
	for _, s := range tracer.Probe(by.btf) {
		c := check{Name: "back end " + string(s.Mode), OK: s.Err == nil, Optional: true}
		if s.Err != nil {
			c.Detail = oneLine(s.Err)
		} else if d.Backend == "" {
			d.Backend = string(s.Mode)
			c.Detail = "chosen"
		}
		d.Checks = append(d.Checks, c)
		for _, p := range s.Programs {
			pc := check{Name: "  " + p.Program, OK: p.Err == nil, Optional: true}
			if p.Err != nil {
				pc.Detail = oneLine(p.Err)
			}
			d.Checks = append(d.Checks, pc)
		}
	}
	return d, nil
}

func hostChecks(host *tracer.Host) []check {
	checks := []check{
		{Name: "kernel", OK: true, Detail: host.Release},
		{
			Name: "capabilities", OK: len(host.Missing) == 0, Detail: capabilities(host.Missing),
			Advice: "missing; run with sudo",
		},
		programCheck(),
		typesCheck(host),
		confinementCheck(),
		{
			Name: "cgroup v2", OK: host.Cgroup2 != "", Detail: cgroup2Place(host.Cgroup2), Optional: true,
			Advice: "not mounted; tracepoint mode then sees the begin of close() later (mount -t cgroup2 none /mnt)",
		},
		{
			Name: "tracefs", OK: host.Tracefs != "", Detail: host.Tracefs, Optional: true,
			Advice: "not mounted; only kprobes of kernels before 4.17 need it",
		},
		{
			Name: "RST reasons", OK: host.Reasons > 0, Detail: fmt.Sprintf("the kernel names %d", host.Reasons), Optional: true,
			Advice: "the kernel names none (before 6.10); verdicts do not need them",
		},
		tableCheck(tracer.DefaultMaxConnections(), sockets.Count),
	}
	return checks
}

// cgroup2Place says where cgroup v2 is; see [process.Cgroup2Mount].
func cgroup2Place(mount string) string {
	if strings.HasPrefix(mount, "/proc/self/fd/") {
		return "not mounted here, as in ip netns exec: closetrace mounts it for itself alone"
	}
	return mount
}

// typesCheck says where the kernel's types are from, without which nothing works.
func typesCheck(host *tracer.Host) check {
	switch {
	case host.BTF != nil:
		return check{Name: "BTF", Detail: oneLine(host.BTF)}
	case host.Types != "":
		return check{Name: "BTF", OK: true, Detail: "the kernel's types are those of " + host.Types + ": the raw back end only"}
	default:
		return check{Name: "BTF", OK: true, Detail: "the kernel's types are here"}
	}
}

// tableCheck compares what is open with what can be followed. One tenant gets two thirds
// at most, so that connections may be refused once it is half full.
func tableCheck(entries uint32, count func() (sockets.Crowd, error)) check {
	c := check{Name: "connections", OK: true, Optional: true}
	crowd, err := count()
	if err != nil {
		c.Detail = fmt.Sprintf("%d can be followed; what is open could not be counted: %v", entries, err)
		return c
	}
	c.Detail = fmt.Sprintf("%d can be followed, %d TCP sockets are open", entries, crowd.Open)
	if crowd.Most > 0 {
		c.Detail += fmt.Sprintf(", %d of them of uid %d in netns %d", crowd.Most, crowd.UID, crowd.NetNS)
	}
	if crowd.Open >= uint64(entries)/2 {
		c.OK, c.Advice = false, fmt.Sprintf("WARNING: %s; use --max-connections %d", c.Detail, 2*crowd.Open)
	}
	return c
}

// programCheck reports who may use the capabilities of this program's file.
func programCheck() check {
	c := check{
		Name: "program file", OK: true, Detail: "lends no capabilities to every user", Optional: true,
		Advice: "chgrp closetrace FILE && chmod 0750 FILE, then setcap again (README, Privileges)",
	}
	path, err := os.Executable()
	if err == nil && privilege.Lends(path) {
		c.OK, c.Detail = false, "WARNING: every user of this host may run "+path+" with its capabilities"
	}
	return c
}

// confinementCheck reports what a running trace gives up on this kernel.
func confinementCheck() check {
	c := check{Name: "confinement", OK: true, Optional: true}
	box, err := sandbox.New(sandbox.Options{})
	if err != nil {
		c.OK, c.Detail = false, err.Error()
		return c
	}
	who := cmp.Or(box.Who().Name, "this user")
	if _, err := strconv.Atoi(who); err == nil {
		who = "a user that nothing else runs as"
	}
	version, seccomp := sandbox.Landlock(), sandbox.Seccomp()
	switch {
	case version == 0 && !seccomp:
		c.OK, c.Detail = false, "a trace becomes "+who+"; this kernel has neither landlock nor seccomp"
	case version == 0:
		c.OK, c.Detail = false, "a trace becomes "+who+", system calls are filtered; no landlock in this kernel (5.13, CONFIG_SECURITY_LANDLOCK)"
		c.Advice = "files are kept from it by their modes only"
	case !seccomp:
		c.OK, c.Detail = false, fmt.Sprintf("a trace becomes %s, landlock %d; no seccomp in this kernel (CONFIG_SECCOMP_FILTER)", who, version)
	default:
		c.Detail = fmt.Sprintf("a trace becomes %s, landlock %d, seccomp", who, version)
	}
	return c
}

func capabilities(missing []string) string {
	if len(missing) == 0 {
		return "CAP_BPF, CAP_PERFMON, CAP_NET_ADMIN"
	}
	return strings.Join(missing, ", ")
}

// ownerChecks reports how owners and containers are found, and what can't be seen
// from where this process runs.
func ownerChecks() []check {
	holders := check{
		Name: "who holds a socket", OK: true, Detail: "BPF iterator over descriptors", Optional: true,
		Advice: "list walks /proc and copies descriptors for SO_LINGER instead, which needs CAP_SYS_PTRACE for processes of other users",
	}
	if h, err := tracer.OpenHolders(); err != nil {
		holders.OK, holders.Detail = false, oneLine(err)
	} else {
		_ = h.Close()
	}
	checks := []check{holders}
	limits := blindSpots()
	for _, limit := range limits {
		checks = append(checks, check{Name: "owners and containers", Detail: limit, Optional: true})
	}
	if len(limits) == 0 {
		checks = append(checks, check{Name: "owners and containers", OK: true, Detail: "all of this host"})
	}
	return checks
}

// oneLine shortens an error of the loader: of a verifier's log it keeps only the cause.
func oneLine(err error) string {
	var verifier *ebpf.VerifierError
	if errors.As(err, &verifier) {
		err = verifier.Cause
	}
	text, _, _ := strings.Cut(err.Error(), "\n")
	switch {
	case errors.Is(err, unix.EPERM):
		return "the kernel does not permit it: no BPF trampolines, or locked down"
	case errors.Is(err, tracer.ErrNoKprobes):
		return "the kernel has no kprobes"
	case errors.Is(err, os.ErrNotExist):
		return "the kernel has no such function to probe"
	default:
		return text
	}
}
