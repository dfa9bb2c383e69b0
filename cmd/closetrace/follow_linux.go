package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/closetrace/closetrace/internal/ledger"
	"github.com/closetrace/closetrace/internal/sandbox"
	"github.com/closetrace/closetrace/internal/session"
	"github.com/closetrace/closetrace/internal/sockets"
	"github.com/closetrace/closetrace/model"
	"github.com/closetrace/closetrace/tracer/process"
)

// runnerCommand is the hidden command that runs the command to follow.
const runnerCommand = "followed-command"

var stillRuns = ending{words: "still runs"}

// followed is what is traced alone: a running process, or a command, with all that it
// starts. The command is in a control group of its own; a second process of this program
// runs it, which is started before this one drops its privileges, lets the command begin
// when every hook is live, and keeps the privileges to remove the group.
type followed struct {
	name    string
	filter  string          // as the user gave it
	process *runningProcess // or nil: a command
	runner  *exec.Cmd
	start   *os.File // a byte lets the command begin; closing it ends the runner
	report  *os.File // says how the command ended
	group   *process.Group
	how     ending
	ended   *ledger.Ends
}

// ending is how what was followed ended.
type ending struct {
	words string // nothing if it was not followed to its end
	code  int    // the exit code of a command, as a shell has it; 0 of a process
}

// follow starts the command after --, if there is one, or finds the process of
// --pid, and narrows the trace to it. The command writes to output; nil also takes its input away, for a screen.
// The caller closes what follow returns, which may be nil.
func (a *app) follow(c *cobra.Command, args []string, flags *traceFlags, output io.Writer) (*followed, error) {
	words, err := commandAfterDash(c, args)
	switch {
	case err != nil:
		return nil, err
	case len(words) > 0 && flags.pid != 0:
		return nil, usage("give a command after --, or --pid, not both")
	case flags.pid != 0:
		return followProcess(flags)
	case len(words) == 0:
		return nil, nil
	}
	path, err := exec.LookPath(words[0])
	if err != nil {
		return nil, usage("%w", err)
	}
	filter, err := flags.compile()
	if err != nil {
		return nil, err // a wrong filter is reported before a missing privilege
	}
	f := &followed{name: words[0], filter: filter.String()}
	if f.group, err = process.NewGroup("closetrace-" + strconv.Itoa(os.Getpid())); err != nil {
		return nil, &lacking{err}
	}
	condition := fmt.Sprintf("(cgroup.path == %q || cgroup.path startsWith %q)", f.group.Path(), f.group.Path()+"/")
	if err := errors.Join(flags.narrow(condition), f.prepare(a, flags.sandbox.User, path, words, output)); err != nil {
		return nil, errors.Join(err, f.close())
	}
	flags.follow = f
	return f, nil
}

// prepare starts the runner.
func (f *followed) prepare(a *app, user, path string, words []string, output io.Writer) error {
	self, err := os.Executable()
	if err != nil {
		return fmt.Errorf("find this program: %w", err)
	}
	if user, err = commandUser(user); err != nil {
		return err
	}
	var hold, tell *os.File
	if hold, f.start, err = os.Pipe(); err == nil {
		defer hold.Close()
		if f.report, tell, err = os.Pipe(); err == nil {
			defer tell.Close()
		}
	}
	if err != nil {
		return fmt.Errorf("start %s: %w", f.name, err)
	}
	c := exec.Command(self, append([]string{runnerCommand, f.group.Path(), user, path}, words...)...) // #nosec G204 -- the COMMAND of the user, as that user
	if output != nil {
		c.Stdin, c.Stdout, c.Stderr = a.stdin, output, output
	}
	c.ExtraFiles = []*os.File{hold, tell}
	if err := c.Start(); err != nil {
		return fmt.Errorf("start %s: %w", f.name, err)
	}
	f.runner = c
	return nil
}

// commandUser returns the user ID that runs the command: that of --user, or of the user
// who called sudo; "" is the user of this program.
func commandUser(name string) (string, error) {
	who, invoked := sandbox.Invoker()
	if name != "" {
		var err error
		if who, err = sandbox.Lookup(name); err != nil {
			return "", usage("--user: %w", err)
		}
	} else if !invoked {
		return "", nil
	}
	return strconv.Itoa(who.UID), nil
}

// begin lets the command run. When it has ended, and the kernel has closed its
// connections, the trace ends. The returned function is to be called when the trace has
// ended.
func (f *followed) begin(ctx context.Context, cancel context.CancelCauseFunc, counts *ledger.Ends) (done func()) {
	if f == nil {
		return func() {}
	}
	ended := make(chan ending, 1)
	go func() {
		how, err := f.run()
		if err != nil {
			cancel(fmt.Errorf("start %s: %w", f.name, err))
			return
		}
		if how.words == "" {
			return // the trace ended first
		}
		f.settle(ctx)
		ended <- how
		cancel(session.Reason("child-exit"))
	}()
	return func() {
		select {
		case f.how = <-ended:
		default:
			f.how = stillRuns
		}
		f.ended = counts
	}
}

// run returns how the command ended, or nothing if it is no longer followed.
func (f *followed) run() (how ending, err error) {
	if f.process != nil {
		how.words, err = f.process.wait()
		return how, err
	}
	if _, err := f.start.Write([]byte{1}); err != nil {
		return how, err
	}
	text, err := io.ReadAll(io.LimitReader(f.report, 4096))
	if errors.Is(err, os.ErrClosed) {
		return how, nil
	}
	code, words, _ := strings.Cut(string(text), " ") // as the runner wrote it
	how.words = words
	how.code, _ = strconv.Atoi(code)
	return how, err
}

// settlePatience is how long to wait for connections that a command leaves behind: a FIN
// takes a round trip, an orphan may take minutes.
const settlePatience = 2 * time.Second

func (f *followed) settle(ctx context.Context) {
	if f.process != nil {
		f.process.settle(ctx)
		return
	}
	ticker := time.NewTicker(20 * time.Millisecond)
	defer ticker.Stop()
	limit := time.After(settlePatience)
	for {
		if n, err := sockets.CountIn(f.group.ID()); err != nil || n == 0 {
			return
		}
		select {
		case <-ctx.Done():
			return
		case <-limit:
			return
		case <-ticker.C:
		}
	}
}

// chosen says which connections are recorded, in words: the condition that
// narrow adds names a control group of our own.
func (f *followed) chosen(filter *model.Filter) string {
	if f == nil {
		return filter.String()
	}
	text, typed := f.name+" and what it starts", f.filter
	if f.process != nil {
		typed = filter.String()
	}
	if typed != "" {
		text += "; " + typed
	}
	return text
}

// tell writes how the command and its connections ended.
func (f *followed) tell(out io.Writer) {
	if f != nil && f.how.words != "" {
		fmt.Fprintf(out, "closetrace: %s\n", followSummary(f.name, f.how.words, f.ended))
	}
}

// exit makes the exit code that of the command, unless the trace failed.
func (f *followed) exit(err error) error {
	if f == nil || err != nil || f.how.code == 0 {
		return err
	}
	return commandError(f.how.code)
}

// close removes the control group. A command that still runs goes on.
func (f *followed) close() error {
	if f == nil {
		return nil
	}
	if f.process != nil {
		return f.process.close()
	}
	for _, file := range []*os.File{f.start, f.report} {
		if file != nil {
			_ = file.Close()
		}
	}
	switch {
	case f.runner == nil:
		return f.group.Close()
	case f.how == stillRuns:
		return nil // the runner removes the group when the command has ended
	}
	if err := f.runner.Wait(); err != nil {
		return fmt.Errorf("run %s: %w", f.name, err)
	}
	return nil
}
