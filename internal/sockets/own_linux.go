package sockets

import (
	"context"
	"encoding/binary"
	"fmt"

	"golang.org/x/sys/unix"

	"github.com/closetrace/closetrace/model"
)

// own finds out who holds the sockets.
func own(all []Conn, held []Held, opts *Options) {
	byInode := indexed(all)
	oldest := make(map[*Conn]*Held, len(byInode))
	for i := range held {
		h := &held[i]
		c := byInode[h.Inode]
		if c == nil {
			continue
		}
		c.Holders = append(c.Holders, Holder{PID: h.PID, Name: h.Name, Descriptor: h.Descriptor})
		c.TCP.MPTCP = c.TCP.MPTCP || h.MPTCP
		if h.Connection != nil {
			c.probing = h.Connection.Probing
		}
		if h.Limits != (Limits{}) {
			c.limits = h.Limits
		}
		if h.Linger.On.Known() {
			c.Linger, c.TCP.Linger2, c.TCP.Repair = h.Linger, h.Linger2, h.Repair
		}
		if known := oldest[c]; known == nil || h.Started < known.Started {
			oldest[c] = h
		}
	}
	d := describer{owners: opts.Owners, bootTime: bootTime(), known: map[process]*model.Facts{}}
	for c, h := range oldest {
		d.describe(c, h)
	}
}

// indexed returns the sockets that have an inode by its number, which is one for all
// network namespaces (sockfs).
func indexed(all []Conn) map[uint32]*Conn {
	byInode := make(map[uint32]*Conn, len(all))
	for i := range all {
		if inode := all[i].Socket.Inode; inode != 0 {
			byInode[inode] = &all[i]
		}
	}
	return byInode
}

// heldKey names the socket as inet_diag does. With a cookie of 0 it names none.
func heldKey(c *HeldConnection) key {
	k := key{family: familyIPv4, protocol: protocolTCP, netns: c.Network.NetNS}
	if c.Network.Local.Address.Is6() {
		k.family = familyIPv6
	}
	binary.BigEndian.PutUint16(k.id[0:], c.Network.Local.Port)
	binary.BigEndian.PutUint16(k.id[2:], c.Network.Peer.Port)
	copy(k.id[4:20], c.Network.Local.Address.AsSlice())
	copy(k.id[20:36], c.Network.Peer.Address.AsSlice())
	binary.NativeEndian.PutUint64(k.id[40:], c.Cookie)
	return k
}

// elsewhere returns the connections of other namespaces than own that processes hold.
func elsewhere(held []Held, own uint32) (all []Conn) {
	seen := map[uint32]bool{}
	for i := range held {
		h := &held[i]
		c := h.Connection
		if c == nil || c.Network.NetNS == own || seen[h.Inode] || Connections.tcpStates()>>c.State&1 == 0 {
			continue
		}
		seen[h.Inode] = true
		conn := Conn{
			key: heldKey(c), State: c.State, Network: c.Network, Queue: c.Queue,
			ID:     fmt.Sprintf("%x-%x", c.Network.NetNS, c.Cookie),
			Socket: Socket{Inode: h.Inode, Cookie: c.Cookie},
			TCP:    TCP{Bytes: model.Bytes{Unsent: model.Some(uint64(c.Unsent))}, Retransmits: model.Some(c.Retransmits)},
		}
		if c.Silent > 0 {
			conn.Silent = model.Some(c.Silent)
		}
		if c.Cookie == 0 {
			conn.ID = fmt.Sprintf("%x-i%d", c.Network.NetNS, h.Inode)
		}
		conn.finish()
		all = append(all, conn)
	}
	return all
}

// holders asks the caller's source first, and looks into /proc where that
// can't tell.
func holders(ctx context.Context, all []Conn, opts *Options) ([]Held, error) {
	if opts.Held != nil {
		if held, err := opts.Held(); err == nil {
			return held, nil
		}
	}
	return walk(ctx, indexed(all), opts)
}

// process identifies a process for as long as the system runs.
type process struct {
	pid     int
	started uint64
}

// describer describes each process once: a server has thousands of sockets.
type describer struct {
	owners   Owners
	bootTime int64
	known    map[process]*model.Facts
}

// describe fills in the process that holds the socket.
func (d *describer) describe(c *Conn, h *Held) {
	f := d.facts(h)
	c.Process, c.Container, c.K8s, c.Cgroup, c.Systemd = f.Process, f.Container, f.K8s, f.Cgroup, f.Systemd
	if d.owners == nil || c.cgroupID == h.Cgroup {
		return
	}
	if path := d.owners.CgroupPath(c.cgroupID); path != "" && path != f.Cgroup.Path {
		c.Socket.Cgroup = path
	}
}

func (d *describer) facts(h *Held) *model.Facts {
	key := process{h.PID, h.Started}
	if f := d.known[key]; f != nil {
		return f
	}
	f := &model.Facts{Process: model.Process{
		PID: h.PID, Name: h.Name, Source: h.Source,
		StartTime: model.Time(d.bootTime + int64(h.Started)),
		User:      model.User{ID: model.Some(h.UID)},
	}}
	if d.owners != nil {
		d.owners.Describe(f, h.Started, h.Cgroup, 0)
	}
	d.known[key] = f
	return f
}

// bootTime returns the wall-clock time at which CLOCK_BOOTTIME was zero.
func bootTime() int64 {
	var wall, boot unix.Timespec
	if unix.ClockGettime(unix.CLOCK_REALTIME, &wall) != nil || unix.ClockGettime(unix.CLOCK_BOOTTIME, &boot) != nil {
		return 0
	}
	return wall.Nano() - boot.Nano()
}
