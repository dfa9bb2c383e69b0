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
	}
	oom := e.counted(oomKills)
	counted := g.oom == 0 && g.notOOM == 0 && oom.n > 0 && near(oom, g)
	if g.signal() == "SIGKILL" && (g.oom > 0 || counted) {
		f.Numbers["oom_kills"] = whole(max(g.oom, oom.n))
		if counted {
			f.Confidence = model.Inferred // it may have killed another process at that time
		}
		how = "was killed by the OOM killer (SIGKILL)"
		f.Advice = "It ran out of memory: raise the limit of its cgroup (memory.max; resources.limits.memory in Kubernetes), or let it use less: fewer workers or threads, smaller requests. dmesg and memory.events of the cgroup name the kill."
	}
	f.Title = fmt.Sprintf("%s %s with %s unanswered", g.who(), how, plural(g.count, "request", "requests"))
	if g.echoes == g.count {
		f.Title = fmt.Sprintf("%s %s with %s on which the client had spoken last, and got no answer", g.who(), how, plural(g.count, "connection", "connections"))
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
