//go:build !linux

package main

import (
	"fmt"
	"os"
)

func main() {
	fmt.Fprintln(os.Stderr, "vmtest: runs on Linux only: the guest's /init is made of Linux system calls")
	os.Exit(machineFailed)
}

// machineFailed is the exit code for what is not the test's own failure.
const machineFailed = 125
