package summary

import (
	"net/netip"
	"strings"
	"time"

	"github.com/closetrace/closetrace/internal/ledger"
	"github.com/closetrace/closetrace/model"
)

// kept is how many processes, peers and pairs are kept: enough that the first
// screens are right, and a few hundred kilobytes.
const kept = 1024

// Tally is what was counted for one thing.
type Tally struct {
	Verdicts [model.NumVerdicts]uint64
	// Aborts are the abortive ones, by who did it.
	Aborts [model.NumDoers]uint64
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

func (t *Tally) add(e *counted) {
	t.Verdicts[e.verdict]++
	if e.verdict == model.Abortive {
		t.Aborts[e.doer]++
	}
	t.Lost += e.lost()
	t.Moved += e.moved()
}

// take is the opposite of add. The tally of a name that had to make room and came
// back may have less than that.
func (t *Tally) take(e *counted) {
	take(&t.Verdicts[e.verdict], 1)
	if e.verdict == model.Abortive {
		take(&t.Aborts[e.doer], 1)
	}
	take(&t.Lost, e.lost())
	take(&t.Moved, e.moved())
}

func take[T uint32 | uint64](from *T, n T) { *from -= min(n, *from) }

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
	Chosen      string      // what was chosen of them, in words; "" is all
	Live        bool        // a trace that may still run: it need not have one
	Total       Tally
	closings    map[string]uint64 // ends by how they were closed, see closing
	Causes      [model.NumCauses]Tally
	// Retracted counts linger timeouts that a later outcome took back, Amended the
	// ends that another outcome overruled, Later all but retracting outcomes by
	// their cause. All other counts have each end once, as its
	// outcome has left it.
	Retracted uint64
	Amended   uint64
	Later     [model.NumCauses]uint64
	// CloseFailed counts closes that tore nothing down.
	CloseFailed uint64
	// Lossy counts connection ends that lost bytes.
	Lossy uint64
	// Lost is what was lost, by what it cost. Events has the same by the place where;
	// Unlisted are those that only the stop lines count.
	Lost     model.Losses
	Events   map[string]uint64
	Unlisted uint64
	Inferred uint64
	// OnlyCounted are ends without a line, which the kernel has only counted.
	OnlyCounted int64
	// ClockSet counts steps of the wall clock; Slept is how long the machine was suspended.
	ClockSet uint64
	Slept    time.Duration

	Duration, Blocked Histogram
	Timeline          Timeline

	processes *topK[string]
	peers     *topK[netip.Addr]
	talks     *topK[Talk] // of abortive teardowns
	whys      *topK[Why]
	ends      ledger.Ledger[counted]
	lossLines model.Losses // since the last stop line
}

// New returns an empty Summary.
func New() *Summary {
	return &Summary{
		Events:    map[string]uint64{},
		closings:  map[string]uint64{},
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
		s.teardown(r)
		s.closing(&r.Teardown)
	case model.KindOutcome:
		s.outcome(r)
	case model.KindCloseFailed:
		s.CloseFailed++
	case model.KindLoss:
		s.loss(&r.Loss)
	case model.KindClock:
		if r.Clock.Step != 0 {
			s.ClockSet++
		}
		s.Slept += r.Clock.Suspended
	case model.KindStart:
		if s.Recordings++; s.Recordings == 1 {
			s.Start = r.Start
		}
		s.lossLines = model.Losses{}
	case model.KindStop:
		s.Stopped++
		s.unlisted(&r.Stop)
	case model.KindCounts:
		s.ordinary(r)
	case model.KindUnknown, model.KindCounters, model.KindTable, model.KindStray:
	}
}

func (s *Summary) teardown(r *model.Record) {
	t := &r.Teardown
	if int(t.Verdict) >= model.NumVerdicts || int(t.Cause) >= model.NumCauses {
		return // of no recording: a name that is not known is read as unknown
	}
	e := countedOf(t)
	s.add(&e)
	s.ends.Add(r, e)
	if d, known := t.Duration.Get(); known {
		s.Duration.Add(d)
	}
}

// outcome counts later evidence: the end is as its outcome leaves it. One whose
// teardown is not known, because a filter dropped it or another file has it, is an
// end of its own.
func (s *Summary) outcome(r *model.Record) {
	t := &r.Teardown
	if int(t.Verdict) >= model.NumVerdicts || int(t.Cause) >= model.NumCauses {
		return
	}
	if r.Retracts {
		s.Retracted++
	} else {
		s.Later[t.Cause]++
	}
	e := s.ends.Of(t.ID)
	if e == nil {
		s.teardown(r)
		return
	}
	if r.Overrules() && !r.Retracts && (e.verdict != t.Verdict || e.cause != t.Cause) {
		s.Amended++
	}
	s.take(e)
	e.amend(r)
	s.add(e)
}

func (s *Summary) add(e *counted) {
	s.Total.add(e)
	s.Causes[e.cause].add(e)
	bucket := s.Timeline.at(e.time)
	bucket.Verdicts[e.verdict]++
	bucket.Lost += e.lost()
	if e.lost() > 0 {
		s.Lossy++
	}
	if e.inferred {
		s.Inferred++
	}
	if e.blocked >= 0 {
		s.Blocked.Add(e.blocked)
	}
	s.processes.add(e.process).add(e)
	s.whys.add(Why{e.process, e.cause}).add(e)
	s.peers.add(e.peer).add(e)
	if e.aborted() {
		s.talks.add(e.talk()).add(e)
	}
}

// take is the opposite of add.
func (s *Summary) take(e *counted) {
	s.Total.take(e)
	s.Causes[e.cause].take(e)
	bucket := s.Timeline.at(e.time)
	take(&bucket.Verdicts[e.verdict], 1)
	take(&bucket.Lost, e.lost())
	if e.lost() > 0 {
		s.Lossy--
	}
	if e.inferred {
		s.Inferred--
	}
	if e.blocked >= 0 {
		s.Blocked.take(e.blocked)
	}
	s.processes.take(e.process, e)
	s.whys.take(Why{e.process, e.cause}, e)
	s.peers.take(e.peer, e)
	if e.aborted() {
		s.talks.take(e.talk(), e)
	}
}

func (s *Summary) loss(l *model.Loss) {
	where := short(l.Where)
	if _, known := s.Events[where]; !known && len(s.Events) >= 16 {
		where = "elsewhere" // a hostile file must not fill the memory
	}
	s.Events[where] += l.Count
	s.Lost.Add(l)
	s.lossLines.Add(l)
}

// unlisted counts what the stop line has beyond the lines of losses before it.
func (s *Summary) unlisted(stop *model.Stop) {
	n := stop.Lost - min(stop.Lost, s.lossLines.Total())
	more := stop.Losses.Beyond(s.lossLines)
	if more.Total() != n { // of a version that did not say what they cost
		more = model.Losses{Events: n}
	}
	s.Unlisted, s.Lost, s.lossLines = s.Unlisted+n, s.Lost.Plus(more), model.Losses{}
}

// Judged returns what was lost of what ends are judged by: no end is missing for it.
func (s *Summary) Judged() model.Losses {
	return model.Losses{Less: s.Lost.Less, Late: s.Lost.Late}
}

// maxName bounds what is kept of a name.
const maxName = 128

func short(name string) string {
	if len(name) > maxName {
		return strings.Clone(strings.ToValidUTF8(name[:maxName], "")) // the rest is not kept
	}
	return name
}
