// Package beside puts what a packet capture saw beside what a host recorded of the same
// connection ends, and says where the two do not fit. It is pure and its memory is
// bounded.
package beside

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
	"time"

	"github.com/closetrace/closetrace/model"
)

// maxEnds bounds the ends of the capture that are kept: about 1.5 KiB each.
const maxEnds = 200_000

// apart is how far apart in time host and capture may be where no fingerprint joins
// them, clocks included.
const apart = 10 * time.Minute

// Capture is the ends that a capture shows.
type Capture struct {
	// Dropped are ends for which there was no room.
	Dropped uint64

	host   *Host
	ends   []model.Teardown
	paired []bool // by the place in ends
	byID   map[string]int
	prints map[model.Fingerprint][]int
	tuples map[tuple][]int // in the order of time, once sorted
	sorted bool
}

type tuple struct{ local, peer netip.AddrPort }

// New returns a capture without ends. Of a host only its ends are kept, of nil all.
func New(host *Host) *Capture {
	return &Capture{host: host, byID: map[string]int{}, prints: map[model.Fingerprint][]int{}, tuples: map[tuple][]int{}}
}

// Add takes a record of the capture. An outcome takes the place of its teardown.
func (c *Capture) Add(r *model.Record) {
	t := &r.Teardown
	if at, known := c.byID[t.ID]; known && r.Kind == model.KindOutcome {
		c.ends[at], c.sorted = *t, false
		return
	}
	switch {
	case r.Kind != model.KindTeardown, !c.host.has(t):
	case len(c.ends) >= maxEnds:
		c.Dropped++
	default:
		at := len(c.ends)
		c.ends, c.paired, c.byID[t.ID] = append(c.ends, *t), append(c.paired, false), at
		if p := t.TCP.Fingerprint; p != 0 {
			c.prints[p] = append(c.prints[p], at)
		}
		k := tupleOf(t)
		c.tuples[k], c.sorted = append(c.tuples[k], at), false
	}
}

func tupleOf(t *model.Teardown) tuple {
	return tuple{t.Network.Local.AddrPort(), t.Network.Peer.AddrPort()}
}

// Beside returns what the capture shows of the end that the host recorded, nil if it
// does not have it: by the fingerprint, which address translation leaves as it is, or
// by addresses and time.
func (c *Capture) Beside(host *model.Teardown) *model.Teardown {
	at := c.find(host)
	if at < 0 {
		return nil
	}
	c.paired[at] = true
	return &c.ends[at]
}

// Unpaired is how many ends of a known host were asked for by nobody.
func (c *Capture) Unpaired() (n int) {
	for _, paired := range c.paired {
		if !paired && c.host != nil {
			n++
		}
	}
	return n
}

// find returns the place of the end, -1 if it is not there.
func (c *Capture) find(host *model.Teardown) int {
	const most = 64 // candidates: a file made to collide must not cost more
	p := host.TCP.Fingerprint
	if p != 0 {
		for _, at := range c.prints[p][:min(len(c.prints[p]), most)] {
			e := &c.ends[at]
			if tupleOf(e) == tupleOf(host) || e.Network.Local.Port != host.Network.Peer.Port && e.TCP.Role == host.TCP.Role {
				return at
			}
		}
	}
	best := -1
	list := c.byTime(tupleOf(host))
	from, _ := slices.BinarySearchFunc(list, host.Time, func(at int, to model.Time) int { return cmp.Compare(c.ends[at].Time, to) })
	for _, at := range list[max(from-most/2, 0):min(from+most/2, len(list))] {
		e := &c.ends[at]
		if p != 0 && e.TCP.Fingerprint != 0 || distance(e, host) > apart {
			continue // of another connection
		}
		if best < 0 || distance(e, host) < distance(&c.ends[best], host) {
			best = at
		}
	}
	return best
}

func (c *Capture) byTime(of tuple) []int {
	if !c.sorted {
		for _, list := range c.tuples {
			slices.SortStableFunc(list, func(a, b int) int { return cmp.Compare(c.ends[a].Time, c.ends[b].Time) })
		}
		c.sorted = true
	}
	return c.tuples[of]
}

func distance(a, b *model.Teardown) time.Duration {
	d := a.Time.Sub(b.Time)
	return max(d, -d)
}

// Disagree says where the host's story and the wire's do not fit together, nothing if
// they do.
func Disagree(host, wire *model.Teardown) string {
	late := reason(wire, "wire.after-fin-received")
	switch {
	case reset(host) && wire.TCP.RST.Received.Is(false) && reason(wire, "wire.blind-rst-received") > 0:
		return "" // the capture lacks too much to say that it fits
	case reset(host) && wire.TCP.RST.Received.Is(false):
		return "host: reset by the peer; wire: no RST came from the peer: something between the capture and the host sent it, or the capture lost it"
	case reset(host) && wire.Terminator == model.NetworkPath:
		return "host: reset by the peer; wire: " + wire.ConfidenceReason
	case host.TCP.RST.Sent.Is(true) && wire.TCP.RST.Sent.Is(false):
		return "host: it sent a RST; wire: none came from it: something between the host and the capture dropped it, or the capture lost it"
	case timedOut(host) && answered(wire):
		return "host: it heard nothing any more; wire: the peer went on answering: the path from the capture to the host was down"
	case host.Verdict == model.Graceful && wire.Verdict == model.Abortive:
		return fmt.Sprintf("host: graceful; wire: %v, %v", wire.Verdict, wire.Cause)
	case host.Verdict == model.Graceful && late > 0 && host.Closer.Call != model.CallShutdown:
		return fmt.Sprintf("host: graceful; wire: %d bytes came after the FIN", late)
	default:
		return ""
	}
}

func reset(t *model.Teardown) bool {
	return t.Cause == model.CausePeerReset || t.Cause == model.CauseRefused
}

func timedOut(t *model.Teardown) bool {
	switch t.Cause {
	case model.CauseRetransmitTimeout, model.CauseKeepaliveTimeout, model.CauseUserTimeout, model.CauseConnectTimeout, model.CauseZeroWindowTimeout:
		return true
	default:
		return false
	}
}

// answered: the peer spoke until the end.
func answered(wire *model.Teardown) bool {
	return wire.Verdict == model.Graceful || reset(wire)
}

// reason is the number of what a capture saw beyond what is judged: how many bytes came for
// this end after its FIN, how many RSTs that did not fit.
func reason(wire *model.Teardown, name string) uint32 {
	for _, e := range wire.Evidence.Events {
		if e.Provider == name {
			return e.Reason.Or(0)
		}
	}
	return 0
}
