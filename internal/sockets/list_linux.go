package sockets

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"iter"
	"slices"

	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"

	"github.com/closetrace/closetrace/model"
)

const (
	sockDiagByFamily = 20 // SOCK_DIAG_BY_FAMILY
	sockDestroy      = 21 // SOCK_DESTROY
	dumpBuffer       = 32 << 10
)

// List returns what is open now, in no order. Without privileges the sockets
// are still all of this namespace, but processes of other users are not known:
// [Options.Skipped] gets it.
func List(ctx context.Context, opts Options) ([]Conn, error) {
	var all []Conn
	spaces := namespaces(&opts)
	defer spaces.close()
	for space := range spaces.all {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		var err error
		if all, err = listNamespace(all, space, &opts); err != nil && space.own {
			return nil, err
		}
		opts.skip(err)
	}
	held, err := holders(ctx, all, &opts)
	if err != nil {
		return nil, err
	}
	if opts.Elsewhere && !opts.AllNetNS {
		all = append(all, elsewhere(held, spaces[0].inode)...)
	}
	own(all, held, &opts)
	for i := range all {
		all[i].OnClose = Predict(&all[i])
	}
	foresee(all, spaces)
	return all, nil
}

// Each calls each for every TCP socket of this network namespace, with what its kernel says
// of it, valid until the next call. No more than one is in memory.
func Each(each func(*Conn)) error {
	space := &namespace{own: true}
	c, err := space.dial()
	if err != nil {
		return err
	}
	defer c.Close()
	var one Conn // for all: the range's own would each move to the heap
	for _, family := range []byte{familyIPv4, familyIPv6} {
		for conn, err := range dump(c, dumpKey(family, protocolTCP), Everything.tcpStates(), 0) {
			if errors.Is(err, unix.ENOENT) { // this kernel has no IPv6
				break
			}
			if err != nil {
				return fmt.Errorf("list tcp sockets: %w", err)
			}
			one = conn
			each(&one)
		}
	}
	return nil
}

// listNamespace appends the sockets of a namespace to all.
func listNamespace(all []Conn, space *namespace, opts *Options) ([]Conn, error) {
	c, err := space.dial()
	if err != nil {
		return all, err
	}
	defer c.Close()
	for _, transport := range opts.transports() {
		protocol, states := byte(protocolTCP), opts.Scope.tcpStates()
		if transport == "udp" {
			protocol, states = protocolUDP, opts.udpStates()
		}
		for _, family := range []byte{familyIPv4, familyIPv6} {
			for conn, err := range dump(c, dumpKey(family, protocol), states, space.inode) {
				if errors.Is(err, unix.ENOENT) { // this kernel has no IPv6 or no udp_diag
					break
				}
				if err != nil {
					return all, fmt.Errorf("list %s sockets: %w", transport, err)
				}
				if len(all) == cap(all) { // append alone would copy four times as much
					all = slices.Grow(all, max(len(all), 256))
				}
				all = append(all, conn)
			}
		}
	}
	return all, nil
}

func stateMask(states ...model.State) (mask uint32) {
	for _, s := range states {
		mask |= 1 << s
	}
	return mask
}

func (s Scope) tcpStates() uint32 {
	switch s {
	case Listeners:
		return stateMask(model.Listen)
	case Everything:
		return ^uint32(0)
	case Connections:
	}
	return ^stateMask(model.Listen, model.Closed, model.TimeWait, model.SynRecv, model.NewSynRecv)
}

func (o *Options) udpStates() uint32 {
	switch o.Scope {
	case Listeners:
		return stateMask(model.Closed)
	case Everything:
		return ^uint32(0)
	case Connections:
	}
	return stateMask(model.Established)
}

// dumpKey names all sockets of a family and protocol.
func dumpKey(family, protocol byte) *key {
	k := &key{family: family, protocol: protocol}
	binary.NativeEndian.PutUint64(k.id[40:], ^uint64(0)) // INET_DIAG_NOCOOKIE
	return k
}

func (o *Options) skip(err error) {
	if o.Skipped != nil && err != nil {
		o.Skipped(err)
	}
}

// dump asks for all sockets of a kind.
func dump(c *netlink.Conn, k *key, states uint32, netns uint32) iter.Seq2[Conn, error] {
	return func(yield func(Conn, error) bool) {
		request := netlink.Message{
			Header: netlink.Header{Type: sockDiagByFamily, Flags: netlink.Request | netlink.Dump},
			Data:   k.request(states),
		}
		if _, err := c.Send(request); err != nil {
			yield(Conn{}, err)
			return
		}
		for m, err := range c.ReceiveIter() {
			if err != nil {
				yield(Conn{}, err)
				return
			}
			conn, err := decodeDiag(m.Data, k.protocol, netns)
			if !yield(conn, err) || err != nil {
				return
			}
		}
	}
}
