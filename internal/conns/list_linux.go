package conns

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"iter"

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
// [Options.Skipped] is told.
func List(ctx context.Context, opts Options) ([]Conn, error) {
	var all []Conn
	spaces := namespaces(&opts)
	defer spaces.close()
	for space := range spaces.all {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		found, err := listNamespace(space, &opts)
		if err != nil && space.own {
			return nil, err
		}
		opts.skip(err)
		all = append(all, found...)
	}
	if err := own(ctx, all, &opts); err != nil {
		return nil, err
	}
	for i := range all {
		all[i].OnClose = Predict(&all[i])
	}
	return all, nil
}

func listNamespace(space *namespace, opts *Options) ([]Conn, error) {
	c, err := space.dial()
	if err != nil {
		return nil, err
	}
	defer c.Close()
	var all []Conn
	for _, transport := range opts.transports() {
		protocol, states := byte(protocolTCP), opts.tcpStates()
		if transport == "udp" {
			protocol, states = protocolUDP, opts.udpStates()
		}
		for _, family := range []byte{familyIPv4, familyIPv6} {
			for conn, err := range dump(c, dumpKey(family, protocol), states, space.inode) {
				if errors.Is(err, unix.ENOENT) { // this kernel has no IPv6 or no udp_diag
					break
				}
				if err != nil {
					return nil, fmt.Errorf("list %s sockets: %w", transport, err)
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

func (o *Options) tcpStates() uint32 {
	switch o.Scope {
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

// own finds out who holds the sockets.
func own(ctx context.Context, all []Conn, opts *Options) error {
	byInode := make(map[uint32]*Conn, len(all))
	for i := range all {
		if inode := all[i].Socket.Inode; inode != 0 {
			byInode[inode] = &all[i]
		}
	}
	held, err := holders(ctx, byInode, opts)
	if err != nil {
		return err
	}
	started := make(map[*Conn]*Held, len(held))
	for i := range held {
		h := &held[i]
		c := byInode[h.Inode]
		if c == nil {
			continue
		}
		c.Holders = append(c.Holders, Holder{PID: h.PID, Name: h.Name, Descriptor: h.Descriptor})
		if h.Linger.On.Known() {
			c.Linger, c.TCP.Linger2 = h.Linger, h.Linger2
		}
		if oldest := started[c]; oldest == nil || h.Started < oldest.Started {
			started[c] = h
		}
	}
	bootTime := bootTime()
	for c, h := range started {
		c.describe(h, opts.Owners, bootTime)
	}
	return nil
}

// holders asks the caller's source first, and looks into /proc where that
// can't tell.
func holders(ctx context.Context, wanted map[uint32]*Conn, opts *Options) ([]Held, error) {
	if opts.Held != nil {
		held, err := opts.Held(ctx)
		if err == nil {
			return held, nil
		}
		if !errors.Is(err, errors.ErrUnsupported) && !errors.Is(err, fs.ErrPermission) {
			return nil, fmt.Errorf("find holders: %w", err)
		}
	}
	return walk(ctx, wanted, opts)
}

// describe fills in the process that holds the socket.
func (c *Conn) describe(h *Held, owners Owners, bootTime int64) {
	f := model.Facts{Process: model.Process{
		PID: h.PID, Name: h.Name, Source: h.Source,
		StartTime: model.Time(bootTime + int64(h.Started)),
		User:      model.User{ID: model.Some(h.UID)},
	}}
	if owners != nil {
		owners.Describe(&f, h.Started, h.Cgroup)
		if path := owners.CgroupPath(c.cgroupID); path != "" && path != f.Cgroup.Path {
			c.Socket.Cgroup = path
		}
	}
	c.Process, c.Container, c.K8s, c.Cgroup, c.Systemd = f.Process, f.Container, f.K8s, f.Cgroup, f.Systemd
}

// bootTime returns the wall-clock time at which CLOCK_BOOTTIME was zero.
func bootTime() int64 {
	var wall, boot unix.Timespec
	if unix.ClockGettime(unix.CLOCK_REALTIME, &wall) != nil || unix.ClockGettime(unix.CLOCK_BOOTTIME, &boot) != nil {
		return 0
	}
	return wall.Nano() - boot.Nano()
}
