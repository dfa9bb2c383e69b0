package tui

import (
	"strings"
	"time"

	"github.com/closetrace/closetrace/internal/safetext"
	"github.com/closetrace/closetrace/model"

	"github.com/closetrace/closetrace/internal/human"
)

// moment is one event of a connection's life. The order of the states between the opening
// and the end is known, but the time of only some.
type moment struct {
	at      model.Time // 0 is not known
	text    string
	waiting time.Duration // close() waits that long from here on
}

// moments returns the life of t from the opening to the end.
func moments(t *model.Teardown) []moment {
	var all []moment
	switch {
	case t.StartTime != 0:
		all = append(all, moment{at: t.StartTime, text: openedWord(t.TCP.Role)})
	case t.TCP.Preexisting:
		all = append(all, moment{text: "opened before the trace began"})
	}
	call, called := closeMoment(t)
	fin := t.Evidence.FirstFIN
	for i, state := range t.TCP.Path.States() {
		m := moment{text: stateWord(state, t.TCP.FIN, i > 0)}
		if m.text == "" {
			continue
		}
		if state == model.FinWait1 || state == model.CloseWait {
			m.at, fin = fin, 0 // whichever came first
		}
		sends := state == model.FinWait1 || state == model.LastAck
		if called && sends && (call.at == 0 || m.at == 0 || call.at <= m.at) {
			all, called = append(all, call), false
		}
		all = append(all, m)
	}
	if called {
		all = append(all, call)
	}
	end := "ended: " + t.Cause.String()
	if t.Verdict == model.LingerTimeout {
		end = "close() stopped waiting: " + t.Cause.String()
	}
	return append(all, moment{at: t.Time, text: end})
}

// closeMoment returns when and how the local end was closed, if it was.
func closeMoment(t *model.Teardown) (moment, bool) {
	m := moment{at: t.Evidence.CloseTime, text: safetext.Escape(t.CloseCall())}
	if m.text == "" && m.at != 0 {
		m.text = "close() called"
	}
	if blocked := t.CloseBlocked.Or(0); blocked > 0 {
		if m.text == "" {
			m.text = "close() called"
		}
		m.text, m.waiting = m.text+", and waited "+human.Duration(blocked)+" for SO_LINGER", blocked
		if m.at == 0 && t.Verdict == model.LingerTimeout {
			m.at = t.Time.Add(-blocked)
		}
	}
	return m, m.text != ""
}

func openedWord(r model.Role) string {
	switch r {
	case model.Active:
		return "connect() called"
	case model.Passive:
		return "opened by the peer" // whether or not it was accepted
	default:
		return "opened"
	}
}

// stateWord says what it means that a state was entered; passed says that the trace did
// not find the connection in it. A state of a closing end says that a call closed it, and
// not that the FIN has left: it may wait behind data. That the kernel keeps TIME_WAIT
// does not prove that the peer's FIN came (tcp_time_wait in FIN_WAIT2).
func stateWord(s model.State, fin model.FIN, passed bool) string {
	sent := func(yes, no, unknown string) string {
		switch left, known := fin.Sent.Get(); {
		case !known:
			return unknown
		case left:
			return yes
		}
		return no
	}
	switch s {
	case model.Established:
		if passed {
			return "established"
		}
	case model.FinWait1:
		return sent("we sent the first FIN (FIN_WAIT1)", "we closed first; our FIN never left (FIN_WAIT1)", "we closed first (FIN_WAIT1)")
	case model.FinWait2:
		return "the peer acknowledged our FIN (FIN_WAIT2)"
	case model.CloseWait:
		return "the peer's FIN came first (CLOSE_WAIT)"
	case model.LastAck:
		return sent("we sent our FIN too (LAST_ACK)", "we closed too; our FIN never left (LAST_ACK)", "we closed too (LAST_ACK)")
	case model.Closing:
		return sent("both FINs crossed (CLOSING)", "the peer's FIN came; ours never left (CLOSING)",
			"the peer's FIN came before ours was acknowledged (CLOSING)")
	case model.TimeWait:
		if fin.Sent.Is(true) && fin.Received.Is(true) {
			return "both FINs were exchanged (TIME_WAIT)"
		}
		return "the kernel kept the addresses in TIME_WAIT"
	default:
	}
	return ""
}

// timeline draws the moments whose time is known on a line, and lists all.
func (s *story) timeline() {
	t := &s.rec.Teardown
	all := moments(t)
	s.heading("TIME LINE")
	if line := s.drawLine(t, all); line != "" {
		s.line("  " + line)
	}
	var before model.Time
	for _, m := range all {
		when, delta := blanks(15), ""
		if m.at != 0 {
			when = clockWord(m.at, s.zone, 6)
			if before != 0 {
				delta = "+" + human.Duration(m.at.Sub(before))
			}
			before = m.at
		}
		s.line("  " + s.pal.faint.Styled(when+" "+right(delta, 8, s.g.dots)) + "  " + m.text)
	}
}

// drawLine returns the life to scale: ●──────●░░░░✗, or "" if less than two
// moments are known.
func (s *story) drawLine(t *model.Teardown, all []moment) string {
	var begin, end model.Time
	for _, m := range all {
		if m.at != 0 && (begin == 0 || m.at < begin) {
			begin = m.at
		}
		end = max(end, m.at)
	}
	width := min(s.width-4-len("1000d00h"), 64)
	if end <= begin || begin == 0 || width < 10 {
		return ""
	}
	cells := make([]string, width)
	for i := range cells {
		cells[i] = s.g.rule
	}
	for _, m := range all {
		if m.waiting > 0 && m.at != 0 {
			until := position(m.at.Add(m.waiting), begin, end, width)
			for i := position(m.at, begin, end, width); i <= until; i++ {
				cells[i] = s.g.waiting
			}
		}
	}
	for _, m := range all {
		if m.at != 0 {
			cells[position(m.at, begin, end, width)] = s.g.mark
		}
	}
	cells[width-1] = s.pal.of(t.Verdict).Styled(s.g.of(t.Verdict))
	return strings.Join(cells, "") + " " + human.Duration(end.Sub(begin))
}

// position returns the column of at, of width columns from begin to end.
func position(at, begin, end model.Time, width int) int {
	part := float64(at.Sub(begin)) / float64(end.Sub(begin))
	return min(max(int(part*float64(width-1)), 0), width-1)
}

// related is what other records say about the same connection.
type related struct {
	outcome  *model.Record // later evidence for the same end
	otherEnd *model.Record // the end of the peer, on this host
}

// otherEndWindow is how far apart the two ends of a connection may be reported: the
// kernel's timers end what one side has left, after minutes.
const otherEndWindow = 5 * time.Minute

// find looks for what is related to the record seq among those that are kept.
func findRelated(d *deck, seq uint64, r *model.Record) related {
	var found related
	reversed := r.Teardown.Network.Reversed()
	known := reversed.Local.Address.IsValid() && reversed.Peer.Address.IsValid()
	nearest := otherEndWindow
	for i := d.journal.first; i < d.journal.next; i++ {
		o := d.journal.at(i)
		switch o.Kind {
		case model.KindOutcome:
			if i != seq && o.Teardown.ID == r.Teardown.ID && r.Kind == model.KindTeardown {
				found.outcome = copyOf(o)
			}
		case model.KindTeardown:
			apart := o.Teardown.Time.Sub(r.Teardown.Time).Abs()
			n := &o.Teardown.Network
			switch {
			case i == seq:
			case r.Teardown.PeerEnd != "" && o.Teardown.ID == r.Teardown.PeerEnd, r.Teardown.ID != "" && o.Teardown.PeerEnd == r.Teardown.ID:
				nearest, found.otherEnd = -1, copyOf(o)
			case known && sameConnection(n, &reversed) && apart <= nearest:
				nearest, found.otherEnd = apart, copyOf(o)
			}
		default:
		}
	}
	return found
}

// sameConnection reports whether an end with n is the one with the reversed
// addresses. Each network namespace has a loopback of its own.
func sameConnection(n, reversed *model.Network) bool {
	if n.Local != reversed.Local || n.Peer != reversed.Peer {
		return false
	}
	return !n.Local.Address.IsLoopback() || n.NetNS == 0 || reversed.NetNS == 0 || n.NetNS == reversed.NetNS
}

func copyOf(r *model.Record) *model.Record {
	c := *r
	return &c
}
