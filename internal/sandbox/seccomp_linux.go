package sandbox

import (
	"fmt"
	"slices"

	seccomp "github.com/elastic/go-seccomp-bpf"
	"github.com/elastic/go-seccomp-bpf/arch"
	"golang.org/x/sys/unix"
)

// allow makes every other system call fail with EPERM, on all threads.
func allow(calls []string, conditions []seccomp.NameWithConditions) error {
	if !Seccomp() {
		return nil // doctor says so
	}
	machine, err := arch.GetInfo("")
	if err != nil {
		return fmt.Errorf("filter system calls (seccomp): %w", err)
	}
	// Each processor has some of open and openat, poll and ppoll.
	lacks := func(name string) bool { _, has := machine.SyscallNames[name]; return !has }
	calls = slices.DeleteFunc(slices.Clone(calls), lacks)
	conditions = slices.DeleteFunc(conditions, func(c seccomp.NameWithConditions) bool { return lacks(c.Name) })
	err = seccomp.LoadFilter(seccomp.Filter{
		Flag: seccomp.FilterFlagTSync,
		Policy: seccomp.Policy{
			DefaultAction: seccomp.ActionErrno,
			Syscalls: []seccomp.SyscallGroup{
				{Action: seccomp.ActionAllow, Names: calls, NamesWithCondtions: conditions},
				// Its flags are out of reach. The C library then makes threads by clone (glibc 2.34).
				{Action: seccomp.ActionErrno | seccomp.Action(unix.ENOSYS), Names: []string{"clone3"}},
			},
		},
	})
	if err != nil {
		return fmt.Errorf("filter system calls (seccomp): %w", err)
	}
	return nil
}

// Seccomp reports whether this kernel filters system calls.
func Seccomp() bool {
	_, err := unix.PrctlRetInt(unix.PR_GET_SECCOMP, 0, 0, 0, 0)
	return err == nil && seccomp.Supported()
}
