package main

import (
	"fmt"
	"strings"
)

// machine is what differs between architectures.
type machine struct {
	program []string // qemu with its machine and processor
	console string   // the kernel's name of the first serial port
	result  []string // the device for the second serial port
	port    string   // the guest's name of it
}

func machineFor(arch string) (machine, error) {
	switch arch {
	case "amd64":
		return machine{
			program: []string{"qemu-system-x86_64", "-machine", "q35", "-cpu", "max"},
			console: "ttyS0",
			result:  []string{"-serial", "chardev:result"},
			port:    "/dev/ttyS1",
		}, nil
	case "arm64":
		return machine{
			// pauth-impdef: pointer authentication by the architected
			// algorithm takes half of the time of an emulated arm64.
			program: []string{"qemu-system-aarch64", "-machine", "virt,gic-version=3", "-cpu", "max,pauth-impdef=on"},
			console: "ttyAMA0",
			// This machine has one port; a second one comes on its PCI bus.
			result: []string{"-device", "pci-serial,chardev=result"},
			port:   "/dev/ttyS0",
		}, nil
	}
	return machine{}, fmt.Errorf("-arch=%s: want amd64 or arm64", arch)
}

// qemu returns the command line of the machine. What some words are for:
//
//	tcg, smp 1     see the package's documentation
//	-no-reboot     the guest's panic or restart ends qemu
//	mitigations    slow, and of no use to an emulated processor
//	nosoftlockup   a starved emulator looks like a stuck kernel
//	log_buf_len    so that no warning is overwritten before it is read
func (r *request) qemu(m machine, k kernel, initrd, console string) []string {
	words := "console=" + m.console + " quiet loglevel=4 panic=-1 mitigations=off nosoftlockup log_buf_len=1M"
	command := append(m.program,
		"-accel", "tcg", "-smp", "1", "-m", r.memory,
		"-nodefaults", "-no-user-config", "-display", "none", "-no-reboot",
		"-chardev", "file,id=console,path="+console, "-serial", "chardev:console",
		"-chardev", "stdio,id=result,signal=off")
	command = append(command, m.result...)
	return append(command, "-kernel", k.imagePath(), "-initrd", initrd,
		"-append", strings.TrimSpace(words+" "+r.append))
}
