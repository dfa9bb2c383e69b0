package findings

import (
	"cmp"
	"fmt"
	"time"

	"github.com/closetrace/closetrace/internal/human"
	"github.com/closetrace/closetrace/model"
)

func sayTurnedAway(_ *Engine, g *group, f *Finding) bool {
	if g.reset == 0 && g.count < 3 {
		return false
	}
	f.Numbers["message_bytes"] = int64(g.bytes)
	f.Title = fmt.Sprintf("%s turned %s of %s away: it closed as soon as it had accepted, without reading", g.who(), plural(g.count, "connection", "connections"), g.whom())
	if g.bytes > 0 {
		f.Title += fmt.Sprintf(", after a message of %s", human.Bytes(g.bytes/max(g.count, 1)))
		if g.reset > 0 {
			f.Title += fmt.Sprintf("; on %d of them the client's request was reset, which may destroy the message", g.reset)
		}
	}
	f.Title += "."
	if most := knobsOf(g.key.process).most; most != "" {
		f.Advice = fmt.Sprintf("It is probably full: count its connections (closetrace list --port %d), let clients keep fewer (a pool), or raise the limit (%s).", g.key.port, most)
	}
	return true
}

func sayLeftHalfway(_ *Engine, g *group, f *Finding) bool {
	client, server := cmp.Or(g.clientOf(), g.peerName()), cmp.Or(g.serverOf(), g.peerName())
	f.Numbers["undelivered_bytes"], f.Numbers["lasted_ns"] = int64(g.bytes), int64(g.blocked.mean())
	f.Title = fmt.Sprintf("%s closed %s to %s port %d in the middle of the answer (%s not read)",
		cmp.Or(client, "the client"), plural(g.count, "connection", "connections"), cmp.Or(server, "the server"), g.key.port, human.Bytes(g.bytes))
	if every := g.blocked.mean(); g.count >= 3 && every >= time.Second && g.blocked.deviation() < 0.05 {
		f.Title += fmt.Sprintf(", each after %s: that is a time limit of the client", human.Duration(every))
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
func (g *group) sayNoSYNACK(f *Finding) {
	f.Title = fmt.Sprintf("%s could not connect to %s port %d: no answer to %s, given up after %s",
		cmp.Or(g.key.process, "a process"), g.peerName(), g.key.port, plural(g.count, "attempt", "attempts"), human.Duration(g.blocked.min))
	if g.blocked.max > g.blocked.min*3/2 {
		f.Title += " to " + human.Duration(g.blocked.max)
	}
	f.Title += " (SYN sent again and again)."
	f.Advice = "A firewall or security group drops the SYN, the address is wrong, or the host is down: a host that is up and not filtered would have refused. If it is up, look whether the server's queue is full (ss -tln there, Recv-Q at Send-Q)."
	if g.detail == model.CauseConnectCancelled.String() {
		f.Advice += " The program's own time limit ended the attempts."
	}
}

func sayRestart(_ *Engine, g *group, f *Finding) bool {
	if g.last.Sub(g.first)/time.Duration(max(len(g.pids), 1)) > time.Second || g.ofOneConnection() {
		return false
	}
	how := "ended"
	if g.detail != "" {
		how = "ended by " + g.detail + g.sender()
	}
	f.Title = fmt.Sprintf("%s %s: %s ended with it", g.who(), how, plural(g.count, "connection", "connections"))
	if violent(g.detail) && g.idle.n > 0 && g.idle.min < time.Second {
		f.Harm = Medium
		f.Title += fmt.Sprintf(", the last spoken to %s before: answers may be cut short", human.Duration(g.idle.min))
		f.Advice = g.killAdvice("Nothing was finished: find who sent the signal (its log, dmesg, journalctl), and why not SIGTERM first.")
	}
	f.Title += "."
	return true
}

// setBy names the setting for the idle time of the program that closes.
func (g *group) setBy() string {
	k := knobsOf(g.key.process)
	setting := k.idle
	if !g.key.passive {
		setting = k.pool
	}
	if setting == "" || g.key.peer.IsValid() { // the peer's
		return ""
	}
	return fmt.Sprintf(" %s sets it: %s.", g.key.process, setting)
}

// knownCloser is the program that closes idle connections, if it is on this host.
func knownCloser(g *group) string {
	if g.key.peer.IsValid() {
		return ""
	}
	return g.key.process
}
