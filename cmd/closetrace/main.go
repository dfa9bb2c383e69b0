// Command closetrace shows why TCP connections end.
package main

import (
	"os"
	"path/filepath"
	"strings"

	"github.com/closetrace/closetrace/internal/lab"
)

func main() {
	lab.Main() // plays a scenario of demo or doctor --selftest in a process of its own
	args := os.Args[1:]
	if name := strings.TrimSuffix(filepath.Base(os.Args[0]), ".exe"); name == plugin {
		args = append([]string{"kubectl"}, args...)
	}
	os.Exit(run(args, os.Stdin, os.Stdout, os.Stderr))
}
