// Vmtest runs a test binary inside a QEMU guest with a real Debian kernel.
//
// It is a wrapper for `go test -exec`, and three programs in one static file:
//
//	vmtest fetch   gets Debian kernels into a cache; nothing is installed
//	vmtest run     packs a test binary, boots a kernel, relays the result
//	/init          process 1 of that guest, when the kernel starts it
//
// The way of one run:
//
//	go test ── vmtest run ── cpio archive: /init, the test, testdata, modules
//	               │                             │
//	               │                        qemu, no disk, no network
//	               │                             │
//	               └── frames on a serial port ◄── /init: mounts, modules, the test
//
// Rules: the guest is emulated by TCG with one processor. KVM is never used,
// even where /dev/kvm opens: nested machines were seen to hang in it, and
// qemu 7.2 with two emulated processors oopses now and then at boot. A run
// fails when the test fails, when the kernel logs a warning, a BUG or an oops,
// and when the guest dies without a result.
//
// Only Linux can run it: the guest part is made of Linux system calls.
package main
