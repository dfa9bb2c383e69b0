package findings

import (
	"fmt"
	"strings"

	"github.com/closetrace/closetrace/internal/human"
	"github.com/closetrace/closetrace/model"
)

// What is said of connections that were closed because they were idle.

func sayIdleReset(_ *Engine, g *group, f *Finding) bool {
	idle, _ := g.values.mode()
	f.Numbers["idle_ns"] = int64(idle)
	if g.echoes > 0 {
		f.Filter = strings.Replace(f.Filter, idleTerm, ` && (tcp.idle_ns >= 1000000000 || tcp.last_speaker == "local")`, 1)
	}
	f.Title = fmt.Sprintf("%s resets connections that were idle for %s%s: %s so far; %s finds out at its next request.",
		g.who(), human.Duration(idle), hint(idle, g.key.process, g.key.port), plural(g.count, "connection", "connections"), g.whom())
	switch {
	case g.echoes == g.count:
		f.Confidence = model.Inferred
		f.Title = fmt.Sprintf("%s reset %s of %s on which nothing had come for %s.", g.who(), plural(g.count, "connection", "connections"), g.whom(), human.Duration(idle))
		if g.count > 1 && g.atOnce() && g.idle.max > g.idle.min*11/10 {
			f.Title = fmt.Sprintf("%s reset %s of %s %s; nothing had come on them for %s to %s.", g.who(), plural(g.count, "connection", "connections"), g.whom(), g.atMoments(), human.Duration(g.idle.min), human.Duration(g.idle.max))
			f.Advice = "The broker was stopped, or somebody ended them all: missed heartbeats would end each after the same time. Its log says which."
			return true
		}
		f.Advice = "The broker missed the client's heartbeats: the client hangs (a blocked event loop, a long collection of garbage, SIGSTOP), or is cut off. Look at what it did before; a longer heartbeat only hides it."
		return true
	case 2*g.asked > g.count && !mayNeedNone(g.key.port):
		f.Confidence = model.Inferred
		f.Title = fmt.Sprintf("%s reset %s of %s %s after the client's last words, without an answer.", g.who(), plural(g.count, "connection", "connections"), g.whom(), human.Duration(idle))
		f.Advice = "It ends what waits for an answer: is that an idle timeout shorter than what is behind it takes (stunnel TIMEOUTidle, HAProxy timeout server)? Make the answer faster, or the timeout longer. If the client's last words needed no answer, it finds out at its next request." + g.setBy()
		return true
	case g.bytes > 0:
		if 2*g.asked > g.count {
			f.Advice += " On most the client had spoken last: if that was a request, it waited for the answer."
		}
		f.Advice += g.setBy()
		return true
	}
	f.Title = fmt.Sprintf("%s resets connections on which the client has said nothing for %s: %s so far.", g.who(), human.Duration(idle), plural(g.count, "one", ""))
	f.Advice = fmt.Sprintf("It waits no longer%s for the first message. Who connects without one: a probe of the port, a client that opens connections in advance, or one that hangs before it logs in?", bracket(knobsOf(g.key.process).first))
	return true
}

func sayIdleTimeout(e *Engine, g *group, f *Finding) bool { return e.sayIdle(g, f, g.who()) }

func sayPeerIdleTimeout(e *Engine, g *group, f *Finding) bool {
	return e.sayIdle(g, f, fmt.Sprintf("%s (port %d)", g.peerName(), g.key.port))
}

// idleTerm is that of the table, which a finding makes exact.
const idleTerm = " && tcp.idle_ns >= 1000000000"

func (e *Engine) sayIdle(g *group, f *Finding, closer string) bool {
	idle, n, constant := g.values.usual(g.count)
	if !constant {
		return false
	}
	together := g.atOnce() && (len(g.pids) <= 1 || g.key.peer.IsValid()) // as one program does that closes all it has
	if together && (!g.key.passive && !g.key.peer.IsValid() || e.replaced(g, g.closed[1]) || g.oddTime()) {
		return false // a client that needs its pool no longer, or a restart
	}
	f.Count = n
	f.Numbers["idle_ns"] = int64(idle)
	within := ` && tcp.last_speaker == "local" && duration_ns >= 1000000000`
	if !g.gaps {
		from, to := g.values.bounds()
		within = fmt.Sprintf(" && tcp.idle_ns >= %d && tcp.idle_ns < %d", from, to)
	}
	f.Filter = strings.Replace(f.Filter, idleTerm, within, 1)
	when := "that were idle for " + human.Duration(idle)
	if g.gaps {
		when = "with a farewell when the last message is " + human.Duration(idle) + " old"
	}
	if g.neverAsked() {
		when = "on which nothing had come for " + human.Duration(idle)
	}
	f.Title = fmt.Sprintf("%s closes connections %s%s: %s so far.", closer, when, hint(idle, knownCloser(g), g.key.port), plural(n, "one", ""))
	f.Advice = fmt.Sprintf("Harmless as long as the other side gives up idle connections within %s; if it does not, its requests will be reset (keepalive-race).%s", human.Duration(idle), g.setBy())
	if o := g.raced; o != nil && g.key.passive && o.values.near(idle) { // that it closed them was known before
		f.Advice = fmt.Sprintf("The other side does not always give up idle connections within %s: %s came too late, as another finding says.%s", human.Duration(idle), o.late(), g.setBy())
	}
	displaced := e.displaced(g)
	switch {
	case g.neverAsked():
		f.Advice = "Its clients connect and say nothing: they hang, only look whether it is there, or open connections before they need them." + g.setBy()
	case displaced != nil && hint(idle, g.key.process, g.key.port) == "":
		f.Harm, f.Confidence, f.Numbers["displaced"] = Medium, model.Inferred, whole(displaced.displacing)
		f.Title = strings.TrimSuffix(f.Title, ".") + fmt.Sprintf("; %d of all %d that it closed ended when it had just accepted another one.", displaced.displacing, displaced.closed)
		f.Advice = fmt.Sprintf("That is no timeout: another client took the place, two with one ID (MQTT) that put each other out, or it makes room for a new one at its limit%s. Give each client an ID of its own, or raise the limit.", bracket(knobsOf(g.key.process).most))
	case together && g.closings.many < 3:
		f.Confidence = model.Inferred
		f.Advice += fmt.Sprintf(" All were closed %s: a reload or restart would explain that too.", g.atMoments())
	}
	g.sayAsked(f)
	return true
}
