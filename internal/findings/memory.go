package findings

import (
	"net/netip"
	"time"

	"github.com/closetrace/closetrace/model"
)

// refusals are the last attempts that failed, so that a proxy's refused
// backend is found when it gives up its client. The engine's troubles are connections of a
// client that ended badly.
type refusals struct {
	list [64]refusal
	at   int
}

type refusal struct {
	pid         int
	began, time model.Time
	said, heard model.Time // when data was last sent, and received
	peer        netip.AddrPort
	id          string
}

func (r *refusals) add(x *end) {
	r.list[r.at] = refusal{x.pid, x.time.Add(-max(x.duration, 0)), x.time, x.lastSent, x.lastReceived, x.peer, x.id}
	r.at = (r.at + 1) % len(r.list)
}

// during returns an attempt of the process that failed while x was open, at most
// so long before its end.
func (r *refusals) during(x *end, before time.Duration) *refusal {
	for i := range r.list {
		if f := &r.list[i]; f.during(x, before) {
			return f
		}
	}
	return nil
}

func (f *refusal) during(x *end, before time.Duration) bool {
	return x.pid != 0 && f.pid == x.pid && f.time <= x.time && f.time >= x.began && x.time.Sub(f.time) < before
}

// forClient returns an attempt of the process that failed at most a second before the end of x, if
// it or an earlier one, to this or another back end, was made for x: it began soon after x was accepted, or
// after its last words. If attempts come at regular times, as a health check's do, that is at once.
func (r *refusals) forClient(x *end) *refusal {
	for i := range r.list {
		last := &r.list[i]
		if !last.during(x, time.Second) {
			continue
		}
		for j := range r.list {
			f := &r.list[j]
			soon := time.Second
			if r.regular(f) {
				soon = justNow
			}
			if f.pid == last.pid && f.time <= last.time && (f.follows(x.began, soon) || f.follows(x.lastReceived, soon)) {
				return last
			}
		}
	}
	return nil
}

// follows: the attempt began soon after at; the clocks of what is compared are jiffies.
func (f *refusal) follows(at model.Time, soon time.Duration) bool {
	after := f.began.Sub(at)
	return at != 0 && after > -justNow && after <= soon
}

// carried: that connection was made for x, or what went through one of them went through the other,
// as far as that is known.
func (f *refusal) carried(x *end) bool {
	together := func(from, to model.Time) bool {
		return from != 0 && to.Sub(from) > -justNow && to.Sub(from) <= time.Second
	}
	return f.follows(x.began, time.Second) || together(x.lastReceived, f.said) || together(f.heard, x.lastSent) ||
		f.said == 0 && f.heard == 0 && x.lastReceived == 0 && x.lastSent == 0
}

// carried returns one that ended a moment before x, and was made for it or passed its data on.
func (r *refusals) carried(x *end) *refusal {
	for i := range r.list {
		if f := &r.list[i]; f.during(x, justNow) && f.carried(x) {
			return f
		}
	}
	return nil
}

// regular reports whether the process was refused there at regular times.
func (r *refusals) regular(like *refusal) bool {
	var before *refusal
	var every rhythm
	var n uint64
	for i := range r.list {
		f := &r.list[(r.at+i)%len(r.list)]
		if f.pid != like.pid || f.peer != like.peer {
			continue
		}
		if before != nil {
			every.add(f.time.Sub(before.time))
			n++
		}
		before = f
	}
	return every.steady(n)
}

// unheard are addresses of this host at which its kernel found no listener.
type unheard map[netip.AddrPort]struct{}

const maxUnheard = 256

func (u *unheard) add(a netip.AddrPort) {
	if *u == nil {
		*u = unheard{}
	}
	if len(*u) < maxUnheard {
		(*u)[a] = struct{}{}
	}
}

func (u unheard) has(a netip.AddrPort) bool { _, ok := u[a]; return ok }

// addresses are those of this host, as far as its connections show.
type addresses map[netip.Addr]struct{}

const maxAddresses = 256

func (a addresses) add(local netip.Addr) {
	if len(a) < maxAddresses {
		a[local] = struct{}{}
	}
}

func (a addresses) has(peer netip.Addr) bool {
	_, ok := a[peer]
	return ok || peer.IsLoopback()
}

// moments finds bursts: many ends at one time that nothing else explains.
type moments struct {
	buckets [8]moment
	worst   [maxMoments]moment // the largest, one for each network and cause
}

const (
	maxMoments = 8
	// slice is how wide a bucket is; a burst lies in one or in two neighbours.
	slice = 100 * time.Millisecond
	// crowd is how many make a burst.
	crowd = 10
)

type moment struct {
	at      model.Time // the beginning of the slice
	cause   model.Cause
	network netip.Prefix
	port    uint16
	n       uint64
	first   model.Time
	last    model.Time
	ids     []string
	process string
	peer    netip.Addr // if they had one
	weak    uint64     // how many a weak pattern has
	atFirst uint64     // how many were reset before the peer had said anything
	oldest  model.Time // when the first of those that clients elsewhere reset had come
	opened  uint64     // how many had come within a second of it, and were not idle
}

// add counts an end that no pattern took. Graceful ends at one time are a pool being
// closed.
func (m *moments) add(x *end) bool {
	if x.verdict == model.Graceful || x.verdict == model.FailedOpen || x.verdict == model.VerdictUnknown {
		return false
	}
	at := x.time - x.time%model.Time(slice)
	network := networkOf(x.peer.Addr())
	free := 0
	for i := range m.buckets {
		b := &m.buckets[i]
		if (b.at == at || b.at+model.Time(slice) == at) && b.cause == x.cause && b.network == network && x.time.Sub(b.first) <= slice {
			if x.began > b.first {
				return false // it was not open when the others ended: one after the other is no moment
			}
			b.count(x)
			if b.n >= crowd {
				m.keep(b)
			}
			return true
		}
		if m.buckets[i].at < m.buckets[free].at {
			free = i
		}
	}
	m.buckets[free] = moment{at: at, cause: x.cause, network: network, first: x.time, port: x.port(), process: x.process, peer: x.peer.Addr()}
	m.buckets[free].count(x)
	return true
}

func (m *moment) count(x *end) {
	m.n++
	m.last = max(m.last, x.time)
	if len(m.ids) < maxEvidence {
		m.ids = append(m.ids, x.id)
	}
	if m.process != x.process {
		m.process = ""
	}
	if m.port != x.port() {
		m.port = 0
	}
	if m.peer != x.peer.Addr() {
		m.peer = netip.Addr{}
	}
	if x.atFirst() {
		m.atFirst++
	}
	if x.passive() && x.cause == model.CausePeerReset && x.began != 0 && x.idle < time.Second { // a pool has idle ones
		switch later := x.began.Sub(m.oldest); {
		case m.oldest == 0, later < -time.Second:
			m.oldest, m.opened = x.began, 1
		case later <= time.Second:
			m.opened++
		}
	}
	if x.weak {
		m.weak++
	}
}

// keep remembers the largest bursts.
func (m *moments) keep(b *moment) {
	least := 0
	for i := range m.worst {
		w := &m.worst[i]
		if w.first == b.first && w.cause == b.cause && w.network == b.network {
			*w = *b
			return
		}
		if w.n < m.worst[least].n {
			least = i
		}
	}
	if m.worst[least].n < b.n {
		m.worst[least] = *b
	}
}

// networkOf returns the /24 or /64 of an address.
func networkOf(a netip.Addr) netip.Prefix {
	bits := 24
	if a.Is6() {
		bits = 64
	}
	p, err := a.WithZone("").Prefix(bits)
	if err != nil {
		return netip.Prefix{}
	}
	return p
}

// service is who listens where.
type service struct {
	netns uint32
	port  uint16
}

// anywhere is no network namespace: each has listeners of its own at the same ports.
const anywhere = ^uint32(0)

// maxServices bounds the names of servers, maxNames the counts of processes.
const (
	maxServices = 512
	maxNames    = 1024
)

type names map[string]uint64

// know learns from x what later findings need.
func (e *Engine) know(x *end) {
	if x.later {
		return
	}
	if n, known := e.processes[x.process]; known || len(e.processes) < maxNames {
		e.processes[x.process] = n + 1
	}
	if x.role == model.Passive && x.process != "" {
		s := service{x.netns, x.local.Port()}
		if e.services[s] == nil && len(e.services) < maxServices {
			e.services[s] = &server{process: x.process}
		}
		if server := e.services[s]; server != nil {
			server.add(x)
		}
	}
	e.displace(x)
	e.dials.add(x)
	e.addresses.add(x.local.Addr())
	if x.timeWait {
		e.timeWaits.add(x.process, x.time)
	}
	if len(e.tries) > 0 && !x.passive() && x.established {
		e.tries.answered(x)
	}
	switch {
	case x.verdict == model.FailedOpen:
		if x.cause != model.CauseConnectCancelled || x.retransmits != 0 || x.duration >= 200*time.Millisecond { // else it took another address
			e.refusals.add(x)
		}
	case !x.passive() && (x.cause == model.CausePeerReset || pathDeath.has(x.cause)) && x.spoke():
		e.troubles.add(x)
	}
}
