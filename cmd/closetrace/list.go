package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os/signal"
	"runtime/debug"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/closetrace/closetrace/internal/safetext"
	"github.com/closetrace/closetrace/internal/sockets"
	"github.com/closetrace/closetrace/model"
)

const listHelp = `List open TCP connections, who holds them, and what close() would do to each now.

Without flags: the connections of this network namespace, as ss shows them.
Connections of other users have no process without sudo.

  ID               identifies one connection, for closetrace kill ID
  ON CLOSE         what close() would do: would reset: 512 bytes unread
  DYING            what will end it, and about when: retransmissions that nobody
                   answers, keep-alive, FIN_WAIT2; or CLOSE_WAIT for 10 s and more:
                   the program does not close it. --doomed lists only these
  RECV-Q, SEND-Q   bytes not read, bytes not acknowledged; of a listener the
                   connections that wait for accept(), and how many may

Narrow terminals show fewer columns; --wide shows all.

--filter and --sort take expressions over the names that --json shows.
docs/questions.md has the commands for what netstat, TCPView, ss and
Get-NetTCPConnection answer.

Examples:
  sudo closetrace list --filter 'on_close.effect == "reset"'
  sudo closetrace list --state CLOSE_WAIT --sort -tcp.idle_ns
  sudo closetrace list --doomed
  sudo closetrace list --listen --udp --tcp
  sudo closetrace list --watch --sort -queue.send
  sudo closetrace list --json | jq 'select(.linger.on)'`

// listFlags choose and show open connections.
type listFlags struct {
	selection
	sort        string
	watch       string
	asJSON      bool
	wide        bool
	commandLine bool
	doomed      bool
}

func newList(a *app) *cobra.Command {
	var flags listFlags
	c := &cobra.Command{
		Use:     "list [flags]",
		Aliases: []string{"ps"},
		Short:   "List open connections, and what close() would do to them",
		Long:    listHelp,
		Args:    noArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			switch {
			case flags.listen && len(flags.states) > 0:
				return usage("--listen and --state exclude each other; of TCP, --listen is --state LISTEN")
			case flags.listen && flags.all:
				return usage("--listen and --all exclude each other; --all has listeners too")
			}
			ctx, stop := signal.NotifyContext(c.Context(), syscall.SIGINT, syscall.SIGTERM)
			defer stop()
			return a.list(ctx, &flags)
		},
	}
	set := c.Flags()
	flags.flags(set)
	set.StringVar(&flags.process, "process", "", "only connections of processes of this `NAME`")
	set.BoolVarP(&flags.listen, "listen", "l", false, "only listeners; of UDP: what is bound but not connected")
	set.BoolVarP(&flags.all, "all", "a", false, "connections, listeners, TIME_WAIT and what is not accepted yet")
	set.StringVarP(&flags.sort, "sort", "s", "", "sort by this `EXPRESSION`; with a minus sign before it the greatest first")
	set.BoolVar(&flags.doomed, "doomed", false, "only what is dying, or stuck in CLOSE_WAIT: the next to end first")
	set.StringVarP(&flags.watch, "watch", "w", "", "list again each `TIME`, as top does; write --watch=5s")
	set.Lookup("watch").NoOptDefVal = "1s"
	set.BoolVar(&flags.asJSON, "json", false, "as JSON Lines, all fields, names as in records")
	set.BoolVar(&flags.wide, "wide", false, "more columns, nothing cut")
	set.BoolVar(&flags.commandLine, "command-line", false, "command lines too, in --json and --filter (they may hold secrets)")
	return c
}

// sortError is an error of the expression of --sort, which is no filter.
type sortError struct{ err error }

func (e *sortError) Error() string {
	text := strings.TrimPrefix(e.err.Error(), model.ErrFilter.Error()+": ")
	return "--sort: " + strings.Replace(text, model.ErrFilterFailed.Error(), "the expression failed", 1)
}

func (e *sortError) Unwrap() error { return e.err }

// lister reads the table repeatedly with one set of caches.
type lister struct {
	flags   *listFlags
	filter  *sockets.Filter
	order   *sockets.Order
	options sockets.Options
	skipped []string
	// reported: of --watch in a pipe, which says it once.
	reported bool
}

func newLister(flags *listFlags) (*lister, error) {
	l := &lister{flags: flags}
	expression, err := flags.compile()
	if err != nil {
		return nil, err
	}
	if l.filter, err = sockets.CompileFilter(expression); err != nil {
		return nil, err
	}
	order := flags.sort
	if order == "" && flags.doomed {
		order = doomLeft // whose column is then kept
	}
	if l.order, err = sockets.CompileOrder(order); err != nil {
		return nil, &sortError{err}
	}
	l.options = flags.options()
	l.options.Held = newHeld()
	l.options.Owners = newOwners(flags.commandLine)
	l.options.Skipped = func(err error) { l.skipped = append(l.skipped, err.Error()) }
	return l, nil
}

// read returns what is open, chosen and sorted. With [model.ErrFilterFailed] that is without
// what the filter failed on.
func (l *lister) read(ctx context.Context) ([]sockets.Conn, error) {
	l.skipped = l.skipped[:0]
	all, err := sockets.List(ctx, l.options)
	if errors.Is(err, errors.ErrUnsupported) {
		return nil, &lacking{err}
	}
	if err != nil {
		return nil, err
	}
	all, failed := l.filter.Select(all)
	if slices.ContainsFunc(all, unowned) {
		l.skipped = append(l.skipped, blindSpots()...)
	}
	if err := l.order.Sort(all); err != nil {
		failed = cmp.Or[error](failed, &sortError{err})
	}
	if l.flags.doomed && l.flags.sort == "" {
		all = sockets.SortDoomed(all)
	} else if l.flags.doomed {
		all = slices.DeleteFunc(all, func(c sockets.Conn) bool { return !c.Doom.Known() })
	}
	return all, failed
}

// unowned: it has an inode, so that a process should hold it, but none was found.
func unowned(c sockets.Conn) bool { return c.Socket.Inode != 0 && c.Process.PID == 0 }

// notes returns which processes could not be inspected, once each.
func (l *lister) notes() (list []string) {
	const most = 3 // of a host with a namespace for each container
	seen := map[string]bool{}
	for _, text := range l.skipped {
		if !seen[text] && len(seen) < most {
			list = append(list, "not all is shown: "+safetext.Escape(text))
		}
		seen[text] = true
	}
	if more := len(seen) - most; more > 0 {
		list = append(list, fmt.Sprintf("not all is shown: %d more like these", more))
	}
	return list
}

// report writes the notes.
func (l *lister) report(out io.Writer) {
	for _, note := range l.notes() {
		fmt.Fprintln(out, "closetrace: "+note)
	}
}

func (a *app) list(ctx context.Context, flags *listFlags) error {
	l, err := newLister(flags)
	if err != nil {
		return err
	}
	flags.warnAbsent(a.stderr)
	if flags.watch != "" {
		every, err := time.ParseDuration(flags.watch)
		if err != nil || every < 10*time.Millisecond {
			return usage("--watch %q: want a time such as 2s", flags.watch)
		}
		return a.watch(ctx, l, every)
	}
	// A list that is printed once needs no garbage collection before the exit: it costs a
	// tenth of the time. Beyond the limit it still collects.
	debug.SetGCPercent(-1)
	debug.SetMemoryLimit(512 << 20)
	all, failed := l.read(ctx)
	if failed != nil && !errors.Is(failed, model.ErrFilterFailed) {
		return failed
	}
	l.report(a.stderr)
	if len(all) == 0 && !flags.asJSON && isTerminal(a.stdout) {
		fmt.Fprintln(a.stderr, "closetrace: no open connection matches; --all has listeners too, --all-netns other network namespaces")
	}
	return cmp.Or(a.printConns(all, flags, l.order), failed)
}

func (a *app) printConns(all []sockets.Conn, flags *listFlags, order *sockets.Order) error {
	if flags.asJSON {
		return writeConns(a.stdout, all)
	}
	width, _ := a.terminalSize()
	if flags.wide {
		width = 0
	}
	_, err := io.WriteString(a.stdout, strings.Join(connTable(all, flags.wide, width, order), "\n")+"\n")
	return err
}

// writeConns writes one line for each connection.
func writeConns(out io.Writer, all []sockets.Conn) error {
	for i := range all {
		line := struct {
			Kind   string `json:"kind"`
			Schema string `json:"schema"`
			sockets.Conn
		}{"connection", model.Schema, all[i]}
		if err := safetext.WriteJSON(out, line, ""); err != nil {
			return err
		}
	}
	return nil
}
