package main

import (
	"regexp"
	"strings"
)

// problemStart matches the first line of what the kernel prints when something
// is wrong with it: WARN and BUG with their "cut here" line (the text of a
// WARN is between the two; its form changed in 6.18), an oops, a general
// protection fault. Advice such as "Spectre V2 : WARNING: Unprivileged eBPF is
// enabled" is no such line.
var problemStart = regexp.MustCompile(
	`-\[ cut here \]-|WARNING: (CPU: \d|\S+:\d+ at |at )|WARNING: (possible|suspicious|inconsistent|bad unlock) ` +
		`|\bBUG: |kernel BUG at|\bOops\b|general protection|Kernel panic|self-detected stall`)

// maxProblem is the longest excerpt in lines; a stack trace has about 40.
const maxProblem = 60

// kernelProblems returns the lines of a kernel log that report a problem, each
// with the register dump and stack trace after it.
func kernelProblems(log []string) []string {
	var found []string
	left := 0
	for _, line := range log {
		if problemStart.MatchString(line) {
			left = maxProblem
		}
		if left == 0 {
			continue
		}
		left--
		found = append(found, line)
		if strings.Contains(line, "end trace") {
			left = 0
		}
	}
	return found
}

// kmsgText takes the message out of a record of /dev/kmsg:
// "priority,sequence,microseconds,flags;message\n KEY=value...".
func kmsgText(record string) string {
	_, text, _ := strings.Cut(record, ";")
	text, _, _ = strings.Cut(text, "\n")
	return text
}
