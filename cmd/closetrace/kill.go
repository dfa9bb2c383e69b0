package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"os/signal"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/closetrace/closetrace/internal/conns"
	"github.com/closetrace/closetrace/internal/safetext"
	"github.com/closetrace/closetrace/model"
)

const killHelp = `End open connections: by the ID that list shows, by local and peer address, by
filter, or all of one process. What would be ended is shown, and asked about.

The kernel sends RST to the peer, and the process gets ECONNABORTED. A
connection is named by the kernel's own number for it, so that another one that
has taken over its addresses meanwhile is never hit. After that, the connection's
teardown record is waited for and shown; its cause is "destroyed".

Linux: needs CAP_NET_ADMIN. Windows: needs an elevated prompt, and only IPv4 can
be ended.

Examples:
  sudo closetrace kill f0000098-1a2b
  sudo closetrace kill 10.0.0.5:443 10.0.0.9:51034
  sudo closetrace kill --filter 'state == "CLOSE_WAIT" && tcp.idle_ns > 600e9' --max 50
  sudo closetrace kill --process 812 --dry-run
  sudo closetrace kill --process 812 --terminate`

// killFlags choose what to end, and how.
type killFlags struct {
	selection
	max       int
	yes       bool
	dryRun    bool
	terminate bool
	noTrace   bool
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
				flags.max = 0 // all of it were asked for
			}
			return a.kill(ctx, &flags, args)
		},
	}
	set := c.Flags()
	flags.flags(set)
	set.StringVar(&flags.process, "process", "", "all connections of one process, by `PID` or name")
	set.IntVar(&flags.max, "max", 1, "refuse if more than this `NUMBER` of connections match; 0: no limit")
	set.BoolVarP(&flags.yes, "yes", "y", false, "do not ask")
	set.BoolVarP(&flags.dryRun, "dry-run", "n", false, "only show what would be ended")
	set.BoolVar(&flags.terminate, "terminate", false, "end the process that holds the connection (SIGTERM), not the connection")
	set.BoolVar(&flags.noTrace, "no-trace", false, "do not wait for the teardown record")
	return c
}

func (a *app) kill(ctx context.Context, flags *killFlags, args []string) error {
	chosen, err := a.victims(ctx, flags, args)
	if err != nil {
		return err
	}
	if err := a.printConns(chosen, &listFlags{wide: true}); err != nil {
		return err
	}
	if flags.dryRun {
		return nil
	}
	if flags.terminate {
		return a.terminate(chosen, flags)
	}
	if err := a.confirm(flags, "End "+connections(len(chosen))+"?"); err != nil {
		return err
	}
	return a.end(ctx, chosen, flags)
}

func connections(n int) string {
	if n == 1 {
		return "this connection"
	}
	return fmt.Sprintf("these %d connections", n)
}

// victims returns the connections that are meant, if they are few enough.
func (a *app) victims(ctx context.Context, flags *killFlags, args []string) ([]conns.Conn, error) {
	if err := flags.take(args); err != nil {
		return nil, err
	}
	meant := flags.selection
	meant.process = "" // it is in the expression
	l, err := newLister(&listFlags{selection: meant})
	if err != nil {
		return nil, err
	}
	if flags.process == "" { // of a process: its connections, not its listeners
		l.options.Scope = conns.Everything
	}
	l.options.AllNetNS = l.options.AllNetNS || len(args) > 0 && !strings.Contains(args[0], ":")
	chosen, err := l.read(ctx)
	if err != nil {
		return nil, err
	}
	l.tell(a.stderr)
	if len(chosen) == 0 {
		return nil, errors.New("no open connection matches: it may have ended; closetrace list --all shows what is open")
	}
	if flags.process != "" {
		if err := oneProcess(chosen); err != nil {
			return nil, err
		}
	}
	if flags.max > 0 && len(chosen) > flags.max && !flags.dryRun {
		return nil, usage("%d connections match, and at most %d may be ended; --dry-run shows them, --max %d allows it", len(chosen), flags.max, len(chosen))
	}
	return chosen, nil
}

// take turns the arguments into an expression beside that of --filter. There
// must be one of them: a bare kill must not mean everything.
func (k *killFlags) take(args []string) error {
	var parts []string
	switch {
	case len(args) == 0 && k.expression == "" && k.process == "" && k.pid == 0:
		return usage("tell what to end: an ID of closetrace list, a local and a peer address, --filter or --process")
	case len(args) == 0:
	case strings.Contains(args[0], ":"):
		expression, err := tupleExpression(args)
		if err != nil {
			return err
		}
		parts = append(parts, expression)
	default:
		quoted := make([]string, len(args))
		for i, id := range args {
			quoted[i] = strconv.Quote(id)
		}
		parts = append(parts, fmt.Sprintf("id in [%s]", strings.Join(quoted, ", ")))
		k.max = max(k.max, len(args)) // each was named
	}
	if pid, err := strconv.ParseUint(k.process, 10, 32); err == nil {
		parts = append(parts, fmt.Sprintf("process.pid == %d", pid))
	} else if k.process != "" {
		parts = append(parts, "process.name == "+strconv.Quote(k.process))
	}
	if k.expression != "" {
		if _, err := conns.CompileFilter(k.expression); err != nil {
			return err // shown as it was written
		}
		parts = append(parts, "("+k.expression+")")
	}
	k.expression = strings.Join(parts, " && ")
	return nil
}

func tupleExpression(args []string) (string, error) {
	if len(args) != 2 {
		return "", usage("a connection has two addresses: closetrace kill LOCAL:PORT PEER:PORT")
	}
	var ends [2]netip.AddrPort
	for i, text := range args {
		end, err := netip.ParseAddrPort(text)
		if err != nil {
			return "", usage("%q is no address with a port, such as 10.0.0.5:443 or [::1]:443", text)
		}
		ends[i] = netip.AddrPortFrom(end.Addr().Unmap(), end.Port())
	}
	return fmt.Sprintf("network.local.address == %q && network.local.port == %d && network.peer.address == %q && network.peer.port == %d",
		ends[0].Addr(), ends[0].Port(), ends[1].Addr(), ends[1].Port()), nil
}

// oneProcess refuses a name that several processes have.
func oneProcess(chosen []conns.Conn) error {
	var pids []string
	for i := range chosen {
		if pid := strconv.Itoa(chosen[i].Process.PID); !slices.Contains(pids, pid) {
			pids = append(pids, pid)
		}
	}
	if len(pids) > 1 {
		return usage("--process means %d processes (%s): give one PID", len(pids), strings.Join(pids, ", "))
	}
	return nil
}

// confirm asks, unless told not to.
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

// end ends the connections and says what became of each.
func (a *app) end(ctx context.Context, chosen []conns.Conn, flags *killFlags) error {
	var killer conns.Killer
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
		case errors.Is(err, conns.ErrGone) && ended[c.Network.Reversed()]:
			ended[c.Network] = true // by the RST of its other end, just now
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

// explained names the connection in an error that does not yet.
func explained(c *conns.Conn, err error) error {
	var named *conns.KillError
	if errors.As(err, &named) {
		return err
	}
	return &conns.KillError{Conn: c, Err: err}
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
func (a *app) terminate(chosen []conns.Conn, flags *killFlags) error {
	if err := oneProcess(chosen); err != nil {
		return err
	}
	p := chosen[0].Process
	if p.PID == 0 {
		return errors.New("no process is known to hold the connection: it may be another user's; run it with sudo")
	}
	if err := a.confirm(flags, fmt.Sprintf("End the process %s/%d?", safetext.Escape(p.Name), p.PID)); err != nil {
		return err
	}
	err := conns.Terminate(&chosen[0])
	switch {
	case errors.Is(err, fs.ErrPermission):
		return &lacking{err}
	case err != nil:
		return err
	}
	_, err = fmt.Fprintf(a.stdout, "%s/%d was told to end\n", safetext.Escape(p.Name), p.PID)
	return err
}

// printRecords writes a line for each teardown.
func (a *app) printRecords(records []model.Record) error {
	for i := range records {
		if _, err := fmt.Fprintln(a.stdout, recordLine(&records[i], isTerminal(a.stdout))); err != nil {
			return err
		}
	}
	return nil
}
