package main

import (
	"bufio"
	"fmt"
	"io"
	"strings"
)

// module is cut off package paths, so that the list is short.
const module = "github.com/closetrace/closetrace/"

// quarantine says why each of its tests may run again, by package and top-level test.
type quarantine map[test]string

// test is a top-level test function; packages are named below the module.
type test struct{ pkg, name string }

// readQuarantine reads lines of the form "PACKAGE TEST reason"; # begins a comment.
// A line without a reason is an error: nothing is quarantined just because.
func readQuarantine(r io.Reader) (quarantine, error) {
	q := quarantine{}
	for in, n := bufio.NewScanner(r), 1; in.Scan(); n++ {
		line, _, _ := strings.Cut(in.Text(), "#")
		words := strings.Fields(line)
		switch {
		case len(words) == 0:
		case len(words) < 4:
			return nil, fmt.Errorf("quarantine line %d: want PACKAGE TEST and a reason", n)
		default:
			q[test{words[0], words[1]}] = strings.Join(words[2:], " ")
		}
	}
	return q, nil
}

// top returns the top-level function of an event's test, "TestLab/fentry/x" being in TestLab.
func top(pkg, name string) test {
	name, _, _ = strings.Cut(name, "/")
	return test{strings.TrimPrefix(pkg, module), name}
}
