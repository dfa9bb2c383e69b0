package main

import (
	"fmt"
	"io"

	"github.com/spf13/pflag"

	_ "github.com/closetrace/closetrace/internal/helper" // serves in a helper process
	"github.com/closetrace/closetrace/internal/sandbox"
	"github.com/closetrace/closetrace/tracer/process"
)

// sandboxFlags say what a trace gives up when it runs.
func (t *traceFlags) sandboxFlags(set *pflag.FlagSet) {
	set.StringVar(&t.sandbox.User, "user", "", "once attached become this `USER` (default who called sudo, else one that nothing else runs as)")
	set.BoolVar(&t.sandbox.Off, "no-sandbox", false, "stay root, without capabilities: no other user, no landlock, no seccomp")
}

// openBox prepares what will be left when the trace runs.
func (t *traceFlags) openBox() (*sandbox.Box, error) {
	if t.box != nil {
		return t.box, nil
	}
	box, err := sandbox.New(t.sandbox)
	if err != nil {
		return nil, usage("--user: %w", err)
	}
	t.box = box
	return box, nil
}

// reader reads about processes what the sandbox forbids; nil if not needed.
func (t *traceFlags) reader() (process.Reader, error) {
	box, err := t.openBox()
	if err != nil {
		return nil, err
	}
	if t.asked == nil {
		if t.asked, err = box.Reader(); err != nil || t.asked == nil {
			return nil, err // a nil interface, not a nil pointer in one
		}
	}
	return t.asked, nil
}

// confined reports whether files can be made in one folder only. It opens the box.
func (t *traceFlags) confined() bool { return !t.sandbox.Off }

// enter gives up what only the start needed.
func (t *traceFlags) enter() error {
	var read []string
	if mount := process.Cgroup2Mount(); mount != "" {
		read = append(read, mount)
	}
	return t.box.Enter(t.keep, read...)
}

// warnUnboxed says loudly that the process stays root.
func (t *traceFlags) warnUnboxed(out io.Writer) {
	if t.sandbox.Off {
		fmt.Fprintln(out, "closetrace: WARNING: --no-sandbox: this process stays root for as long as it traces, and may write root's files")
	}
}
