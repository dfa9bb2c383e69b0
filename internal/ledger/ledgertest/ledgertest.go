// Package ledgertest makes recordings of ends that outcomes amend, whose counts
// are known from how they were made and not by counting as the program does.
package ledgertest

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"time"

	"github.com/closetrace/closetrace/model"
)

// State is what an end counts as.
type State struct {
	Verdict  model.Verdict
	Cause    model.Cause
	Lost     uint64
	Inferred bool
}

// end is a connection end: its lines, and what it counts as where only the
// teardown is known, only the outcome, and both.
type end struct {
	teardown, outcome  int // -1 is none
	first, alone, both State
	retracted          bool
	process, peer      string
}

// Recording is a sequence of records, the first of which is a start. It has no stop.
type Recording struct {
	Records []model.Record
	Lost    uint64 // events, by all loss lines
	ends    []end
}

// Counts is what is true of some lines of a recording.
type Counts struct {
	Ends, Lost, Lossy, Inferred, Retracted uint64
	Verdicts, Causes                       map[string]uint64
	Processes, Peers                       map[string]*Counts // with verdicts, lost and ends only
}

// Count returns what is true of the lines that are kept, by number.
func (r *Recording) Count(kept func(line int) bool) *Counts {
	c := newCounts()
	for i := range r.ends {
		e := &r.ends[i]
		teardown, outcome := kept(e.teardown), e.outcome >= 0 && kept(e.outcome)
		switch {
		case teardown && outcome:
			c.add(e, e.both)
		case teardown:
			c.add(e, e.first)
		case outcome:
			c.add(e, e.alone)
		}
		if outcome && e.retracted {
			c.Retracted++
		}
	}
	return c
}

// All keeps every line.
func All(int) bool { return true }

func newCounts() *Counts {
	return &Counts{
		Verdicts: map[string]uint64{}, Causes: map[string]uint64{},
		Processes: map[string]*Counts{}, Peers: map[string]*Counts{},
	}
}

func (c *Counts) add(e *end, s State) {
	c.one(s)
	for name, m := range map[string]map[string]*Counts{e.process: c.Processes, e.peer: c.Peers} {
		if m[name] == nil {
			m[name] = newCounts()
		}
		m[name].one(s)
	}
}

func (c *Counts) one(s State) {
	c.Ends++
	c.Lost += s.Lost
	c.Verdicts[s.Verdict.String()]++
	c.Causes[s.Cause.String()]++
	if s.Lost > 0 {
		c.Lossy++
	}
	if s.Inferred {
		c.Inferred++
	}
}

// maker makes a recording line by line.
type maker struct {
	*rand.Rand
	Recording
	due map[int][]model.Record // outcomes, by the line that they come after
	of  map[string]int         // the end of each ID
}

// Make returns a recording of n ends.
func Make(seed uint64, n int) *Recording {
	m := maker{rand.New(rand.NewPCG(seed, seed)), Recording{}, map[int][]model.Record{}, map[string]int{}} // #nosec G404 -- a test
	start := model.Record{Kind: model.KindStart}
	start.Start = model.Start{Time: m.now(), Backend: "tracepoint", Host: model.Host{Name: "made"}}
	m.Records = append(m.Records, start)
	for i := range n {
		m.end(i)
		if m.IntN(200) == 0 {
			count := 1 + m.Uint64N(9)
			m.Lost += count
			m.Records = append(m.Records, model.Record{Kind: model.KindLoss, Loss: model.Loss{Time: m.now(), Count: count, Where: "ring-buffer"}})
		}
		m.outcomes(i)
	}
	for i := n; len(m.due) > 0; i++ {
		m.outcomes(i)
	}
	return &m.Recording
}

// now is a millisecond after the line before.
func (m *maker) now() model.Time {
	return model.Time(1795195380123456789).Add(time.Duration(len(m.Records)) * time.Millisecond)
}

func (m *maker) outcomes(after int) {
	for _, r := range m.due[after] {
		m.ends[m.of[r.Teardown.ID]].outcome = len(m.Records)
		r.Teardown.Time = m.now()
		m.Records = append(m.Records, r)
	}
	delete(m.due, after)
}

// end makes a teardown, and perhaps an outcome some lines later.
func (m *maker) end(i int) {
	id := fmt.Sprintf("made-%x", i+1)
	e := end{teardown: len(m.Records), outcome: -1, process: []string{"nginx", "gunicorn", "redis-server", "curl"}[m.IntN(4)]}
	peer := netip.AddrFrom4([4]byte{10, 0, 0, byte(1 + m.IntN(5))})
	e.peer = peer.String()
	lost := m.Uint64N(100_000) * m.Uint64N(2)
	expired := State{model.LingerTimeout, model.CauseLingerExpired, lost, false}
	guessed := expired
	guessed.Inferred = true
	var o State
	switch m.IntN(10) {
	case 0: // a reset from TIME_WAIT
		e.first = State{model.Graceful, model.CauseFIN, 0, m.IntN(2) == 0}
		o = State{model.Abortive, model.CauseDataAfterClose, 0, false}
		e.both = o
	case 1: // the timer was wrong
		e.first, o, e.retracted = guessed, State{model.Graceful, model.CauseFIN, 0, false}, true
		e.both = o
	case 2: // everything arrived after close() had given up
		e.first, o = expired, State{model.Graceful, model.CauseFIN, 0, false}
		e.both = State{expired.Verdict, expired.Cause, 0, false}
	case 3: // the orphan died
		e.first, o = guessed, State{model.Abortive, model.CauseRetransmitTimeout, lost / 2, false}
		e.both = o
	case 4: // nobody knows what became of it
		e.first, o = expired, State{model.VerdictUnknown, model.CauseUnknown, lost, true}
		e.both = expired
	case 5:
		e.first = expired
	case 6:
		e.first = State{model.Abortive, []model.Cause{model.CausePeerReset, model.CauseUnreadData}[m.IntN(2)], lost, m.IntN(3) == 0}
	case 7:
		e.first = State{model.FailedOpen, model.CauseRefused, 0, false}
	default:
		e.first = State{model.Graceful, model.CauseFIN, 0, m.IntN(4) == 0}
	}
	e.alone = o
	m.of[id] = len(m.ends)
	m.ends = append(m.ends, e)
	m.Records = append(m.Records, m.record(model.KindTeardown, id, &e, e.first, peer))
	if o != (State{}) {
		r := m.record(model.KindOutcome, id, &e, o, peer)
		r.Retracts = e.retracted
		at := i + m.IntN(300)
		m.due[at] = append(m.due[at], r)
	}
}

func (m *maker) record(kind model.Kind, id string, e *end, s State, peer netip.Addr) model.Record {
	r := model.Record{Kind: kind}
	t := &r.Teardown
	t.ID, t.Time = id, m.now()
	t.Verdict, t.Cause, t.Confidence, t.Rule = s.Verdict, s.Cause, model.Certain, "made"
	t.Initiator, t.Terminator = model.InitiatorLocal, model.LocalApp
	if s.Inferred {
		t.Confidence, t.ConfidenceReason = model.Inferred, "made so"
	}
	t.Process = model.Process{PID: 100, Name: e.process, Source: model.OwnerAccept}
	t.Network.Local = model.Endpoint{Address: netip.MustParseAddr("10.0.0.250"), Port: 8000}
	t.Network.Peer = model.Endpoint{Address: peer, Port: 40000}
	t.TCP.Role = model.Passive
	unread := m.Uint64N(s.Lost + 1)
	t.TCP.Bytes.Unread, t.TCP.Bytes.Unacked = model.Some(unread), model.Some(s.Lost-unread)
	return r
}
