package sockets

import (
	"testing"
	"time"

	"github.com/closetrace/closetrace/model"
)

func open(state model.State, change func(*Conn)) Conn {
	c := Conn{Transport: "tcp", State: state, Holders: []Holder{{PID: 1}}}
	c.Linger.On = model.Some(false)
	if change != nil {
		change(&c)
	}
	return c
}

func linger(seconds int) func(*Conn) {
	return func(c *Conn) { c.Linger = model.Linger{On: model.Some(true), Seconds: model.Some(seconds)} }
}

func both(changes ...func(*Conn)) func(*Conn) {
	return func(c *Conn) {
		for _, change := range changes {
			change(c)
		}
	}
}

func unread(n uint64) func(*Conn) { return func(c *Conn) { c.TCP.Bytes.Unread = model.Some(n) } }

func unacknowledged(n uint64) func(*Conn) {
	return func(c *Conn) { c.TCP.Bytes.Unacked, c.TCP.Bytes.Unsent = model.Some(n), model.Some(n) }
}

func TestPredict(t *testing.T) {
	for _, c := range []struct {
		name string
		conn Conn
		want string
	}{
		{"unread data", open(model.Established, unread(512)), "would reset: 512 bytes unread"},
		{"one byte", open(model.CloseWait, unread(1)), "would reset: 1 byte unread"},
		{"SO_LINGER {1,0}", open(model.Established, linger(0)), "would reset: SO_LINGER {1,0}"},
		{"unread data wins over SO_LINGER", open(model.Established, both(linger(5), unread(9))), "would reset: 9 bytes unread"},
		{"SO_LINGER {1,0} with data", open(model.Established, both(linger(0), unacknowledged(7))), "would reset: SO_LINGER {1,0}, 7 bytes lost"},
		{"SO_LINGER {1,5}", open(model.Established, linger(5)), "would block up to 5 s"},
		{"SO_LINGER {1,5} with data", open(model.CloseWait, both(linger(5), unacknowledged(40_960))), "would block up to 5 s: 41 kB to drain"},
		{"SO_LINGER {1,-1}", open(model.Established, linger(-1)), "would block"},
		{"SO_LINGER when our FIN is acknowledged", open(model.FinWait2, linger(5)), "FIN was sent"},
		{"SO_LINGER {1,0} in LAST_ACK, all sent", open(model.LastAck, linger(0)), "would end without RST"},
		{"SO_LINGER {1,0} in LAST_ACK, unsent data", open(model.LastAck, both(linger(0), unacknowledged(3))), "would reset: SO_LINGER {1,0}, 3 bytes lost"},
		{"data to drain", open(model.Established, unacknowledged(40_960)), "would drain 41 kB"},
		{"nothing waits", open(model.Established, nil), "would send FIN"},
		{"SO_LINGER is not known", open(model.Established, func(c *Conn) { c.Linger = model.Linger{} }), "would send FIN (SO_LINGER not known)"},
		{"half-closed", open(model.FinWait2, nil), "FIN was sent"},
		{"half-closed, data not acknowledged", open(model.FinWait1, unacknowledged(10)), "would drain 10 bytes; FIN is queued"},
		{"TCP_LINGER2 < 0", open(model.FinWait2, func(c *Conn) { c.TCP.Linger2 = model.Some(-1) }), "would reset: linger2-timeout"},
		{"TCP_LINGER2 < 0, still open", open(model.Established, func(c *Conn) { c.TCP.Linger2 = model.Some(-1) }), "would send FIN, and not wait for the peer's (TCP_LINGER2)"},
		{"MPTCP", open(model.Established, func(c *Conn) { c.TCP.MPTCP = true }), ""},
		{"connecting", open(model.SynSent, nil), "would give up connecting"},
		{"connecting with SO_LINGER {1,0}", open(model.SynSent, linger(0)), "would give up connecting"},
		{"TCP_REPAIR wins over unread data", open(model.Established, both(unread(3), func(c *Conn) { c.TCP.Repair = true })), "would end without RST"},
		{"listener", open(model.Listen, nil), "would stop listening"},
		{"listener with a queue", open(model.Listen, func(c *Conn) { c.Queue.Receive = 2 }), "would reset 2 waiting connections"},
		{"not accepted", open(model.Established, func(c *Conn) { c.Unaccepted, c.Holders = true, nil }), "would be reset with its listener"},
		{"two holders", open(model.Established, both(unread(5), func(c *Conn) { c.Holders = make([]Holder, 2) })), "would do nothing: 1 other descriptor"},
		{"orphan", open(model.FinWait1, func(c *Conn) { c.Orphan, c.Holders = true, nil }), "closed already"},
		{"TIME_WAIT", open(model.TimeWait, func(c *Conn) { c.TCP.TimeWait, c.Holders = true, nil }), "closed already"},
		{"reset by the peer", open(model.Closed, unread(3)), "closed already"},
		{"UDP", Conn{Transport: "udp", State: model.Closed}, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := Predict(&c.conn).String(); got != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}

func TestLingerTimeDoesNotOverflow(t *testing.T) {
	for _, seconds := range []int{-1, 1<<31 - 1, 1 << 62} {
		if got := lingerTime(seconds); got <= 0 {
			t.Errorf("lingerTime(%d) = %v", seconds, got)
		}
	}
	if got := lingerTime(5); got != 5*time.Second {
		t.Errorf("lingerTime(5) = %v, want 5s", got)
	}
}
