package sockets

import "github.com/closetrace/closetrace/model"

// finish turns what the kernel counts in sequence numbers into payload. SYN
// and FIN take a number each: a FIN that was received but not yet read counts
// in the receive queue (tcp_inq), one that is queued in the send queue.
func (c *Conn) finish() {
	if c.key.protocol == protocolUDP {
		c.Transport, c.TCP = "udp", TCP{}
		return
	}
	c.Transport = "tcp"
	if c.State == model.Listen || c.TCP.TimeWait || c.State == model.Closed {
		c.TCP = TCP{TimeWait: c.TCP.TimeWait, Timer: c.TCP.Timer}
		return
	}
	ownFIN := c.State == model.FinWait1 || c.State == model.Closing || c.State == model.LastAck
	peerFIN := c.State == model.CloseWait || c.State == model.Closing || c.State == model.LastAck
	b := &c.TCP.Bytes
	if c.Socket.Inode == 0 {
		c.Unaccepted = c.State == model.Established || c.State == model.CloseWait ||
			c.State == model.SynRecv || c.State == model.NewSynRecv
		c.Orphan = !c.Unaccepted
	}
	b.Unread = model.Some(less(uint64(c.Queue.Receive), peerFIN))
	b.Unacked = model.Some(less(uint64(c.Queue.Send), ownFIN || c.State == model.SynSent))
	if unsent, known := b.Unsent.Get(); known {
		b.Unsent = model.Some(min(less(unsent, ownFIN), b.Unacked.Or(0)))
	}
	if received, known := b.Received.Get(); known {
		b.Received = model.Some(less(received, peerFIN))
	}
	if sent, known := b.Sent.Get(); known { // what the peer acknowledged of it
		flying := b.Unacked.Or(0) - b.Unsent.Or(0)
		b.Sent = model.Some(sent - min(flying, sent))
	}
}

// less takes the sequence number of a control flag off, if there is one.
func less(n uint64, control bool) uint64 {
	if control && n > 0 {
		return n - 1
	}
	return n
}
