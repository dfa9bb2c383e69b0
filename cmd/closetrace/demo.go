package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"

	"github.com/spf13/cobra"

	"github.com/closetrace/closetrace/internal/lab"
	"github.com/closetrace/closetrace/internal/session"
)

const demoHelp = `Trace a workload made for it: connections on loopback, in network namespaces of
their own, that end in every way there is. Nothing leaves this host. It needs
the same privileges as live; without root it shows the most common ends only.`

// What the workload reads when the trace is live.
const (
	playOnce  = "once"
	playAgain = "again"
)

// workloadCommand is the hidden command that plays the demo's connections.
const workloadCommand = "demo-workload"

func newDemo(a *app) *cobra.Command {
	var flags traceFlags
	var plain bool
	c := &cobra.Command{
		Use:   "demo [flags]",
		Short: "See every verdict in a few seconds",
		Long:  demoHelp,
		Args:  noArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			w, err := startWorkload(c.Context())
			if err != nil {
				return err
			}
			defer w.stop()
			open, err := a.openView(&flags, screenFlags{plain: plain})
			if err != nil {
				return err
			}
			defer open.close()
			t, err := flags.open()
			if err != nil {
				return err
			}
			defer t.Close()
			defer t.tell(a.stderr)
			ctx, cancel := context.WithCancelCause(c.Context())
			defer cancel(nil)
			screen := a.wantsScreen(plain)
			go func() { cancel(w.play(screen)) }()
			err = a.show(ctx, t, plain, open)
			var why session.Reason
			if cause := context.Cause(ctx); err == nil && cause != nil && !errors.As(cause, &why) {
				return cause
			}
			return err
		},
	}
	flags.flags(c.Flags())
	c.Flags().BoolVar(&plain, "plain", false, "one line for each teardown, also on a terminal")
	return c
}

// workload is the process that makes the demo's connections. It is started before this
// process drops its privileges, because it needs them for its network namespaces, and
// begins when the trace is live.
type workload struct {
	command *exec.Cmd
	begin   io.WriteCloser
}

func startWorkload(ctx context.Context) (*workload, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, fmt.Errorf("find this program: %w", err)
	}
	w := &workload{command: exec.CommandContext(ctx, self, workloadCommand)} // #nosec G204 -- this program itself
	w.command.Stderr = os.Stderr
	if w.begin, err = w.command.StdinPipe(); err != nil {
		return nil, fmt.Errorf("start workload: %w", err)
	}
	if err := w.command.Start(); err != nil {
		return nil, fmt.Errorf("start workload: %w", err)
	}
	return w, nil
}

// play lets the workload begin and returns when it is done: a reason, or an error. On a
// screen it repeats until stop.
func (w *workload) play(again bool) error {
	word := playOnce
	if again {
		word = playAgain
	}
	if _, err := fmt.Fprintln(w.begin, word); err != nil {
		return fmt.Errorf("start workload: %w", err)
	}
	if err := w.command.Wait(); err != nil {
		return fmt.Errorf("play workload: %w", err)
	}
	return session.Reason("child-exit")
}

func (w *workload) stop() { _ = w.begin.Close() }

// newWorkload is the other side: it waits for a line and plays.
func newWorkload(a *app) *cobra.Command {
	return &cobra.Command{
		Use:    workloadCommand,
		Hidden: true,
		Args:   noArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			var word string
			if _, err := fmt.Fscan(a.stdin, &word); err != nil {
				return nil // the trace could not start, and says why
			}
			ctx, cancel := context.WithCancel(c.Context())
			defer cancel()
			go func() {
				_, _ = io.Copy(io.Discard, a.stdin) // ends when the trace does
				cancel()
			}()
			for again := true; again && ctx.Err() == nil; again = word == playAgain {
				if err := playQuick(ctx); err != nil && ctx.Err() == nil {
					return err
				}
			}
			return nil
		},
	}
}

func playQuick(ctx context.Context) error {
	results, err := lab.Run(ctx, lab.Quick(), 4)
	if errors.Is(err, fs.ErrPermission) {
		return playEndings(ctx)
	}
	if err != nil {
		return err
	}
	for _, r := range results {
		if r.Error != "" {
			return fmt.Errorf("%s: %s", r.Name, r.Error)
		}
	}
	return nil
}
