package summary

import (
	"net/netip"
	"strings"

	"github.com/closetrace/closetrace/model"
)

// verdicts and causes are how many names the vocabularies have.
const (
	verdicts = int(model.Silent) + 1
	causes   = int(model.CauseOrphanDropped) + 1
)

// kept is how many processes, peers and pairs are kept: enough that the first
// screens are right, and a few hundred kilobytes.
const kept = 1024

// Tally is what was counted for one thing.
type Tally struct {
	Verdicts [verdicts]uint64
	// Lost is payload that was never acknowledged or never read, in bytes.
	Lost uint64
	// Moved is payload that was sent and acknowledged, or received, in bytes.
	Moved uint64
}

// Total returns the number of teardowns.
func (t *Tally) Total() uint64 {
	var n uint64
	for _, v := range t.Verdicts {
		n += v
	}
	return n
}

// Bad returns the number of teardowns that were not graceful.
func (t *Tally) Bad() uint64 { return t.Total() - t.Verdicts[model.Graceful] }

func (t *Tally) add(end *model.Teardown) {
	t.Verdicts[end.Verdict]++
	t.Lost += end.TCP.Bytes.Lost()
	t.Moved += end.TCP.Bytes.Sent.Or(0) + end.TCP.Bytes.Received.Or(0)
}

// retract moves one teardown from the verdict that was taken back.
func (t *Tally) retract(now model.Verdict) {
	if t.Verdicts[model.LingerTimeout] > 0 {
		t.Verdicts[model.LingerTimeout]--
		t.Verdicts[now]++
	}
}

// Talk is a process and whom it talked to. Port is the peer's of a connection
// that the process opened, and its own of one that it accepted.
type Talk struct {
	Process string
	Peer    netip.Addr
	Port    uint16
	Role    model.Role
}

// Why is a process and the cause of its teardowns.
type Why struct {
	Process string
	Cause   model.Cause
}

// Summary counts records. It is for one goroutine.
type Summary struct {
	First, Last model.Time
	Start       model.Start // of the first recording
	Recordings  int         // start lines
	Stopped     int         // stop lines
	Live        bool        // a trace that may still run: it need not have one
	Total       Tally
	Causes      [causes]Tally
	// Retracted counts linger time-outs that a later outcome took back; the
	// other counts are corrected for them. Later counts the other outcomes by
	// their cause.
	Retracted uint64
	Later     [causes]uint64
	// CloseFailed counts closes that tore nothing down.
	CloseFailed uint64
	// Lossy counts connection ends that lost bytes.
	Lossy uint64
	// Events counts events that were lost, by the place where; Unlisted are
	// those of which only the stop lines tell.
	Events   map[string]uint64
	Unlisted uint64
	Inferred uint64

	Duration, Blocked Histogram
	Timeline          Timeline

	processes *topK[string]
	peers     *topK[netip.Addr]
	talks     *topK[Talk] // of abortive teardowns
	whys      *topK[Why]
	lossLines uint64 // since the last stop line
}

// New returns an empty Summary.
func New() *Summary {
	return &Summary{
		Events:    map[string]uint64{},
		processes: newTopK[string](kept), peers: newTopK[netip.Addr](kept),
		talks: newTopK[Talk](kept), whys: newTopK[Why](kept),
	}
}

// Add counts r.
func (s *Summary) Add(r *model.Record) {
	if when := r.Time(); when != 0 {
		if s.First == 0 || when < s.First {
			s.First = when
		}
		s.Last = max(s.Last, when)
	}
	switch r.Kind {
	case model.KindTeardown:
		s.teardown(&r.Teardown)
	case model.KindOutcome:
		s.outcome(r)
	case model.KindCloseFailed:
		s.CloseFailed++
	case model.KindLoss:
		s.loss(&r.Loss)
	case model.KindStart:
		if s.Recordings++; s.Recordings == 1 {
			s.Start = r.Start
		}
		s.lossLines = 0
	case model.KindStop:
		s.Stopped++
		if r.Stop.Lost > s.lossLines {
			s.Unlisted += r.Stop.Lost - s.lossLines
		}
		s.lossLines = 0
	case model.KindUnknown, model.KindCounters:
	}
}

func (s *Summary) teardown(t *model.Teardown) {
	if int(t.Verdict) >= verdicts || int(t.Cause) >= causes {
		return // of no recording: a name that is not known is read as unknown
	}
	s.Total.add(t)
	s.Causes[t.Cause].add(t)
	bucket := s.Timeline.at(t.Time)
	bucket.Verdicts[t.Verdict]++
	lost := t.TCP.Bytes.Lost()
	bucket.Lost += lost
	if lost > 0 {
		s.Lossy++
	}
	if t.Confidence == model.Inferred {
		s.Inferred++
	}
	if d, known := t.Duration.Get(); known {
		s.Duration.Add(d)
	}
	if d, known := t.CloseBlocked.Get(); known {
		s.Blocked.Add(d)
	}
	name := processName(&t.Process)
	s.processes.add(name).add(t)
	s.whys.add(Why{name, t.Cause}).add(t)
	s.peers.add(t.Network.Peer.Address).add(t)
	if t.Verdict == model.Abortive || t.Verdict == model.LingerTimeout {
		s.talks.add(talkOf(name, t)).add(t)
	}
}

// outcome counts later evidence; where it takes a verdict back, the counts are
// those that the recording would have had.
func (s *Summary) outcome(r *model.Record) {
	t := &r.Teardown
	if int(t.Verdict) >= verdicts || int(t.Cause) >= causes {
		return
	}
	if !r.Retracts {
		s.Later[t.Cause]++
		return
	}
	s.Retracted++
	s.Total.retract(t.Verdict)
	if s.Causes[model.CauseLingerExpired].Verdicts[model.LingerTimeout] > 0 {
		s.Causes[model.CauseLingerExpired].Verdicts[model.LingerTimeout]--
		s.Causes[t.Cause].Verdicts[t.Verdict]++
	}
	name := processName(&t.Process)
	for _, tally := range []*Tally{s.processes.get(name), s.peers.get(t.Network.Peer.Address)} {
		if tally != nil {
			tally.retract(t.Verdict)
		}
	}
	if s.whys.take(Why{name, model.CauseLingerExpired}) {
		s.whys.add(Why{name, t.Cause})
	}
	talk := talkOf(name, t)
	if tally := s.talks.get(talk); tally != nil && tally.Verdicts[model.LingerTimeout] > 0 {
		tally.Verdicts[model.LingerTimeout]--
		if t.Verdict == model.Abortive {
			tally.Verdicts[t.Verdict]++
		} else {
			s.talks.take(talk)
		}
	}
}

func (s *Summary) loss(l *model.Loss) {
	where := short(l.Where)
	if _, known := s.Events[where]; !known && len(s.Events) >= 16 {
		where = "elsewhere" // a hostile file must not fill the memory
	}
	s.Events[where] += l.Count
	s.lossLines += l.Count
}

// LostEvents returns how many events are known to be missing.
func (s *Summary) LostEvents() uint64 {
	n := s.Unlisted
	for _, count := range s.Events {
		n += count
	}
	return n
}

// maxName bounds what is kept of a name.
const maxName = 128

func processName(p *model.Process) string { return short(p.Name) }

func short(name string) string {
	if len(name) > maxName {
		return strings.ToValidUTF8(name[:maxName], "")
	}
	return name
}

func talkOf(name string, t *model.Teardown) Talk {
	talk := Talk{Process: name, Peer: t.Network.Peer.Address, Port: t.Network.Peer.Port, Role: t.TCP.Role}
	if talk.Role == model.RoleUnknown {
		// The end that connected has the ephemeral port, which is the higher one.
		talk.Role = model.Active
		if t.Network.Local.Port < t.Network.Peer.Port {
			talk.Role = model.Passive
		}
	}
	if talk.Role == model.Passive {
		talk.Port = t.Network.Local.Port // the peer's is another one each time
	}
	return talk
}
