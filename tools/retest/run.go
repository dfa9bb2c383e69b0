package main

import (
	"encoding/json"
	"errors"
	"io"
	"os/exec"
	"slices"
	"strings"
)

// event is a line of go test -json (go doc test2json).
type event struct {
	Action, Package, Test, Output string
	FailedBuild                   string
}

// outcome is what a run of go test showed.
type outcome struct {
	failed []test   // top-level tests that failed, each once
	broken []string // packages that failed without a failed test: build, panic, timeout
	err    error
}

// runner runs a go test command line and hands its text to out.
type runner func(args []string, out io.Writer) outcome

// goTest runs args, a go test command line, as JSON and collects what failed.
func goTest(args []string, out io.Writer) outcome {
	words := slices.Clone(args)
	at := slices.Index(words, "test") + 1
	cmd := exec.Command(words[0], slices.Insert(words, at, "-json")[1:]...)
	cmd.Stderr = out
	pipe, err := cmd.StdoutPipe()
	if err != nil {
		return outcome{err: err}
	}
	if err := cmd.Start(); err != nil {
		return outcome{err: err}
	}
	o := collect(pipe, out)
	if err := cmd.Wait(); err != nil && len(o.failed)+len(o.broken) == 0 {
		o.err = errors.Join(o.err, err)
	}
	return o
}

// collect reads the events of one run. It prints what packages say, and what tests
// say that fail.
func collect(in io.Reader, out io.Writer) outcome {
	var o outcome
	seen := map[string]bool{} // packages with a failed test
	said := map[test][]string{}
	running := map[test]bool{}
	for d := json.NewDecoder(in); ; {
		var e event
		if err := d.Decode(&e); err != nil {
			if !errors.Is(err, io.EOF) {
				o.err = err
				_, _ = io.Copy(io.Discard, in) // or the command never ends
			}
			return o
		}
		t := top(e.Package, e.Test)
		if e.Test == "" {
			_, _ = io.WriteString(out, e.Output)
		} else if e.Output != "" {
			said[t] = append(said[t], e.Output)
		}
		switch {
		case e.Test != "" && e.Action == "run":
			running[t] = true
		case e.Test == t.name && (e.Action == "pass" || e.Action == "skip"):
			delete(running, t)
			delete(said, t)
		case e.Test == t.name && e.Test != "" && e.Action == "fail":
			_, _ = io.WriteString(out, strings.Join(said[t], ""))
			delete(running, t)
			delete(said, t)
			seen[e.Package] = true
			o.failed = append(o.failed, t)
		case e.Test == "" && e.Package != "" && e.Action == "fail":
			for t := range running { // the process died within them
				if t.pkg == top(e.Package, "").pkg {
					_, _ = io.WriteString(out, strings.Join(said[t], ""))
				}
			}
			if !seen[e.Package] || e.FailedBuild != "" || unfinished(running, t.pkg) {
				o.broken = append(o.broken, e.Package)
			}
		}
	}
}

// unfinished reports whether a test of pkg had begun and not ended: the process died.
func unfinished(running map[test]bool, pkg string) bool {
	for t := range running {
		if t.pkg == pkg {
			return true
		}
	}
	return false
}
