package findings

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/closetrace/closetrace/internal/human"
	"github.com/closetrace/closetrace/model"
)

// atTheDoor is the filter of those that were not read, atLogin of those whose first message
// was refused.
var (
	atTheDoor = fmt.Sprintf(`initiator in ["local", "both"] && tcp.role == "passive" && duration_ns < %d && (tcp.bytes.sent <= %d || verdict == "abortive" && tcp.bytes.sent <= %d) && (tcp.bytes.received == 0 || tcp.bytes.unread == tcp.bytes.received)`, doorTime, messageMost, explanationMost)
	atLogin   = fmt.Sprintf(`tcp.role == "passive" && verdict == "graceful" && duration_ns < %d && `, loginTime)
)

func sayTurnedAway(_ *Engine, g *group, f *Finding) bool {
	if g.reset == 0 && g.count < 3 {
		return false
	}
	if g.asksNothing() {
		return false
	}
	f.Numbers["message_bytes"] = whole(g.bytes)
	switch g.key.kind {
	case firstMessage:
		return g.sayRefused(f)
	case atOnceReset:
		f.Filter = strings.Replace(f.Filter, atTheDoor, fmt.Sprintf(`cause == "linger-zero" && tcp.role == "passive" && tcp.bytes.sent == 0 && duration_ns < %d`, doorTime), 1)
		f.Title = fmt.Sprintf("%s turned %s of %s away: it reset each at once, without a word.", g.who(), plural(g.count, "connection", "connections"), g.whom())
		f.Advice = "That is a rule rather than a fault: HAProxy tcp-request connection reject, nginx return 444 with reset_timedout_connection, an access list or a limit of rates. Does it mean this client?"
		return true
	case ordinaryKind, attempts, neverUsed, byUpstream:
	}
	if g.gaps {
		door := fmt.Sprintf("duration_ns < %d", doorTime)
		f.Filter = strings.Replace(f.Filter, door, "("+door+` || closer.call == "shutdown")`, 1)
	}
	f.Title = fmt.Sprintf("%s turned %s of %s away: it closed as soon as it had accepted, without reading", g.who(), plural(g.count, "connection", "connections"), g.whom())
	if g.bytes > 0 {
		f.Title += fmt.Sprintf(", after a message of %s", human.Bytes(g.bytes/max(g.count, 1)))
		if g.reset > 0 {
			f.Title += fmt.Sprintf("; on %d of them the client's request was reset, which may destroy the message", g.reset)
		}
	}
	f.Title += "."
	if most := knobsOf(g.key.process).most; most != "" {
		f.Advice = fmt.Sprintf("It is probably full: count its connections (closetrace list --port %d), let clients keep fewer (a pool), or raise the limit (%s; or of open files, ulimit -n).", g.key.port, most)
	}
	if g.bytes > messageMost*g.count {
		f.Advice = "A server that is full says so in a line, and this message is longer: connect by hand (nc) and read it. Redis, for example, takes nobody from other hosts until it has a password (requirepass) or protected-mode is off."
	}
	return true
}

// asksNothing: each client comes at regular times to hear what the server says first, such as a load
// of HAProxy's agent-check, which is a word. A server that is full says so in a sentence.
func (g *group) asksNothing() bool {
	const word = 24 // bytes
	return g.reset == 0 && g.key.kind != firstMessage && g.bytes > 0 && g.bytes <= word*g.count && g.irregular() < few && knobsOf(g.key.process).most == ""
}

// sayRefused is turned-away of a server that has read the first message.
func (g *group) sayRefused(f *Finding) bool {
	what, why, size := "login", "an error: no session is so short", fmt.Sprintf("tcp.bytes.sent >= %d && tcp.bytes.sent < %d", errorLeast, sessionLeast)
	f.Advice = "The server's log says why: it is full" + bracket(knobsOf(g.key.process).most) + ", the password, the user or the database is wrong, or its access list lacks this client (pg_hba.conf; MariaDB's users by host, max_connect_errors)."
	if g.key.port == mysqlPort {
		size = fmt.Sprintf("tcp.bytes.sent >= %d && tcp.bytes.sent < %d && tcp.last_speaker == \"local\"", mysqlLeast, sessionLeast)
	} else if !slices.Contains(farewellPorts, g.key.port) {
		what, why, size = "TLS handshake", "an alert", "tcp.bytes.sent == 7"
		f.Advice = "The server takes none of the client's TLS versions, ciphers or server names: compare its settings (nginx ssl_protocols, ssl_ciphers) with the client's (openssl s_client -connect shows the alert), or plain text came to its TLS port."
	}
	f.Filter = strings.Replace(f.Filter, atTheDoor, atLogin+size, 1)
	f.Title = fmt.Sprintf("%s refused %s of %s: it answered the first message with %s (%s) and closed.",
		g.who(), plural(g.count, what, what+"s"), g.whom(), human.Bytes(g.bytes/max(g.count, 1)), why)
	return true
}

func sayCertificate(_ *Engine, g *group, f *Finding) bool {
	client, server := g.sides()
	f.Title = fmt.Sprintf("%s closed %s to %s port %d after the server's certificate with an alert, and sent no request: it rejects the certificate.",
		client, plural(g.count, "TLS connection", "TLS connections"), server, g.key.port)
	return true
}

func sayTLSMismatch(_ *Engine, g *group, f *Finding) bool {
	if g.key.passive {
		f.Title = fmt.Sprintf("%s expects TLS, and %s of %s brought something else: it read the 5 bytes of a record's header, and closed.",
			g.who(), plural(g.count, "connection", "connections"), g.whom())
		return true
	}
	f.Title = fmt.Sprintf("%s speaks TLS to %s port %d, and what came on %s is none: it read the 5 bytes of a record's header, and closed.",
		g.program(), cmp.Or(g.serverOf(), g.peerName()), g.key.port, plural(g.count, "connection", "connections"))
	return true
}

func sayLockedReject(e *Engine, g *group, f *Finding) bool {
	c := e.counted("TcpExtLockDroppedIcmps")
	if c.n < g.count || !near(c, g) {
		return g.unconnected() && e.sayTooSoon(g, f)
	}
	f.Numbers["icmp_errors"] = whole(c.n)
	f.Title = fmt.Sprintf("A firewall rejects what %s sends to %s port %d: %s given up at once, while ICMP errors came inside connect() (%d counted).",
		g.program(), g.peerName(), g.key.port, plural(g.count, "attempt was", "attempts were"), c.n)
	return true
}

// sayTooSoon is path-dead of attempts that were given up before a SYN was sent again.
func (e *Engine) sayTooSoon(g *group, f *Finding) bool {
	tried := e.tries.inVain(netip.AddrPortFrom(g.key.peer, g.key.port))
	if g.count < few || !tried.deadPath() {
		return false
	}
	f.ID = "path-dead"
	f.Filter += fmt.Sprintf(" && tcp.segments.in == 0 && duration_ns >= %d", patience(g.key.peer))
	e.sayNoSYNACK(g, f)
	f.Title = strings.Replace(f.Title, " (the SYN was retransmitted)", "", 1)
	if g.blocked.max < time.Second {
		limit := "Its time limit is shorter than the second that passes before the SYN is sent again: one lost packet is enough."
		if tried.srtt == 0 || tried.srtt >= g.blocked.min/2 {
			limit = strings.TrimSuffix(limit, ".") + ", or a long way there."
		}
		if tried.longest >= crowd && tried.counted == 0 { // those are not single packets
			f.Harm, f.Advice = High, f.Advice+" "+limit
		} else {
			f.Advice = limit + " If no attempt gets through: " + f.Advice
		}
	}
	return true
}

func sayQueryWaited(_ *Engine, g *group, f *Finding) bool {
	f.Numbers["waited_ns"] = int64(g.blocked.min)
	after := human.Duration(g.blocked.min)
	if g.blocked.max > g.blocked.min*21/20 {
		after += " to " + human.Duration(g.blocked.max)
	}
	f.Title = fmt.Sprintf("%s ended %s of %s with an error %s after the last query, while the client waited (query_wait_timeout).",
		g.who(), plural(g.count, "session", "sessions"), g.whom(), after)
	return true
}

func sayGaveUp(e *Engine, g *group, f *Finding) bool {
	f.Count += g.also
	f.Numbers["waited_ns"] = int64(g.idle.mean())
	if g.idle.min < time.Second-justNow {
		f.Filter = strings.Replace(f.Filter, "950000000", "200000000", 1)
	}
	if g.echoes == g.count && (g.count < few || g.idle.max-g.idle.min > g.idle.mean()/10) {
		return false // publishers; who gives up does so after a time limit
	}
	if signal := g.signal(); signal != "" {
		f.Title = fmt.Sprintf("%s was ended by %s%s while %s to %s port %d had waited %s for an answer.", g.program(), signal, g.sender(),
			plural(f.Count, "request", "requests"), g.whom(), g.key.port, human.Duration(g.idle.mean()))
		f.Advice = "The client did not give up by itself: who sent the signal (timeout, a supervisor, a person)? The answer then reaches nobody."
		return true
	}
	whom := g.whom()
	if g.partner == "" && len(g.peers) == 1 && g.peers[0].address.IsLoopback() {
		if server := e.here(g); server != "" {
			whom = server + " at " + whom
		}
		f.Advice += fmt.Sprintf(" Or nobody took them: closetrace list --port %d shows those that wait to be accepted (queued); then its workers are busy, or it has no descriptor left (ulimit -n).", g.key.port)
	}
	if workers := knobsOf(cmp.Or(g.partner, e.here(g))).workers; workers != "" {
		f.Advice = fmt.Sprintf("Its requests take too long, or all its workers were busy (%s) and these waited in its accept queue, which ss -tln shows as Recv-Q: make requests faster, or allow more workers. Until then a longer time limit of %s only lets them wait longer.", workers, cmp.Or(g.key.process, "the client"))
	}
	f.Title = fmt.Sprintf("%s gave up %s to %s port %d that had no answer after %s.", g.program(),
		plural(f.Count, "request", "requests"), whom, g.key.port, human.Duration(g.idle.mean()))
	return true
}

func sayLeftHalfway(_ *Engine, g *group, f *Finding) bool {
	client, server := g.sides()
	f.Numbers["undelivered_bytes"], f.Numbers["lasted_ns"] = whole(g.bytes), int64(g.blocked.mean())
	rest := human.Bytes(g.bytes)
	if g.bytes <= 0 {
		rest = "what came then was"
	}
	f.Title = fmt.Sprintf("%s closed %s to %s port %d in the middle of the answer (%s not read)",
		cmp.Or(client, "the client"), plural(g.count, "connection", "connections"), cmp.Or(server, "the server"), g.key.port, rest)
	if least := g.blocked.min; g.count >= 3 && (!g.atOnce() || g.steadily()) && least >= time.Second && g.blocked.limited() {
		f.Title += fmt.Sprintf(", each after %s: that is a time limit of the client", human.Duration(least))
		f.Harm = Medium
	}
	f.Title += "."
	return true
}

func sayDestroyed(_ *Engine, g *group, f *Finding) bool {
	f.Title = fmt.Sprintf("%s ended %s of %s from outside.", cmp.Or(g.detail, "An administrator"), plural(g.count, "connection", "connections"), g.who())
	return true
}

// sayNoSYNACK is path-dead of connections that were never established.
func (e *Engine) sayNoSYNACK(g *group, f *Finding) {
	f.Title = fmt.Sprintf("%s could not connect to %s port %d: no answer to %s, given up after %s",
		g.program(), g.peerName(), g.key.port, plural(g.count, "attempt", "attempts"), human.Duration(g.blocked.min))
	if g.blocked.max > g.blocked.min*3/2 {
		f.Title += " to " + human.Duration(g.blocked.max)
	}
	if g.blocked.max >= time.Second {
		f.Title += " (the SYN was retransmitted)"
	}
	f.Title += "."
	f.Advice = "A firewall or security group drops the SYN, the address is wrong, or the host is down: a host that is up and not filtered would have refused. If it is up, look whether the server's queue is full (ss -tln there, Recv-Q at Send-Q)."
	tried := e.tries.inVain(netip.AddrPortFrom(g.key.peer, g.key.port))
	if tried.counted > 0 {
		f.Advice += " Or others in between were answered: ends to this port were only counted (--abnormal)."
	}
	if tried.answered && tried.inVain < tried.longest { // the longest row of them has ended
		f.Advice = "Other attempts to it were answered since: it was down for a while, its accept queue was full (ss -tln there, Recv-Q at Send-Q), one of several hosts behind that address is down, or packets get lost on the way."
	}
	if server := e.here(g); server != "" {
		f.Advice = fmt.Sprintf("%s listens there: its accept queue was full, or a firewall rule of this host drops the SYN. ss -tln shows the queue (Recv-Q at Send-Q). Accept faster%s, or raise the backlog.", server, bracket(knobsOf(server).most))
	}
	if c := e.counted("ConntrackDrop"); c.n > 0 && near(c, g) {
		f.Numbers["conntrack_drops"] = whole(c.n)
		f.Title = strings.TrimSuffix(f.Title, ".") + fmt.Sprintf("; conntrack of this host dropped %s meanwhile.", plural(c.n, "packet", "packets"))
		f.Advice = "This host's conntrack table is full (dmesg: table full, dropping packet): raise net.netfilter.nf_conntrack_max, shorten its timeouts, or leave what needs no tracking out of it (notrack). " + f.Advice
	}
	if g.detail == model.CauseConnectCancelled.String() {
		f.Advice += " The program's own time limit ended the attempts."
	}
}

// setBy names the setting for the idle time of the program that closes.
func (g *group) setBy() string {
	k := knobsOf(g.key.process)
	setting := k.idle
	if !g.key.passive {
		setting = k.pool
	}
	if g.neverAsked() {
		setting = k.first
	} else if g.mute || g.unasked > 0 {
		setting = ""
	}
	if setting == "" || g.key.peer.IsValid() { // the peer's; or another limit, for what was never asked or answered
		return ""
	}
	return fmt.Sprintf(" %s sets it: %s.", g.key.process, setting)
}

// neverAsked: the clients of a server have not said anything.
func (g *group) neverAsked() bool { return g.key.passive && g.unasked == g.count }

// knownCloser is the program that closes idle connections, if it is on this host.
func knownCloser(g *group) string {
	if g.key.peer.IsValid() {
		return ""
	}
	return g.key.process
}

// sayAsked: the client had the last word on each connection that was closed for idleness.
func (g *group) sayAsked(f *Finding) {
	if g.key.peer.IsValid() || g.spokeLast < g.count {
		return
	}
	if !g.key.passive {
		f.Title = strings.TrimSuffix(f.Title, ".") + fmt.Sprintf("; %s had spoken last on each, and got no answer.", cmp.Or(g.key.process, "it"))
		f.Advice = ownLimit + " If its last message needs no answer (HTTP/2), its pool gives up what is idle, and nobody was waiting."
		f.Harm, f.Confidence = g.waitedHarm(), model.Inferred
		return
	}
	f.Harm, f.Confidence = g.waitedHarm(), model.Inferred
	f.Title = strings.TrimSuffix(f.Title, ".") + "; the client had spoken last on each, and got no answer."
	f.Advice = fmt.Sprintf("It ends what waits for an answer: is that a time limit for what is behind it (HAProxy timeout server, a query's limit)%s? If the client's last message needs no answer, it is an idle timeout, and harmless as long as the client gives up sooner.%s",
		orBy(knobsOf(g.key.process).all), g.setBy())
}
