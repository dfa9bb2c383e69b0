package wire

import (
	"path"
	"strconv"
	"strings"

	"github.com/closetrace/closetrace/model"
	"github.com/closetrace/closetrace/wire/internal/capture"
	"github.com/closetrace/closetrace/wire/internal/flow"
)

// owner keeps what a packet says of the process that sent or received it: ptcpdump
// writes comments, Apple's pktap a header.
func (f *File) owner(c *flow.Conn, side int, p *capture.Packet) {
	if f.decoder.Process.PID == 0 && !p.HasOptions() {
		return
	}
	var o flow.Owner
	if process := f.decoder.Process; process.PID != 0 {
		o.PID, o.Name = process.PID, process.Name
	} else if process := p.Process(); process.PID > 0 {
		o.PID, o.Name = process.PID, process.Name
	}
	for comment := range p.Comments {
		readComment(comment, &o)
	}
	if o.PID == 0 {
		return
	}
	switch p.Direction() {
	case capture.Outbound:
		c.Sides[side].Owner = &o
	case capture.Inbound:
		c.Sides[1-side].Owner = &o
	case capture.Unknown:
		c.Sides[side].Said = &o
	}
}

// readComment reads a comment of ptcpdump (version 0.2 and later): lines of a name, a
// colon and a value.
func readComment(text string, o *flow.Owner) {
	const longest = 256 // of each value: a connection keeps it, and must not keep the whole comment
	keep := func(value string) string { return strings.Clone(value[:min(len(value), longest)]) }
	if !strings.Contains(text, ": ") {
		return
	}
	for line := range strings.Lines(text) {
		name, value, _ := strings.Cut(strings.TrimRight(line, "\n"), ": ")
		switch name {
		case "PID":
			o.PID, _ = strconv.Atoi(value)
		case "Cmd":
			o.Path, o.Name = "", keep(path.Base(value))
			if len(value) <= longest { // a part of a path is another path
				o.Path = keep(value)
			}
		case "UserId":
			if n, err := strconv.ParseUint(value, 10, 32); err == nil {
				o.User, o.HasUser = uint32(n), true
			}
		case "ContainerName":
			o.Container = keep(value)
		case "ContainerId":
			o.ContainerID = keep(value)
		case "PodName":
			o.Pod = keep(value)
		case "PodNamespace":
			o.Namespace = keep(value)
		case "PodUID":
			o.PodUID = keep(value)
		}
	}
}

// setOwner names the process of side i. If the capture does not say in which direction
// packets went, the process is known only if the directions name different ones, or if
// the other end is on another host. On a loopback interface ptcpdump names one process
// for both ends, although it has only one of them: then nothing is known.
func (f *File) setOwner(c *flow.Conn, i int, facts *model.Facts) {
	s, peer := &c.Sides[i], &c.Sides[1-i]
	o := s.Owner
	switch {
	case o != nil && peer.Owner != nil && o.PID == peer.Owner.PID:
		o = nil
	case o != nil:
	case s.Said != nil && peer.Said != nil && s.Said.PID != peer.Said.PID:
		o = s.Said
	case len(f.options.Local) > 0 && !f.isLocal(c, 1-i):
		if o = s.Said; o == nil {
			o = peer.Said
		}
	}
	if o == nil {
		return
	}
	p := &facts.Process
	p.PID, p.Name, p.Executable.Path, p.Source = o.PID, o.Name, o.Path, model.OwnerUse
	if o.HasUser {
		p.User.ID = model.Some(o.User)
	}
	facts.Container.ID, facts.Container.Name = o.ContainerID, o.Container
	facts.K8s.Pod.Name, facts.K8s.Pod.UID, facts.K8s.Namespace.Name = o.Pod, o.PodUID, o.Namespace
}
