package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/closetrace/closetrace/internal/sockets"
	"github.com/closetrace/closetrace/model"
	"github.com/closetrace/closetrace/tui"
)

// openView is the screen's list of open connections, and what else the screen needs
// from before the privileges are dropped.
type openView struct {
	keys      map[string][]string // the user's
	outputs   outputs             // of R and w
	options   sockets.Options
	allowKill bool
	killer    sockets.Killer
	note      string // what is not listed
	own       netns  // this program's network namespace, the only one in which it can end connections
	filter    *model.Filter

	mutex sync.Mutex
	byID  map[string]sockets.Conn // what was listed last
}

// What the view does not list: asking the kernel in other network namespaces needs a
// capability that was dropped when the trace began. The iterator over descriptors sees
// all namespaces, but only sockets that a process holds.
const (
	ownOnly  = "Only this network namespace is listed; closetrace list --all-netns has the others."
	heldOnly = "Of other network namespaces only what a process holds: no half-closed orphans; closetrace list --all-netns has all."
)

// choose lists what flags choose of t, as far as that is known of an open connection, and
// returns what the view lists beyond, and what it does not: a connection that is open has
// no verdict to choose by, and its command is not looked for.
func (v *openView) choose(t *trace) (note string, err error) {
	parts, err := t.flags.parts("process")
	if err != nil {
		return "", err
	}
	chosen := strings.Join(parts, " && ")
	if v.filter, err = model.CompileFilter(chosen); err != nil {
		return "", err
	}
	all, err := t.flags.parts("process", "closer")
	if strings.Join(all, " && ") == t.filter.String() && t.flags.follow == nil || err != nil {
		return v.note, err
	}
	if chosen == "" {
		return strings.TrimSpace("All open connections are listed, not only those that are traced. " + v.note), nil
	}
	return strings.TrimSpace("Listed are more than those that are traced: all with " + chosen + ". " + v.note), nil
}

// openView returns nil where there is no screen.
func (a *app) openView(flags *traceFlags, screen screenFlags) (*openView, error) {
	if screen.allowKill {
		if err := sockets.MayKill(); err != nil {
			return nil, &lacking{err}
		}
	}
	if !a.wantsScreen(screen.plain) {
		return nil, nil
	}
	v, err := newOpenView(flags, screen.allowKill)
	if err != nil {
		return nil, err
	}
	if v.keys, err = readKeys(); err != nil {
		return nil, errors.Join(err, v.close())
	}
	box, err := flags.openBox()
	if err != nil || !flags.confined() {
		return v, err
	}
	// In a folder that is closed to root, as on NFS, only files can't be made; the rest
	// works.
	if here, err := openOutputs(box, "here"); err == nil {
		v.outputs = here
	}
	return v, nil
}

// list returns the connections that are open now.
func (v *openView) list(ctx context.Context) ([]tui.OpenConn, error) {
	all, err := sockets.List(ctx, v.options)
	if err != nil {
		return nil, err
	}
	open, names := make([]tui.OpenConn, 0, len(all)), netnsNames()
	byID := make(map[string]sockets.Conn, len(all))
	for i := range all {
		c := &all[i]
		byID[c.ID] = *c
		o := tui.OpenConn{
			Where: whereCell(c), NetNS: names[c.Network.NetNS], State: c.State, OnClose: onClose(c),
			Facts: model.Facts{
				ID: c.ID, Network: c.Network, Process: c.Process, Container: c.Container, K8s: c.K8s, Cgroup: c.Cgroup,
				Systemd: c.Systemd, Linger: c.Linger, StartTime: c.StartTime, Duration: c.Duration,
				TCP: model.TCP{Bytes: c.TCP.Bytes, Retransmits: c.TCP.Retransmits, SRTT: c.TCP.SRTT},
			},
		}
		if v.own != 0 && c.Network.NetNS != uint32(v.own) {
			o.Protected = "x can't end what is in another network namespace: closetrace kill " + c.ID + " does"
		}
		if v.filter.Match(&model.Record{Kind: model.KindTeardown, Teardown: model.Teardown{Facts: o.Facts}}) {
			open = append(open, o)
		}
	}
	v.mutex.Lock()
	defer v.mutex.Unlock()
	v.byID = byID
	return open, nil
}

// onClose says what will end the connection without close(), and what close() would do.
func onClose(c *sockets.Conn) string {
	text := strings.TrimPrefix(c.OnClose.String(), "would ")
	if c.Doom.Known() {
		return c.Doom.At(time.Now()) + "; close: " + text
	}
	return text
}

// end ends the connection that was shown, never a later one with the same addresses.
func (v *openView) end(shown tui.OpenConn) (string, error) {
	v.mutex.Lock()
	c, ok := v.byID[shown.ID]
	v.mutex.Unlock()
	if !ok {
		return "", fmt.Errorf("end %s: %w", shown.Network.Local.AddrPort(), sockets.ErrGone)
	}
	done, err := v.killer.Kill(&c)
	if err == nil {
		err = done.Why(&c)
	}
	if err != nil {
		return "", explained(&c, err)
	}
	return fmt.Sprintf("ended %s %s; its record is in Stream", c.Network.Local.AddrPort(), c.Network.Peer.AddrPort()), nil
}

func (v *openView) close() error {
	if v == nil {
		return nil
	}
	return errors.Join(v.killer.Close(), v.outputs.close())
}
