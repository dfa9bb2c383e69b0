package findings

import (
	"fmt"
	"time"

	"github.com/closetrace/closetrace/internal/human"
	"github.com/closetrace/closetrace/model"
)

// What is said of requests that met a connection which their server had closed.

func sayKeepaliveRace(e *Engine, g *group, f *Finding) bool {
	if g.key.kind == neverUsed {
		return e.sayUnused(g, f)
	}
	if g.atOnce() && (e.replaced(g, g.closed[1]) || g.oddTime()) {
		f.ID = "process-restart"
		if !e.replaced(g, g.closed[1]) {
			f.Confidence = model.Inferred
		}
		return sayRestartRace(e, g, f)
	}
	return e.sayRace(g, f)
}

// sayRace is what is said of single connections.
func (e *Engine) sayRace(g *group, f *Finding) bool {
	f.Numbers["requests_lost"] = whole(g.count)
	closer, sender := g.who(), g.whom()
	if !g.key.passive {
		closer, sender = g.whom(), g.who()
		f.Confidence = model.Inferred
	}
	together := e.partedAtOnce(g)
	after := ""
	if g.idle.n > 0 {
		idle, usual := g.values.mode()
		f.Numbers["idle_ns"] = int64(idle)
		after = " after " + human.Duration(idle) + " of idleness"
		f.Advice = fmt.Sprintf("Make %s give up idle connections sooner than %s%s, or let %s wait longer%s: the side that sends requests must have the shorter time.",
			sender, human.Duration(idle), bracket(knobsOf(g.clientOf()).pool), closer, g.idleSetting(idle))
		if usual*10 < g.idle.n*6 && g.idle.max > g.idle.min*3/2 {
			after = fmt.Sprintf(" after %s to %s of idleness", human.Duration(g.idle.min), human.Duration(g.idle.max))
			f.Numbers["idle_ns"], f.Numbers["longest_ns"] = int64(g.idle.min), int64(g.idle.max)
			f.Advice = g.timesDiffer(closer, sender, together)
		}
		if idle < time.Second && !together {
			f.Advice += fmt.Sprintf(" So short a time is rarely set: is %s short of connections%s?", closer, bracket(knobsOf(g.serverOf()).most))
		}
	}
	all := knobsOf(g.serverOf()).all
	switch {
	case together && !g.key.passive && g.idle.max > g.idle.min*3/2:
		f.Advice = fmt.Sprintf("All were closed %s, whatever their idleness: that is probably a reload, a restart or a stop of %s%s. If not: %s", g.atMoments(), closer, orBy(all), f.Advice)
	case together:
		f.Advice += fmt.Sprintf(" All were closed %s: a reload or restart of %s%s would explain that too.", g.atMoments(), closer, orBy(all))
	}
	f.Title = fmt.Sprintf("%s closes connections%s, and %s of %s came too late and %s %s.",
		closer, after, g.late(), sender, were(g.count), g.fate())
	g.perhapsFarewells(f)
	return true
}

// timesDiffer is the advice if there is no usual idle time.
func (g *group) timesDiffer(closer, sender string, together bool) string {
	k := knobsOf(g.serverOf())
	otherwise := fmt.Sprintf("%s closes idle connections when it runs short of connections%s, or at a limit of requests or age. Raise that limit, let %s try again on a new connection, or keep fewer idle ones.",
		closer, bracket(k.most), sender)
	if together || !g.nowAndThen() {
		return "The times differ, so it is not a plain timeout: " + otherwise
	}
	timeout := fmt.Sprintf("a timeout of about %s%s at which %s looks only now and then, so that it closes up to as much later: make %s give up idle connections sooner than that",
		human.Duration(g.idle.min), bracket(k.idle), closer, sender)
	if k.idle != "" {
		return fmt.Sprintf("The times differ by no more than the double: that is probably %s. Or it runs short of connections%s.", timeout, bracket(k.most))
	}
	return fmt.Sprintf("The times differ by no more than the double: that may be %s. Or %s", timeout, otherwise)
}

// nowAndThen: the idle times are those of a server that looks for what has been idle too long as often as
// that time passes, as memcached does.
func (g *group) nowAndThen() bool {
	return g.idle.n >= few && g.idle.min >= time.Second-early && g.idle.max <= 2*g.idle.min+late && !knobsOf(g.serverOf()).exact
}

// late is what came too late.
func (g *group) late() string {
	if g.echoes == g.count {
		return plural(g.count, "request or farewell", "requests or farewells")
	}
	return plural(g.count, "request", "requests")
}

// perhapsFarewells lowers f if all that came too late has the size of a farewell, or came from clients elsewhere
// whose protocol has one.
func (g *group) perhapsFarewells(f *Finding) {
	if left := g.count - g.echoes; g.echoes > 0 && (left <= 1 || left*20 <= g.count) { // one may be like a request by chance
		f.Harm, f.Confidence = min(f.Harm, Medium), model.Inferred
		f.Advice += " If it was a farewell (a TLS close_notify, LDAP's unbind, QUIT), nothing was lost."
	}
}

// idleSetting names the server's setting of an idle time, and whether it is the default.
func (g *group) idleSetting(idle time.Duration) string {
	knob := knobsOf(g.serverOf()).idle
	if knob == "" {
		return hint(idle, g.serverOf(), g.key.port)
	}
	if hint(idle, g.serverOf(), g.key.port) != "" {
		knob += "; its default"
	}
	return " (" + knob + ")"
}

// orBy adds what else closes all connections of a program at once.
func orBy(how string) string {
	if how == "" {
		return ""
	}
	return ", or " + how
}

// atOnce: they began to end at one moment, or some at one and the rest at others.
func (g *group) atOnce() bool { return g.closings.in == g.count }

// atMoments says how many moments.
func (g *group) atMoments() string {
	if g.closings.many > 1 {
		return fmt.Sprintf("at %d moments", g.closings.many)
	}
	return "at one moment"
}

const (
	// grid is what timeouts are multiples of, late how much later than that a timer of
	// a connection may close it on a busy machine, early how much sooner, by the clock's jiffies.
	grid  = 500 * time.Millisecond
	late  = 100 * time.Millisecond
	early = 20 * time.Millisecond
)

// oddTime: the server has an exact timer for each connection, and all had been idle for
// one time that nobody sets.
func (g *group) oddTime() bool {
	over := g.idle.min % grid
	return g.key.passive && knobsOf(g.key.process).exact && g.idle.n == g.count && over > late && over < grid-early
}

// sayRestartRace: requests met the closed connections of a server that went.
func sayRestartRace(e *Engine, g *group, f *Finding) bool {
	k := knobsOf(g.key.process)
	lives := g.signal() == "" && e.goesOn(g)
	if lives && k.all == "" {
		f.ID = "keepalive-race"
		return e.sayRace(g, f)
	}
	f.Numbers["requests_lost"] = whole(g.count)
	how := "closed all that was idle " + g.atMoments()
	f.Advice = fmt.Sprintf("This is not a timeout but a reload, a restart or a scale-down of %s%s", g.who(), orBy(k.all))
	if signal := g.signal(); signal != "" {
		how = "was told to end by " + signal + g.sender() + " and closed its connections"
		f.Advice = fmt.Sprintf("This is not a timeout: %s was told to end, by a reload, a restart, a scale-down%s", g.who(), orBy(k.all))
	} else if lives {
		f.Advice = fmt.Sprintf("This is not a timeout, and no restart, as it has accepted others since: %s, or it ran short of connections%s", k.all, bracket(k.most))
	}
	if g.signal() == "" && g.idle.max-g.idle.min >= time.Second {
		how += fmt.Sprintf(", after %s to %s of idleness", human.Duration(g.idle.min), human.Duration(g.idle.max))
	}
	f.Title = fmt.Sprintf("%s %s, and %s of %s came too late and %s %s.", g.who(), how,
		g.late(), g.whom(), were(g.count), g.fate())
	f.Advice += fmt.Sprintf(". Let it announce the end to its clients first (Connection: close, GOAWAY), take it out of the load balancer before, and let %s try again on a new connection.", g.whom())
	if g.signal() == "" && g.count == 1 { // one request proves no restart
		f.Harm, f.Confidence = min(f.Harm, Medium), model.Inferred
	}
	g.perhapsFarewells(f)
	return true
}
