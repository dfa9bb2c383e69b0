// Package pairs joins the recordings of several hosts: the two ends of a connection
// have the same fingerprint, whatever address translation is between them.
// If one has none (Windows, a connection older than the trace) the addresses join them,
// if they are the same at both ends. It is pure and its memory is bounded.
package pairs

import (
	"cmp"
	"net/netip"
	"slices"
	"time"

	"github.com/closetrace/closetrace/model"
)

// maxEnds bounds the ends that are kept, those that were chosen and the others: about 300
// bytes each.
const maxEnds = 500_000

// apart is how far apart in time two ends without fingerprints may be, clocks included.
const apart = 10 * time.Minute

// End is what one host recorded of a connection.
type End struct {
	File        int // the recording, from 0
	ID          string
	Time        model.Time
	Local, Peer netip.AddrPort
	Process     string
	PID         int
	Verdict     model.Verdict
	Cause       model.Cause
	RSTSent     model.Opt[bool]
	// HitBy is the recording, counted from 1, of a host that reset this end without having
	// the connection; 0 is none.
	HitBy           int
	Unread, Unacked uint64
	fingerprint     model.Fingerprint
	chosen          bool
	captured        bool // by a packet capture, which may have lost segments
}

// Pair is a connection with both its stories.
type Pair struct {
	A, B End
	// Differ says why the stories do not fit together, "" if they do.
	Differ string
}

// Joiner takes the ends of all recordings.
type Joiner struct {
	ends    []End
	byID    map[place]int
	chosen  int          // of ends
	wire    map[int]bool // the recordings that are packet captures
	strays  []stray
	Dropped uint64 // ends for which there was no room
}

// stray is a reset that a host sent for a connection that it does not have.
type stray struct {
	file        int
	time        model.Time
	local, peer netip.AddrPort
}

// maxStrays bounds them.
const maxStrays = 50_000

type place struct {
	file int
	id   string
}

// New returns a Joiner without ends.
func New() *Joiner { return &Joiner{byID: map[place]int{}, wire: map[int]bool{}} }

// Add takes a record of the recording file. Only chosen ends are in the result, with
// their other ends.
func (j *Joiner) Add(file int, r *model.Record, chosen bool) {
	t := &r.Teardown
	at, known := j.byID[place{file, t.ID}]
	switch {
	case r.Kind == model.KindStart:
		j.wire[file] = r.Start.Captured()
	case r.Kind == model.KindStray && r.Stray.Why == model.StrayNotOurs && len(j.strays) < maxStrays:
		j.strays = append(j.strays, stray{file, r.Stray.First, t.Network.Local.AddrPort(), t.Network.Peer.AddrPort()})
	case r.Kind == model.KindOutcome && known:
		e := &j.ends[at]
		e.chosen = e.chosen || chosen
		if r.Overrules() {
			e.Verdict, e.Cause = t.Verdict, t.Cause
		}
		if t.TCP.RST.Sent.Known() {
			e.RSTSent = t.TCP.RST.Sent
		}
		e.Unread, e.Unacked = t.TCP.Bytes.Unread.Or(e.Unread), t.TCP.Bytes.Unacked.Or(e.Unacked)
	case r.Kind != model.KindTeardown && r.Kind != model.KindOutcome: // whose teardown is not there is an end of its own
	case chosen && j.chosen >= maxEnds, !chosen && len(j.ends)-j.chosen >= maxEnds: // one can't push out the other
		if r.Kind == model.KindTeardown {
			j.Dropped++
		}
	default:
		if chosen {
			j.chosen++
		}
		j.byID[place{file, t.ID}] = len(j.ends)
		j.ends = append(j.ends, End{
			File: file, ID: t.ID, Time: t.Time, Local: t.Network.Local.AddrPort(), Peer: t.Network.Peer.AddrPort(),
			Process: t.Process.Name, PID: t.Process.PID, Verdict: t.Verdict, Cause: t.Cause, RSTSent: t.TCP.RST.Sent,
			Unread: t.TCP.Bytes.Unread.Or(0), Unacked: t.TCP.Bytes.Unacked.Or(0), fingerprint: t.TCP.Fingerprint, chosen: chosen, captured: j.wire[file],
		})
	}
}

// Result is what the recordings show together.
type Result struct {
	// Pairs are the joined connections, those whose stories differ first.
	Pairs []Pair
	// Alone are ends that were not graceful and have no other end in any recording. An end
	// that two recordings have is not alone in the second.
	Alone []End
	// Offsets are how far the clock of each recording is ahead of the first one's, by the
	// median over the pairs with it; unknown without any.
	Offsets []model.Opt[time.Duration]
}

// Join joins what was added, of so many recordings.
func (j *Joiner) Join(files int) *Result {
	r := &Result{Offsets: make([]model.Opt[time.Duration], files)}
	byTime := j.byTime()
	j.hit(byTime)
	prints, tuples := map[model.Fingerprint][]int{}, map[[2]netip.AddrPort][]int{}
	for _, i := range byTime {
		e := &j.ends[i]
		if e.fingerprint != 0 {
			prints[e.fingerprint] = append(prints[e.fingerprint], i)
		}
		tuples[[2]netip.AddrPort{e.Local, e.Peer}] = append(tuples[[2]netip.AddrPort{e.Local, e.Peer}], i)
	}
	paired := make([]bool, len(j.ends))
	join := func(i int, candidates []int, elsewhere bool) {
		if o := j.other(i, candidates, paired, elsewhere); o >= 0 {
			paired[i], paired[o] = true, true
			r.Pairs = append(r.Pairs, Pair{j.ends[i], j.ends[o], differ(&j.ends[i], &j.ends[o])})
		}
	}
	for _, elsewhere := range []bool{true, false} {
		for i := range j.ends {
			join(i, prints[j.ends[i].fingerprint], elsewhere)
		}
		for i := range j.ends { // of which one or both have no fingerprint
			join(i, tuples[[2]netip.AddrPort{j.ends[i].Peer, j.ends[i].Local}], elsewhere)
		}
	}
	for i := range j.ends {
		e := &j.ends[i]
		again := func(o int) bool { // o is the same end, recorded elsewhere
			x := &j.ends[o]
			return paired[o] && (e.fingerprint != 0 && e.fingerprint == x.fingerprint ||
				(e.fingerprint == 0 || x.fingerprint == 0) && e.File != x.File && !e.Peer.Addr().IsLoopback() && e.Time.Sub(x.Time).Abs() <= apart)
		}
		if !paired[i] && e.chosen && e.Verdict != model.Graceful &&
			!slices.ContainsFunc(j.near(prints[e.fingerprint], e.Time), again) &&
			!slices.ContainsFunc(j.near(tuples[[2]netip.AddrPort{e.Local, e.Peer}], e.Time), again) {
			r.Alone, paired[i] = append(r.Alone, *e), true
		}
	}
	slices.SortStableFunc(r.Pairs, func(a, b Pair) int {
		return cmp.Or(rank(&a)-rank(&b), cmp.Compare(a.A.Time, b.A.Time))
	})
	r.offsets()
	seen := map[connection]bool{}
	r.Pairs = slices.DeleteFunc(r.Pairs, func(p Pair) bool {
		if !p.A.chosen && !p.B.chosen {
			return true
		}
		k := connectionOf(&p)
		again := seen[k]
		seen[k] = true
		return again
	})
	return r
}

// hit marks the ends that a stray reset has ended: the nearest in time with its addresses.
func (j *Joiner) hit(byTime []int) {
	reset := map[[2]netip.AddrPort][]int{}
	for _, i := range byTime {
		if e := &j.ends[i]; e.Cause == model.CausePeerReset {
			reset[[2]netip.AddrPort{e.Local, e.Peer}] = append(reset[[2]netip.AddrPort{e.Local, e.Peer}], i)
		}
	}
	for _, s := range j.strays {
		best, nearest := -1, apart
		for _, i := range j.near(reset[[2]netip.AddrPort{s.peer, s.local}], s.time) {
			if d := j.ends[i].Time.Sub(s.time).Abs(); d <= nearest {
				best, nearest = i, d
			}
		}
		if best >= 0 {
			j.ends[best].HitBy = s.file + 1
		}
	}
}

// other returns which of the candidates is the other end of i, -1 if none is: the one
// nearest in time that is not the same end. Those of another recording, elsewhere, come
// first: each of two captures shows both ends.
func (j *Joiner) other(i int, candidates []int, paired []bool, elsewhere bool) int {
	best, e := -1, &j.ends[i]
	if paired[i] {
		return -1
	}
	distance := func(o int) time.Duration { return e.Time.Sub(j.ends[o].Time).Abs() }
	for _, o := range j.near(candidates, e.Time) {
		x := &j.ends[o]
		away := x.File != e.File
		same := !away && x.ID == e.ID || x.Local == e.Local && x.Peer == e.Peer
		if paired[o] || same || elsewhere && !away {
			continue
		}
		switch {
		case e.fingerprint == 0 || x.fingerprint == 0:
			if distance(o) > apart || away && e.Peer.Addr().IsLoopback() {
				continue
			}
		case e.fingerprint != x.fingerprint:
			continue
		}
		if best < 0 || distance(o) < distance(best) {
			best = o
		}
	}
	return best
}

// byTime returns the places of all ends in the order of time.
func (j *Joiner) byTime() []int {
	all := make([]int, len(j.ends))
	for i := range all {
		all[i] = i
	}
	slices.SortStableFunc(all, func(a, b int) int { return cmp.Compare(j.ends[a].Time, j.ends[b].Time) })
	return all
}

// near returns those of the list, which is in the order of time, that are around a time: a
// recording made to collide must not cost more.
func (j *Joiner) near(list []int, at model.Time) []int {
	const most = 64
	i, _ := slices.BinarySearchFunc(list, at, func(o int, at model.Time) int { return cmp.Compare(j.ends[o].Time, at) })
	return list[max(i-most/2, 0):min(i+most/2, len(list))]
}

// connection names that of a pair: each of two captures has both ends, which makes two of
// it. Without a fingerprint it is known by the time of both ends in either.
type connection struct {
	print model.Fingerprint
	ends  [2]netip.AddrPort
	times [2]model.Time
	files [2]int
}

func connectionOf(p *Pair) connection {
	a, b := &p.A, &p.B
	if a.fingerprint != 0 && a.fingerprint == b.fingerprint {
		return connection{print: a.fingerprint}
	}
	if a.File > b.File {
		a, b = b, a
	}
	k := connection{ends: [2]netip.AddrPort{a.Local, a.Peer}, times: [2]model.Time{a.Time, b.Time}, files: [2]int{a.File, b.File}}
	if a.Local.Compare(a.Peer) > 0 {
		k.ends = [2]netip.AddrPort{a.Peer, a.Local}
	}
	return k
}

func rank(p *Pair) int {
	switch {
	case p.Differ != "":
		return 0
	case p.A.Verdict != model.Graceful || p.B.Verdict != model.Graceful:
		return 1
	}
	return 2
}

// differ says why two stories do not fit together.
func differ(a, b *End) string {
	if a.HitBy != 0 || b.HitBy != 0 {
		return "a host without this connection sent the reset: a packet came to it untranslated, or it had forgotten the connection"
	}
	for _, p := range [][2]*End{{a, b}, {b, a}} {
		x, o := p[0], p[1]
		if x.Cause != model.CausePeerReset && x.Cause != model.CauseRefused || !o.RSTSent.Is(false) {
			continue
		}
		if o.Cause == model.CausePeerReset && x.RSTSent.Is(false) {
			return "both were reset, and neither sent it: something between them did" + orLost(a, b)
		}
		if o.Cause == model.CausePeerReset || o.Verdict == model.Graceful || timedOut(o.Cause) {
			return "one was reset, and the other did not send it: something between them did" + orLost(o)
		}
	}
	if timedOut(a.Cause) != timedOut(b.Cause) {
		return "one heard nothing any more, and the other ended otherwise: the path was down"
	}
	return ""
}

// orLost: what a capture does not show may have happened all the same.
func orLost(ends ...*End) string {
	if slices.ContainsFunc(ends, func(e *End) bool { return e.captured }) {
		return ", or the capture lost it"
	}
	return ""
}

func timedOut(c model.Cause) bool {
	return c == model.CauseRetransmitTimeout || c == model.CauseKeepaliveTimeout || c == model.CauseUserTimeout || c == model.CauseConnectTimeout
}

// offsets estimates the clocks: both ends of most connections end within a round trip,
// those that timed out or whose stories differ aside.
func (r *Result) offsets() {
	differences := make([][]time.Duration, len(r.Offsets))
	for i := range r.Pairs {
		a, b := &r.Pairs[i].A, &r.Pairs[i].B
		if r.Pairs[i].Differ != "" || timedOut(a.Cause) || timedOut(b.Cause) {
			continue
		}
		if a.File > b.File {
			a, b = b, a
		}
		if a.File == 0 && b.File > 0 && b.File < len(differences) {
			differences[b.File] = append(differences[b.File], b.Time.Sub(a.Time))
		}
	}
	for i, list := range differences {
		if len(list) > 0 {
			slices.Sort(list)
			r.Offsets[i] = model.Some(list[len(list)/2])
		}
	}
}
