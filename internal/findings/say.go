package findings

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/closetrace/closetrace/internal/human"
	"github.com/closetrace/closetrace/model"
)

// What the patterns say about a group: one sentence with its numbers. A function returns
// false if the group is not a finding.

func (g *group) who() string {
	name := g.program()
	if g.key.port != 0 && g.key.passive {
		if g.key.process == "" {
			return fmt.Sprintf("the server on port %d", g.key.port)
		}
		return fmt.Sprintf("%s (port %d)", name, g.key.port)
	}
	return name
}

// program names the process, or the host if only that is known, as of a capture.
func (g *group) program() string {
	return cmp.Or(g.key.process, address(g.local), "a process")
}

// whom names the peer: the process there if it is on this host.
func (g *group) whom() string {
	peer := g.peerName()
	if g.partner != "" {
		return g.partner
	}
	return cmp.Or(peer, "the peer")
}

func sayHealthCheck(_ *Engine, g *group, f *Finding) bool {
	if !g.peers[0].regular() {
		return false
	}
	every := g.peers[0].rhythm.usual
	f.Numbers["interval_ns"] = int64(every)
	f.Title = fmt.Sprintf("%s connects to %s every %s, says next to nothing and resets: %s, nothing lost.",
		g.checker(), g.checked(), human.Duration(every), plural(g.count, "health check", "health checks"))
	return true
}

func (g *group) checker() string {
	if g.key.passive {
		return cmp.Or(g.partner, g.peerName())
	}
	return g.program()
}

func (g *group) checked() string {
	if g.key.passive {
		return g.who()
	}
	return fmt.Sprintf("%s port %d", cmp.Or(g.partner, g.peerName()), g.key.port)
}

func sayCloseNotify(_ *Engine, g *group, f *Finding) bool {
	f.Numbers["bytes"] = whole(g.bytes)
	f.Title = fmt.Sprintf("%s between %s and %s ended by RST because a TLS close_notify of %s each was left unread: nothing is lost.",
		plural(g.count, "connection", "connections"), g.program(), g.whom(), human.Bytes(g.bytes/max(g.count, 1)))
	return true
}

func sayBacklog(e *Engine, g *group, f *Finding) bool {
	f.Numbers["unread_bytes"] = whole(g.bytes)
	waiting := fmt.Sprintf("with %s waiting to be accepted: %s reset", plural(g.count, "connection", "connections"), itThey(g.count))
	if g.foreign == g.count {
		f.Process = g.key.process
		f.Title = fmt.Sprintf("The listener of %s (port %d) was closed by %s %s", cmp.Or(f.Process, "an unknown process"), g.key.port, g.detail, waiting)
		f.Advice = fmt.Sprintf("Find out who ran %s, and why: ss -K and its like close the sockets of other programs. The program itself called nothing, and accepts nobody until it listens again.", g.detail)
	} else {
		f.Process = cmp.Or(g.key.process, g.detail, e.listens(g.netns(), g.key.port)) // they were never accepted
		f.Title = fmt.Sprintf("%s (port %d) closed its listener %s", cmp.Or(f.Process, "an unknown process"), g.key.port, waiting)
	}
	if g.bytes > 0 {
		f.Title += fmt.Sprintf(", %s of requests unread", human.Bytes(g.bytes))
	}
	f.Title += "."
	return true
}

func sayInherited(_ *Engine, g *group, f *Finding) bool {
	f.Confidence = model.Inferred
	f.Numbers["unread_bytes"] = whole(g.bytes)
	f.Title = fmt.Sprintf("%s of %s stayed open in another process (%s) and ended only with that: %s heard nothing, and %s that came meanwhile were never read.",
		plural(g.count, "connection", "connections"), g.who(), cmp.Or(g.detail, "a child"), g.whom(), human.Bytes(g.bytes))
	return true
}

func sayUpstream(_ *Engine, g *group, f *Finding) bool {
	f.Confidence = model.Inferred
	f.Numbers["unread_bytes"] = whole(g.bytes)
	f.Title = fmt.Sprintf("%s accepted %s of %s, but its own attempt to connect to %v failed: the clients were cut off.",
		g.who(), plural(g.count, "connection", "connections"), g.whom(), g.detailPeer)
	return true
}

func sayEarlyAnswer(_ *Engine, g *group, f *Finding) bool {
	f.Numbers["unread_bytes"] = whole(g.bytes)
	if g.key.passive {
		f.Title = fmt.Sprintf("%s answered and closed %s while %s was still uploading (%s unread): the reset may throw the answer away before it is read.",
			g.who(), plural(g.count, "connection", "connections"), g.whom(), human.Bytes(g.bytes))
		if body := knobsOf(g.key.process).body; body != "" {
			f.Advice = fmt.Sprintf("If it refused the size, raise its limit (%s). ", body) + f.Advice
		}
	} else {
		f.Title = fmt.Sprintf("%s was answered and then reset by %s in the middle of its upload on %s (%s not taken).",
			g.who(), g.whom(), plural(g.count, "connection", "connections"), human.Bytes(g.bytes))
	}
	return true
}

func sayRequestLost(_ *Engine, g *group, f *Finding) bool {
	f.Numbers["unread_bytes"], f.Numbers["idle_ns"] = whole(g.bytes), int64(g.idle.mean())
	f.Title = fmt.Sprintf("%s closed %s with a request of %s unread (%s)", g.who(), plural(g.count, "connection", "connections"), g.whom(), human.Bytes(g.bytes))
	if g.idle.n > 0 {
		f.Title += fmt.Sprintf(" that had come after %s of silence", human.Duration(g.idle.mean()))
	}
	f.Title += ": it has no answer."
	return true
}

// fate is what became of requests that came too late.
func (g *group) fate() string {
	if g.reset == 0 {
		return "thrown away"
	}
	return "reset"
}

func sayHalfClose(_ *Engine, g *group, f *Finding) bool {
	f.Title = fmt.Sprintf("%s closed %s without an answer after %s had shut down its sending side (FIN after the request): it takes a half-close for an abort, or its protocol has no answers.",
		g.who(), plural(g.count, "connection", "connections"), g.whom())
	if g.echoes == g.count {
		f.Harm = Medium
		f.Title = fmt.Sprintf("%s closed %s without an answer when %s had sent FIN, %s after the request: it takes a half-close for an abort, or %s gave up.",
			g.who(), plural(g.count, "connection", "connections"), g.whom(), human.Duration(g.idle.min), g.whom())
		f.Advice = "Did the client give up? Then the server is slow, or the client's time limit short (Java's HttpClient closes so). If it waited: " + f.Advice
	}
	return true
}

func saySlowClose(_ *Engine, g *group, f *Finding) bool {
	f.Numbers["close_blocked_ns"], f.Numbers["longest_ns"] = int64(g.blocked.sum), int64(g.blocked.max)
	waited := human.Duration(g.blocked.max)
	if g.count > 1 {
		waited = fmt.Sprintf("%s, up to %s each and %s in all,", times(g.count), waited, human.Duration(time.Duration(g.blocked.sum)))
	}
	f.Title = fmt.Sprintf("close() of %s waited %s for SO_LINGER: the thread stands still meanwhile.", g.who(), waited)
	if g.count < few && g.bytes == 0 && g.blocked.max < time.Second {
		f.Harm = Low // all was delivered
	}
	return true
}

func sayBlackHole(_ *Engine, g *group, f *Finding) bool {
	f.Numbers["unacked_bytes"] = whole(g.bytes)
	f.Title = fmt.Sprintf("Large packets from %s to %s disappear: on %s no full-size segment was ever acknowledged (%s lost)",
		g.who(), g.peerName(), plural(g.count, "connection", "connections"), human.Bytes(g.bytes))
	if !g.mute {
		f.Title += ", small ones were"
	}
	if g.inferred {
		f.Title += ", or the peer has gone"
		f.Advice += " If small answers are lost as well, the path is dead or the client has gone: see path-dead."
	}
	f.Title += "."
	return true
}

func saySlowReader(_ *Engine, g *group, f *Finding) bool {
	f.Numbers["unacked_bytes"], f.Numbers["receiver_limited_ns"] = whole(g.bytes), int64(g.blocked.max)
	f.Title = fmt.Sprintf("%s does not read what %s sends: %s ended with its window closed and %s undelivered.",
		g.whom(), g.who(), plural(g.count, "connection", "connections"), human.Bytes(g.bytes))
	return true
}

func sayPathDead(e *Engine, g *group, f *Finding) bool {
	f.Numbers["unacked_bytes"], f.Numbers["silent_ns"] = whole(g.bytes), int64(g.blocked.max)
	const attempt = `cause in ["connect-timeout", "connect-cancelled"]`
	if g.unconnected() {
		f.Filter += " && " + attempt
		e.sayNoSYNACK(g, f)
		return true
	}
	f.Filter += " && not (" + attempt + ")"
	f.Count += g.also
	f.Title = fmt.Sprintf("%s got no answer from %s any more: %s (%s)", g.who(), g.peerName(), plural(f.Count, "connection", "connections"), g.detail)
	if g.blocked.max > 0 {
		f.Title += fmt.Sprintf(" after up to %s of silence", human.Duration(g.blocked.max))
	}
	if g.bytes > 0 {
		f.Title += fmt.Sprintf(", %s not acknowledged", human.Bytes(g.bytes))
	}
	f.Title += "."
	return true
}

func sayNoLocalPort(e *Engine, g *group, f *Finding) bool {
	f.Title = fmt.Sprintf("%s could not connect to %s %s: no local port is free.", g.who(), g.peerName(), times(g.count))
	f.Title += e.ports(f)
	return true
}

func sayReject(_ *Engine, g *group, f *Finding) bool {
	who := "A firewall rejects"
	switch g.detail {
	case "ECONNREFUSED", "EACCES", "RST":
	case "ENETUNREACH":
		who = "A router without a route, or a firewall, rejects"
		f.Advice = "Traceroute ends at it; ip route get shows where the way begins. If it has a route, a firewall answers in its place. " + f.Advice
	default:
		who = "A firewall or a router rejects"
		f.Advice += " If there is none, a router does not find the host, or packets go in a circle: look where traceroute ends."
	}
	how := cmp.Or(g.detail, "ICMP")
	if g.detail != "" && g.detailed < g.count {
		how += " and other errors"
	}
	f.Title = fmt.Sprintf("%s what %s sends to %s port %d: %s failed at once (%s).", who,
		g.program(), g.peerName(), g.key.port, plural(g.count, "connection", "connections"), how)
	if g.also > 0 {
		f.Numbers["given_up"] = whole(g.also)
		f.Title = strings.TrimSuffix(f.Title, ".") + fmt.Sprintf("; %s of %s, given up at once, probably met it, too.", plural(g.also, "attempt", "attempts"), strings.Join(slices.Compact(g.alsoOf), ", "))
	}
	return true
}

func sayRefused(e *Engine, g *group, f *Finding) bool {
	every := g.interval.mean()
	f.Numbers["interval_ns"] = int64(every)
	f.Title = fmt.Sprintf("%s was refused by %v %s, every %s on average: nobody listens there",
		g.program(), g.detailPeer, times(g.count), human.Duration(every))
	switch server := e.here(g); {
	case server == "" && !e.unheard.has(g.detailPeer):
		f.Title += ", or a firewall rejects"
		f.Advice += " If something listens there (ss -tln on that host), look for a firewall's REJECT with tcp-reset, there and on the way."
	case server == "":
	case g.key.peer.Is6() && !e.atSix(g.netns(), g.key.port):
		f.Harm = Low
		f.Title += fmt.Sprintf(", but %s does at 127.0.0.1", server)
		f.Advice = fmt.Sprintf("The client takes ::1 of localhost first, and loses nothing if it tries 127.0.0.1 next: let %s listen at both, or name 127.0.0.1.", server)
	default:
		f.Title += fmt.Sprintf(" any more (%s did)", server)
	}
	f.Title += "."
	return true
}

func sayAborted(_ *Engine, g *group, f *Finding) bool {
	f.Numbers["undelivered_bytes"] = whole(g.bytes)
	f.Title = fmt.Sprintf("%s ended %s with %s by RST: it set SO_LINGER {1,0} and closed", g.who(), plural(g.count, "connection", "connections"), g.whom())
	if g.key.kind == byUpstream {
		f.Title = fmt.Sprintf("%s reset %s with %s at the moment at which its own to %v had been reset or had died: it passes that on",
			g.who(), plural(g.count, "connection", "connections"), g.whom(), g.detailPeer)
		f.Advice = fmt.Sprintf("The reason is at %v: what was found about it here, or closetrace and the log there at these times, says why its connections end.", g.detailPeer)
	}
	if g.bytes > 0 {
		f.Title += fmt.Sprintf(", and %s that it had sent was thrown away", human.Bytes(g.bytes))
	}
	f.Title += "."
	g.sayWaited(f)
	return true
}

func sayMiddlebox(_ *Engine, g *group, f *Finding) bool {
	f.Numbers["unacked_bytes"] = whole(g.bytes)
	f.Title = fmt.Sprintf("%s of %s with %s %s reset", plural(g.count, "connection", "connections"), g.who(), g.peerName(), were(g.count))
	if g.detail == forgotten && g.detailed == g.count {
		f.Numbers["idle_ns"] = int64(g.idle.min)
		f.Title += fmt.Sprintf(" when %s used after at least %s of idleness%s: something between them had forgotten %s, or the peer's host had (it was restarted, or its address moved).",
			itThey(g.count), human.Duration(g.idle.min), boxOf(g.idle.min, g.key.port), itThem(g.count))
		f.Advice += " After a restart or a failover (VRRP) only a test before use, or a retry, helps."
		return true
	}
	f.Title += " by neither end: something between them did it"
	if g.idle.n > 0 && g.idle.min >= time.Second {
		f.Numbers["idle_ns"] = int64(g.idle.min)
		f.Title += fmt.Sprintf(", after at least %s of idleness%s", human.Duration(g.idle.min), boxOf(g.idle.min, g.key.port))
	}
	f.Title += "."
	return true
}

// boxOf is the hint at a box between two hosts; none of them forgets sooner.
func boxOf(idle time.Duration, port uint16) string {
	if idle < longSilence {
		return ""
	}
	return hint(idle, "", port)
}

func sayOverflow(*Engine, *group, *Finding) bool { return false } // see overflows

func sayLeak(_ *Engine, g *group, f *Finding) bool {
	if g.blocked.max < leakAlone && g.count < leakMany {
		return false
	}
	f.Numbers["close_wait_ns"] = int64(g.blocked.max)
	f.Title = fmt.Sprintf("%s left %s open for up to %s after the peer had closed.", g.who(), plural(g.count, "connection", "connections"), human.Duration(g.blocked.max))
	return true
}
