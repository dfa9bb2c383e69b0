package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os/signal"
	"strings"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/closetrace/closetrace/internal/safetext"
	"github.com/closetrace/closetrace/internal/sockets"
	"github.com/closetrace/closetrace/model"
	"github.com/closetrace/closetrace/tui"
)

const killHelp = `End open connections: by the ID that list shows, by local and peer address, by
filter (--filter, --port, --peer, --pid, --state), or all of one process. It shows what
would be ended, and asks first. Listeners are left out unless they are named by
their ID or --listeners is given.

` + killHow

// killFlags choose what to end, and how.
type killFlags struct {
	selection
	max       int
	yes       bool
	dryRun    bool
	terminate bool
	noTrace   bool
	listeners bool
}

func newKill(a *app) *cobra.Command {
	var flags killFlags
	c := &cobra.Command{
		Use:   "kill {ID... | LOCAL PEER | --filter EXPRESSION | --process PID} [flags]",
		Short: "End open connections",
		Long:  killHelp,
		RunE: func(c *cobra.Command, args []string) error {
			ctx, stop := signal.NotifyContext(c.Context(), syscall.SIGINT, syscall.SIGTERM)
			defer stop()
			if flags.process != "" && !c.Flags().Changed("max") {
				flags.max = 0 // everything of it was asked for
			}
			return a.kill(ctx, &flags, args)
		},
	}
	set := c.Flags()
	flags.flags(set)
	set.StringVar(&flags.process, "process", "", "all connections of one process, by `PID` or name")
	set.Var(natural(&flags.max, 1), "max", "refuse if more than this `NUMBER` of connections match; 0: no limit, as with --process")
	set.BoolVar(&flags.listeners, "listeners", false, "end listeners too, which stops the service")
	set.BoolVarP(&flags.yes, "yes", "y", false, "do not ask")
	set.BoolVarP(&flags.dryRun, "dry-run", "n", false, "only show what would be ended, and whether it would be refused")
	set.BoolVar(&flags.terminate, "terminate", false, "end the process that holds the connection ("+terminates+"), not the connection")
	set.BoolVar(&flags.noTrace, "no-trace", false, "do not wait for the teardown record")
	return c
}

func (a *app) kill(ctx context.Context, flags *killFlags, args []string) error {
	p, err := a.victims(ctx, flags, args)
	if err != nil {
		return err
	}
	if p.refused != nil && !flags.dryRun {
		return p.refused
	}
	if err := a.printPlan(p, flags.dryRun); err != nil || flags.dryRun {
		return err
	}
	if flags.terminate {
		return a.terminate(p.chosen, flags)
	}
	if err := a.confirm(flags, "End "+connections(len(p.chosen))+"?"); err != nil {
		return err
	}
	return a.end(ctx, p.chosen, flags)
}

func connections(n int) string {
	if n == 1 {
		return "this connection"
	}
	return fmt.Sprintf("these %d connections", n)
}

// confirm asks, unless a flag says yes.
func (a *app) confirm(flags *killFlags, question string) error {
	if flags.yes {
		return nil
	}
	if _, err := fmt.Fprintf(a.stdout, "%s [y/N] ", question); err != nil {
		return err
	}
	answer, _ := bufio.NewReader(a.stdin).ReadString('\n')
	switch strings.ToLower(strings.TrimSpace(answer)) {
	case "y", "yes":
		return nil
	default:
		return errors.New("nothing was ended")
	}
}

// end ends the connections and reports the result for each.
func (a *app) end(ctx context.Context, chosen []sockets.Conn, flags *killFlags) error {
	var killer sockets.Killer
	defer killer.Close()
	witness := openWitness(flags, chosen)
	defer witness.close()
	var failures []error
	ended := map[model.Network]bool{}
	for i := range chosen {
		c := &chosen[i]
		done, err := killer.Kill(c)
		if err == nil {
			err = done.Why(c)
		}
		switch {
		case errors.Is(err, sockets.ErrGone) && ended[c.Network.Reversed()]:
			ended[c.Network] = true // just now, by the RST of its other end
		case err != nil:
			failures = append(failures, explained(c, err))
		default:
			ended[c.Network] = true
			witness.expect(c)
		}
	}
	if err := a.printRecords(witness.records(ctx)); err != nil {
		return err
	}
	if _, err := fmt.Fprintf(a.stdout, "%d ended, %d not\n", len(chosen)-len(failures), len(failures)); err != nil {
		return err
	}
	return joinFailures(failures)
}

// explained adds the connection to an error that does not name it.
func explained(c *sockets.Conn, err error) error {
	var named *sockets.KillError
	if errors.As(err, &named) {
		return err
	}
	return &sockets.KillError{Conn: c, Err: err}
}

// joinFailures returns one line: the first failure and how many more there are.
func joinFailures(failures []error) error {
	if len(failures) == 0 {
		return nil
	}
	err := failures[0]
	if n := len(failures) - 1; n > 0 {
		err = fmt.Errorf("%w (and %d more)", err, n)
	}
	if errors.Is(err, fs.ErrPermission) || errors.Is(err, errors.ErrUnsupported) {
		return &lacking{err}
	}
	return err
}

// terminate ends the process that holds the connections.
func (a *app) terminate(chosen []sockets.Conn, flags *killFlags) error {
	p := chosen[0].Process
	if err := a.confirm(flags, fmt.Sprintf("End the process %s/%d?", safetext.Escape(p.Name), p.PID)); err != nil {
		return err
	}
	err := sockets.Terminate(&chosen[0])
	switch {
	case errors.Is(err, fs.ErrPermission):
		return &lacking{err}
	case err != nil:
		return err
	}
	_, err = fmt.Fprintf(a.stdout, "%s/%d was asked to end\n", safetext.Escape(p.Name), p.PID)
	return err
}

// printRecords writes a line for each teardown.
func (a *app) printRecords(records []model.Record) error {
	for i := range records {
		if _, err := fmt.Fprintln(a.stdout, tui.Line(&records[i], a.lineOptions())); err != nil {
			return err
		}
	}
	return nil
}
