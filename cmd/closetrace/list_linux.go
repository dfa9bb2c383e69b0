package main

import (
	"sync"

	"golang.org/x/sys/unix"

	"github.com/closetrace/closetrace/internal/sockets"
	"github.com/closetrace/closetrace/model"
	"github.com/closetrace/closetrace/tracer"
	"github.com/closetrace/closetrace/tracer/process"
)

// newOwners adds what connections do not show of their processes.
func newOwners(commandLine bool) sockets.Owners {
	return process.NewOwners(process.Options{CommandLine: commandLine, Lazy: true})
}

// blindSpots says which owners and containers can't be seen from here.
func blindSpots() []string {
	return process.NewOwners(process.Options{Lazy: true}).View()
}

// newHeld begins to load the iterator over descriptors, which takes as long as
// to list thousands of connections, and returns what reads it. The iterator
// lives as long as the program.
func newHeld() func() ([]sockets.Held, error) {
	open := sync.OnceValues(tracer.OpenHolders)
	go open()
	return func() ([]sockets.Held, error) {
		holders, err := open()
		if err != nil {
			return nil, err
		}
		return heldBy(holders)
	}
}

// newOpenView prepares what the view Open needs when the privileges are gone: the
// iterator is loaded, and the kernel lets it be read without. Before 5.19 that
// takes CAP_BPF, which is then kept.
func newOpenView(flags *traceFlags, allowKill bool) (*openView, error) {
	reader, err := flags.reader()
	if err != nil {
		return nil, err
	}
	owners := process.NewOwners(process.Options{Lazy: true, Reader: reader})
	v := &openView{allowKill: allowKill, options: sockets.Options{Owners: owners}}
	if err := v.own.Set("self"); err != nil {
		return nil, err
	}
	if allowKill {
		flags.keep = append(flags.keep, unix.CAP_NET_ADMIN)
	}
	holders, err := tracer.OpenHolders()
	if err != nil {
		v.note = ownOnly
		return v, nil // what this user may read in /proc
	}
	v.options.Held, v.options.Elsewhere, v.note = func() ([]sockets.Held, error) { return heldBy(holders) }, true, heldOnly
	if !holders.StaysReadable() {
		flags.keep = append(flags.keep, unix.CAP_BPF)
	}
	return v, nil
}

func heldBy(holders *tracer.Holders) ([]sockets.Held, error) {
	all, err := holders.Read()
	if err != nil {
		return nil, err
	}
	held := make([]sockets.Held, len(all))
	for i := range all {
		h := &all[i]
		held[i] = sockets.Held{
			Inode: uint32(h.Inode), PID: h.PID, Descriptor: h.Descriptor, Name: h.Name, UID: h.UID,
			Started: h.Started, Cgroup: h.Cgroup, Linger: h.Linger, Linger2: h.Linger2, Repair: h.Repair, MPTCP: h.MPTCP, Source: model.OwnerIterator,
		}
		if c := h.Connection; c != nil {
			held[i].Connection = &sockets.HeldConnection{
				Network: c.Network, State: c.State, Cookie: c.Cookie, Unsent: c.Unsent, Retransmits: c.Retransmits,
				Queue:  sockets.Queue{Receive: c.Receive, Send: c.Send},
				Silent: c.Silent, Probing: c.Probing,
			}
			held[i].Limits = sockets.Limits{
				Retries2: c.Retries2, KeepaliveProbes: c.KeepaliveProbes, KeepaliveInterval: c.KeepaliveInterval, UserTimeout: c.UserTimeout,
				SYNRetries: c.SYNRetries, SYNLinear: c.SYNLinear, RTOMax: c.RTOMax,
			}
		}
	}
	return held, nil
}
