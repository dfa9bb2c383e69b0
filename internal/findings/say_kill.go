package findings

import (
	"fmt"
	"time"

	"github.com/closetrace/closetrace/internal/human"
	"github.com/closetrace/closetrace/model"
)

// What is said of processes that ended.

func sayKilled(e *Engine, g *group, f *Finding) bool {
	f.Numbers["unread_bytes"], f.Numbers["waited_ns"] = whole(g.bytes), int64(g.blocked.max)
	how := "ended"
	if signal := g.signal(); signal != "" {
		how = "was ended by " + signal + g.sender()
		f.Advice = g.killAdvice(f.Advice)
	} else if g.detailed == 0 {
		f.Advice = "No signal: the program ended by itself (an exception that nobody caught, a panic, exit(), or a connection that it needed had died). Its log has the reason, its supervisor (systemctl status, docker inspect) the exit status."
	}
	if e.outOfMemory(g, f) {
		how = byOOMKiller
	}
	f.Title = fmt.Sprintf("%s %s with %s unanswered", g.whoEnded(), how, plural(g.count, "request", "requests"))
	if g.afters == g.count && 2*g.echoes >= g.count { // on some of many the last ping was a moment ago
		f.Title = fmt.Sprintf("%s %s with %s on which the client had spoken last, and got no answer", g.whoEnded(), how, plural(g.count, "connection", "connections"))
		f.Confidence = model.Inferred
		f.Advice += " If the client's last message needs no answer (HTTP/2, WebSocket, a shipper of logs), nobody was waiting."
		if !violent(g.signal()) {
			f.Harm = Medium
		}
	} else if g.echoes > 0 {
		f.Title += fmt.Sprintf(" (on %d of them the client's last message may need no answer)", g.echoes)
	}
	if g.blocked.max > 0 && g.count > 1 {
		f.Title += fmt.Sprintf(", the oldest heard %s before", human.Duration(g.blocked.max))
	} else if g.blocked.max > 0 {
		f.Title += fmt.Sprintf(", heard %s before", human.Duration(g.blocked.max))
	}
	f.Title += "."
	return true
}

// whoEnded names the process that ended: it may have got its connections from their owner.
func (g *group) whoEnded() string {
	if g.heir == "" || g.heir == g.key.process {
		return g.who()
	}
	return fmt.Sprintf("%s, to which %s had passed connections,", g.heir, g.who())
}

// recovers: PostgreSQL's postmaster ends all that serve clients, to begin again after a crash
// (HandleChildCrash).
func (g *group) recovers() bool {
	return g.signal() == "SIGQUIT" && g.killer == g.key.process && knobsOf(g.killer).program == "postgres"
}

const crashRecovery = "PostgreSQL ends all its sessions so when one of its processes has crashed or was killed (\"terminating any other active server processes\"): find what ended that one, a line above in its log, or dmesg. Or somebody stopped it by pg_ctl -m immediate."

const byOOMKiller = "was killed by the OOM killer (SIGKILL)"

// outOfMemory reports whether the OOM killer ended the processes of g, and gives f its advice.
func (e *Engine) outOfMemory(g *group, f *Finding) bool {
	oom := e.counted(oomKills)
	counted := g.oom == 0 && g.notOOM == 0 && oom.n > 0 && near(oom, g)
	if g.signal() != "SIGKILL" || g.oom == 0 && !counted {
		return false
	}
	f.Numbers["oom_kills"] = whole(max(g.oom, oom.n))
	if counted {
		f.Confidence = model.Inferred // it may have killed another process at that time
	}
	f.Advice = "It ran out of memory: raise the limit of its cgroup (memory.max; resources.limits.memory in Kubernetes), or let it use less: fewer workers or threads, smaller requests. dmesg and memory.events of the cgroup name the kill."
	return true
}

// sender names who sent the signal, if another process did.
func (g *group) sender() string {
	if g.killer == "" {
		return ""
	}
	return " from " + human.Process(g.killer, g.killerPID)
}

// oomKills is the counter that moves when the OOM killer has killed.
const oomKills = "VmstatOomKill"

// near reports whether c moved around the time of g.
func near(c counter, g *group) bool { return c.around(g.first, g.last) }

func (c counter) around(first, last model.Time) bool {
	return c.first <= last.Add(3*time.Second) && c.last >= first.Add(-3*time.Second)
}

func sayRestart(e *Engine, g *group, f *Finding) bool {
	atOnce := g.last.Sub(g.first)/time.Duration(max(len(g.pids), 1)) <= time.Second
	if g.ofOneConnection() || !atOnce && g.ended.many == 0 {
		return false
	}
	how := "ended"
	if signal := g.signal(); signal != "" {
		how = "ended by " + signal + g.sender()
	}
	oom := e.outOfMemory(g, f)
	if oom {
		f.Harm, how = High, byOOMKiller
	}
	if g.ended.many > 1 && !atOnce {
		how += ", " + times(g.ended.many)
	}
	f.Title = fmt.Sprintf("%s %s: %s ended with it", g.whoEnded(), how, plural(g.count, "connection", "connections"))
	if g.killer != "" && g.killer == g.key.process {
		f.Advice = "Another process of the same program told it to end: a reload or a stop, a scale-down, or an administrator's command (pg_terminate_backend). Its log says which. If it was planned: close idle connections before."
	}
	if g.recovers() {
		f.Advice = crashRecovery
	}
	if !oom && violent(g.signal()) && g.idle.n > 0 && g.idle.min < time.Second {
		f.Harm = Medium
		f.Title += fmt.Sprintf(", the last spoken to %s before: answers may be cut short", human.Duration(g.idle.min))
		f.Advice = g.killAdvice("Nothing was finished: find who sent the signal (its log, dmesg, journalctl), and why not SIGTERM first.")
	}
	f.Title += "."
	return true
}
