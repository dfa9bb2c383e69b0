package findings

import (
	"fmt"
	"strings"
	"time"

	"github.com/closetrace/closetrace/internal/human"
	"github.com/closetrace/closetrace/model"
)

// Connections that a client opens before it needs them, and that their server gives up first.

// unusedFilter selects them; an outcome may not have what was sent.
const unusedFilter = " && !(tcp.bytes.sent > 0 || tcp.bytes.received > 0)"

// unusedRace: a server closed a connection on which nobody had said anything, and the client's first request
// met the closed socket.
func unusedRace(m *match) bool {
	x, o := m.end, m.other
	if x.sent != 0 || x.received != 0 || x.unread > 0 || x.began == 0 || !x.established || mute(x) {
		return false
	}
	m.kind, m.idle = neverUsed, x.closing().Sub(x.began)
	if m.idle < time.Second || x.firstFIN == 0 {
		return false
	}
	if x.passive() {
		lost := x.cause == model.CauseDataAfterClose && m.leftBySelf() && (o == nil || o.unacked > 0) && m.lostRequest()
		m.inferred = o == nil // how much came is not known
		return lost
	}
	m.inferred, m.echo = true, perhapsFarewell(x, x.unacked)
	return o == nil && x.cause == model.CausePeerReset && x.finIn && !x.closed() && !x.stray && !x.between && x.rule != "reset-here" &&
		x.retransmits <= 0 && x.unacked > 0 && x.unacked < small && !goodbye(x, x.unacked)
}

// sayUnused is what is said of them.
func (e *Engine) sayUnused(g *group, f *Finding) bool {
	idle, _, constant := g.values.usual(g.count)
	if !constant {
		return false // by chance, or a restart
	}
	closer, sender := g.who(), g.whom()
	if !g.key.passive {
		closer, sender = g.serverPort(), g.who()
	}
	f.Numbers["requests_lost"], f.Numbers["idle_ns"] = whole(g.count), int64(idle)
	f.Filter += unusedFilter
	f.Title = fmt.Sprintf("%s closes connections that were never used after %s, and %s of %s came too late and %s %s.",
		closer, human.Duration(idle), strings.Replace(g.late(), " ", " first ", 1), sender, were(g.count), g.fate())
	f.Advice = fmt.Sprintf("Let %s open connections when it needs them, or give up sooner those that it has not used; or let %s wait longer for a first request%s.",
		sender, closer, bracket(knobsOf(g.serverOf()).first))
	if e.partedAtOnce(g) && !e.goesOn(g) {
		f.Confidence = model.Inferred
		f.Advice += fmt.Sprintf(" All were closed %s: a reload or restart would explain that too.", g.atMoments())
	}
	g.perhapsFarewells(f)
	return true
}
