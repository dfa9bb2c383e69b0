// Command closetrace tells why TCP connections end.
package main

import (
	"os"

	"github.com/closetrace/closetrace/internal/lab"
)

func main() {
	lab.Main() // plays a scenario of demo or doctor --selftest in a process of its own
	os.Exit(run(os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
}
