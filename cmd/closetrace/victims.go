package main

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/closetrace/closetrace/internal/human"
	"github.com/closetrace/closetrace/internal/sockets"
	"github.com/closetrace/closetrace/model"
)

// plan is what kill would end.
type plan struct {
	chosen    []sockets.Conn
	listeners int   // of these
	leftOut   int   // listeners that match but were not asked for
	refused   error // why the real run would end nothing
}

// victims returns the connections that are meant.
func (a *app) victims(ctx context.Context, flags *killFlags, args []string) (*plan, error) {
	if err := flags.take(args); err != nil {
		return nil, err
	}
	byID := len(args) > 0 && !strings.Contains(args[0], ":")
	meant := flags.selection
	meant.process = "" // it is in the expression
	l, err := newLister(&listFlags{selection: meant})
	if err != nil {
		return nil, err
	}
	if flags.process == "" || flags.terminate || flags.listeners { // else a process's connections, not its listeners
		l.options.Scope = sockets.Everything
	}
	l.options.AllNetNS = l.options.AllNetNS || byID
	found, err := l.read(ctx)
	if errors.Is(err, model.ErrFilterFailed) { // what it cannot judge may be what was meant
		return nil, fmt.Errorf("nothing was ended: %w", err)
	}
	if err != nil {
		return nil, err
	}
	if len(found) == 0 || len(args) == 0 { // what was named and found needs no look elsewhere
		l.report(a.stderr)
	}
	if len(found) == 0 {
		return nil, errors.New("no open connection matches: it may have ended; closetrace list --all shows what is open")
	}
	p := planOf(found, byID || flags.listeners || flags.terminate)
	if len(p.chosen) == 0 {
		return nil, usage("only listeners match (%d): give their IDs, or --listeners, to end them", p.leftOut)
	}
	if flags.process != "" {
		if err := oneProcess(p.chosen); err != nil {
			return nil, err
		}
	}
	p.refused = flags.refusal(p)
	return p, nil
}

// planOf leaves listeners out unless they are meant: ending its listener stops a service,
// which is not expected of ending a port's connections.
func planOf(found []sockets.Conn, listenersToo bool) *plan {
	p := &plan{}
	for i := range found {
		switch {
		case !found[i].Listens():
		case !listenersToo:
			p.leftOut++
			continue
		default:
			p.listeners++
		}
		p.chosen = append(p.chosen, found[i])
	}
	return p
}

// refusal says why nothing of the plan may be ended.
func (k *killFlags) refusal(p *plan) error {
	if k.terminate {
		return holder(p.chosen) // one process, whatever it holds
	}
	if n := len(p.chosen); k.max > 0 && n > k.max {
		return usage("%d connections match, and at most %d may be ended; --dry-run shows them, --max %d allows it", n, k.max, n)
	}
	if err := sockets.MayKill(); err != nil {
		return &lacking{err}
	}
	return nil
}

// printPlan shows what would be ended, and what not.
func (a *app) printPlan(p *plan, dryRun bool) error {
	width, _ := a.terminalSize()
	if err := a.printConns(p.chosen, &listFlags{wide: width == 0}, nil); err != nil {
		return err
	}
	var notes []string
	if p.listeners > 0 {
		notes = append(notes, fmt.Sprintf("%d of these listen: ending them stops the service", p.listeners))
	}
	if p.leftOut > 0 {
		notes = append(notes, human.Many(p.leftOut, "matching listener")+" left out; --listeners ends those too")
	}
	if dryRun && p.refused != nil {
		notes = append(notes, "without --dry-run this is refused: "+p.refused.Error())
	}
	for _, note := range notes {
		if _, err := fmt.Fprintln(a.stdout, note); err != nil {
			return err
		}
	}
	return nil
}

// take turns the arguments into an expression in addition to --filter. One of the two is
// required: a bare kill must not mean everything.
func (k *killFlags) take(args []string) error {
	var parts []string
	switch {
	case len(args) == 0 && !k.chooses():
		return usage("say what to end: an ID of closetrace list, a local and a peer address, --filter, --port, --peer or --process")
	case len(args) == 0:
	case strings.Contains(args[0], ":"):
		tuple, err := tupleExpression(args)
		if err != nil {
			return err
		}
		parts = append(parts, tuple)
	default:
		quoted := make([]string, len(args))
		for i, id := range args {
			if strings.Count(id, "-") != 1 {
				return usage("%q is not an ID; closetrace list shows them, such as f0000098-1a2b", id)
			}
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
		if _, err := sockets.CompileFilter(string(k.expression)); err != nil {
			return err // shown as it was written
		}
		parts = append(parts, "("+string(k.expression)+")")
	}
	k.expression = expression(strings.Join(parts, " && "))
	return nil
}

// chooses reports whether a flag says which connections are meant; those that only
// say where to look do not.
func (k *killFlags) chooses() bool {
	return k.expression != "" || k.process != "" || k.pid != 0 || k.port != 0 || k.peer != "" || len(k.states) > 0
}

func tupleExpression(args []string) (string, error) {
	if len(args) != 2 {
		return "", usage("a connection has two addresses: closetrace kill LOCAL:PORT PEER:PORT")
	}
	var ends [2]netip.AddrPort
	for i, text := range args {
		end, err := netip.ParseAddrPort(text)
		if err != nil {
			return "", usage("%q is not an address with a port, such as 10.0.0.5:443 or [::1]:443", text)
		}
		ends[i] = netip.AddrPortFrom(end.Addr().Unmap(), end.Port())
	}
	return fmt.Sprintf("network.local.address == %q && network.local.port == %d && network.peer.address == %q && network.peer.port == %d",
		ends[0].Addr(), ends[0].Port(), ends[1].Addr(), ends[1].Port()), nil
}

// holder says why the process that holds the connections cannot be ended.
func holder(chosen []sockets.Conn) error {
	if err := oneProcess(chosen); err != nil {
		return err
	}
	if chosen[0].Process.PID == 0 {
		return errors.New("no process is known to hold the connection: it may be another user's; run it with sudo")
	}
	return nil
}

// oneProcess refuses what several processes have.
func oneProcess(chosen []sockets.Conn) error {
	var pids []string
	for i := range chosen {
		if pid := strconv.Itoa(chosen[i].Process.PID); !slices.Contains(pids, pid) {
			pids = append(pids, pid)
		}
	}
	if len(pids) > 1 {
		return usage("%d processes have what matches (%s): choose one by --process PID", len(pids), strings.Join(pids, ", "))
	}
	return nil
}
