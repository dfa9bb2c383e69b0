package main

import (
	_ "embed"
	"flag"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
)

//go:embed quarantine.txt
var list string

func main() {
	tries := flag.Int("tries", 3, "how often a quarantined test runs at most")
	flag.Parse()
	if slices.Index(flag.Args(), "test") < 1 {
		fmt.Fprintln(os.Stderr, "usage: retest [-tries N] -- go test [flags] [packages]")
		os.Exit(2)
	}
	q, err := readQuarantine(strings.NewReader(list))
	if err != nil {
		fmt.Fprintln(os.Stderr, "retest:", err)
		os.Exit(2)
	}
	if !retest(flag.Args(), q, *tries, goTest, os.Stdout) {
		os.Exit(1)
	}
}

// retest reports whether every test passed, a quarantined one within tries runs.
func retest(args []string, q quarantine, tries int, run runner, out io.Writer) bool {
	o := run(args, out)
	ok := o.err == nil && len(o.broken) == 0
	if o.err != nil {
		fmt.Fprintln(out, "retest:", o.err)
	}
	for _, pkg := range o.broken {
		fmt.Fprintf(out, "retest: %s failed outside its tests\n", pkg)
	}
	var report []string
	for _, t := range o.failed {
		reason, listed := q[t]
		if !listed || !ok {
			fmt.Fprintf(out, "retest: %s %s failed\n", t.pkg, t.name)
			ok = false
			continue
		}
		passed, n := again(args, t, tries, run, out)
		report = append(report, fmt.Sprintf("retest: quarantined %s %s ran again %d times, passed: %t (%s)", t.pkg, t.name, n, passed, reason))
		ok = ok && passed
	}
	for _, line := range report {
		fmt.Fprintln(out, line)
	}
	fmt.Fprintf(out, "retest: %d tests ran again\n", len(report))
	return ok
}

// again runs t alone until it passes.
func again(args []string, t test, tries int, run runner, out io.Writer) (passed bool, n int) {
	for n = 1; n < tries; n++ {
		fmt.Fprintf(out, "retest: run %d of %s %s\n", n+1, t.pkg, t.name)
		o := run(only(args, t), out)
		if o.err == nil && len(o.failed)+len(o.broken) == 0 {
			return true, n
		}
	}
	return false, n - 1
}

// only narrows a go test command line to t: its packages are replaced. Within t the
// -run of the command line still chooses subtests.
func only(args []string, t test) []string {
	var kept []string
	var sub string
	for i := 0; i < len(args); i++ {
		name, value, joined := strings.Cut(args[i], "=")
		switch {
		case name == "-run" && joined:
			_, sub, _ = strings.Cut(value, "/")
		case name == "-run":
			i++
			_, sub, _ = strings.Cut(args[i], "/")
		case strings.HasPrefix(args[i], "./"), strings.HasPrefix(args[i], module):
		default:
			kept = append(kept, args[i])
		}
	}
	pattern := "^" + t.name + "$"
	if sub != "" {
		pattern += "/" + sub
	}
	return append(kept, "-count=1", "-run", pattern, "./"+t.pkg)
}
