package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/closetrace/closetrace/internal/safetext"
	"github.com/closetrace/closetrace/model"
)

// Exit codes; documented in the help of the root command and in the README.
const (
	exitOK         = 0
	exitRuntime    = 1
	exitUsage      = 2
	exitPrivileges = 3
	exitMismatch   = 4
	exitLost       = 5
)

const rootHelp = `closetrace traces every TCP connection teardown on this host and shows how it
ended (graceful, abortive, linger-timeout, failed-open, silent), why, who did
it, which process, and which bytes were lost.

Without a command it is "closetrace live".

Exit codes:
  0  done; also after a signal or when the reader of a pipe is gone
  1  something failed while running, or a filter on a record (which is left out)
  2  the command line or a filter is wrong
  3  a privilege or a feature of the kernel is missing
  4  doctor --selftest: a verdict was wrong
  5  record --strict: something was lost
With -- COMMAND, if nothing of these failed: the exit code of COMMAND, 128 and the
signal's number if one killed it, 126 if it can be executed but did not start.

Examples:
  sudo closetrace                                    what ends now, and why
  sudo closetrace --verdict abortive --port 443      only resets and timeouts of one port
  sudo closetrace -- curl https://example.com        only what this command opens
  sudo closetrace record -o incident.jsonl           keep it for later
  closetrace replay incident.jsonl                   on any machine
  closetrace explain unread-data                     what a cause means
  sudo closetrace demo                               see all verdicts in a few seconds
  sudo closetrace doctor                             what works on this host`

// app is what commands share: the standard streams of the process.
type app struct {
	stdin          io.Reader
	stdout, stderr io.Writer
}

// run executes the command line and returns the exit code.
func run(args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	// A reader that goes away must not kill us before the stop line and the
	// detach: writes then fail with EPIPE.
	signal.Ignore(syscall.SIGPIPE)
	a := &app{stdin: stdin, stdout: stdout, stderr: stderr}
	root := newRoot(a)
	root.SetArgs(args)
	root.SetIn(stdin)
	help := &printed{Writer: stdout}
	root.SetOut(help)
	root.SetErr(stderr)
	err := cmp.Or(root.ExecuteContext(context.Background()), help.err)
	code := exitCode(err)
	var command commandError
	if code != exitOK && !errors.As(err, &command) {
		fmt.Fprintf(stderr, "closetrace: %s\n", message(err))
	}
	return code
}

// printed keeps the first error of what cobra prints: it drops those of help.
type printed struct {
	io.Writer
	err error
}

func (p *printed) Write(text []byte) (int, error) {
	n, err := p.Writer.Write(text)
	p.err = cmp.Or(p.err, err)
	return n, err
}

func newRoot(a *app) *cobra.Command {
	live := newLive(a)
	root := &cobra.Command{
		Use:           "closetrace [flags] [-- COMMAND...]",
		Short:         "Why do my TCP connections end?",
		Long:          rootHelp,
		Args:          cobra.ArbitraryArgs, // live looks at them
		SilenceUsage:  true,
		SilenceErrors: true,
		RunE:          live.RunE,
	}
	root.Flags().AddFlagSet(live.Flags())
	root.SetFlagErrorFunc(wrongFlag)
	root.AddCommand(live, newRecord(a), newReplay(a), newSummary(a), newDiagnose(a), newJoin(a), newDiff(a), newReport(a), newAnonymize(a), newAnnotate(a), newExplain(a), newDoctor(a), newDemo(a), newWorkload(a), newVersion(a), newList(a), newKill(a), newAgent(a), newKubectl(a), newFollowed(a), newMan())
	completeFlags(root)
	root.SetHelpCommand(newHelp(a))
	root.InitDefaultHelpFlag() // known before the command is searched: --help record
	root.Version = version()
	root.SetVersionTemplate(versionLine())
	return root
}

// usageError is a mistake in the command line.
type usageError struct{ err error }

func (e *usageError) Error() string { return e.err.Error() }
func (e *usageError) Unwrap() error { return e.err }

func usage(format string, args ...any) error {
	return &usageError{fmt.Errorf(format, args...)}
}

func exitCode(err error) int {
	var wrong *usageError
	var command commandError
	switch {
	case err == nil, errors.Is(err, syscall.EPIPE), errors.Is(err, errStopped):
		return exitOK
	case errors.As(err, &command):
		return int(command)
	case errors.As(err, &wrong), errors.Is(err, model.ErrFilter):
		return exitUsage
	case errors.Is(err, errSelftest):
		return exitMismatch
	case errors.Is(err, errLost):
		return exitLost
	case errors.Is(err, errSource):
		return exitPrivileges
	default:
		return exitRuntime
	}
}

// message is what an error says to the user, safe for a terminal.
func message(err error) string {
	var path *fs.PathError
	switch {
	case errors.Is(err, model.ErrFilter):
		return err.Error() // several lines with a caret; the text is the user's own
	case errors.As(err, &path) && errors.Is(err, os.ErrNotExist):
		return safetext.Escape(path.Path) + ": no such file"
	default:
		return clipped(safetext.Escape(oneLineOf(err.Error())))
	}
}

// messageMax bounds a message: what an error repeats of a file may be long.
const messageMax = 4096

func clipped(text string) string {
	if len(text) <= messageMax {
		return text
	}
	return strings.ToValidUTF8(text[:messageMax], "") + "..."
}

// oneLineOf joins what errors.Join put on lines of its own, each once.
func oneLineOf(text string) string {
	var parts []string
	for line := range strings.Lines(text) {
		if line = strings.TrimSpace(line); line != "" && !slices.Contains(parts, line) {
			parts = append(parts, line)
		}
	}
	return strings.Join(parts, "; ")
}
