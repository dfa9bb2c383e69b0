package findings

import (
	"fmt"
	"strings"
	"time"

	"github.com/closetrace/closetrace/internal/human"
	"github.com/closetrace/closetrace/model"
)

// What is said of clients that waited in vain on a connection that they had used before.

func sayLastUnanswered(_ *Engine, g *group, f *Finding) bool {
	most, _, constant := g.values.usual(g.count)
	together := g.atOnce() && !g.steadily()
	switch {
	case g.key.port == mysqlPort:
		if g.count > few && g.values.pair()*10 >= g.count*6 {
			return false // wait_timeout and interactive_timeout, beside COM_STMT_CLOSE
		}
	case together && mayNeedNone(g.key.port):
		return false // the server ended
	}
	f.Numbers["idle_ns"], f.Numbers["longest_ns"] = int64(g.idle.min), int64(g.idle.max)
	after := human.Duration(g.idle.min)
	if g.idle.max > g.idle.min*11/10 {
		after += " to " + human.Duration(g.idle.max)
	}
	server, client, all := g.who(), g.whom(), knobsOf(g.serverOf()).all
	if !g.key.passive {
		server, client = fmt.Sprintf("%s (port %d)", g.whom(), g.key.port), g.who()
	}
	if g.key.port == mysqlPort {
		all = knobsOf("mariadb").all
	}
	f.Title = fmt.Sprintf("%s closed %s of %s in good order %s after its last request, without an answer.", server, plural(g.count, "connection", "connections"), client, after)
	if all != "" {
		f.Advice = fmt.Sprintf("Was it ended by %s? %s", all, f.Advice)
	}
	if together {
		f.Harm = Low
		f.Advice += fmt.Sprintf(" All were closed %s: a reload or restart would explain that too.", g.atMoments())
	}
	if !g.key.passive && constant {
		f.Advice += " If its last words needed no answer (WebSocket), that is an idle timeout" + hint(most, "") + "."
	}
	return true
}

const ownLimit = "Is that its time limit for an answer (a read timeout, HAProxy timeout server, nginx proxy_read_timeout, varnish first_byte_timeout)? Then the server is slow, or the limit short: look at what the server did at these times."

// waited reports whether late answers have shown that the idle time after which a client closes is
// its time limit for answers.
func (e *Engine) waited(g *group) bool {
	idle, _ := g.values.mode()
	o := e.gaveUp(g.key)
	return o != nil && o.echoes < o.count && g.spokeLast == g.count && (o.idle.mean()-idle).Abs() <= idle/10
}

// waitedHarm: if most last words came at once after the server's, they may need no answer (HTTP/2).
func (g *group) waitedHarm() Harm {
	if 2*g.asked <= g.count || mayNeedNone(g.key.port) {
		return Low
	}
	return Medium
}

// sayWaited is abort-on-close of a client that had asked each time, and waited.
func (g *group) sayWaited(f *Finding) {
	if g.key.passive || g.spokeLast < g.count || g.idle.n < g.count || g.idle.min < time.Second {
		return
	}
	idle, _ := g.values.mode()
	f.Harm, f.Confidence, f.Numbers["waited_ns"] = g.waitedHarm(), model.Inferred, int64(idle)
	f.Title = strings.TrimSuffix(f.Title, ".") + fmt.Sprintf("; it had spoken last on each, and got no answer for %s.", human.Duration(idle))
	f.Advice = ownLimit + " If its last message needs no answer (HTTP/2), the client loses nothing."
}

// gaveUp returns the requests that the client of k has given up there, nil if none.
func (e *Engine) gaveUp(k key) *group {
	k.pattern = uint8(patternIndex("gave-up-waiting")) // #nosec G115 -- there are some dozens
	return e.groups[k]
}

// coverHalfCloses: g is of a client that has given up other requests there, after as long. Then these
// FINs were no half-closes, and count there.
func (e *Engine) coverHalfCloses(g *group) (covered bool) {
	if patterns[g.key.pattern].Name != "half-close-taken-as-abort" || g.echoes < g.count {
		return false
	}
	o := e.gaveUp(key{process: g.partner, port: g.key.port})
	if o == nil || (o.idle.mean()-g.idle.mean()).Abs() > o.idle.mean()/10 {
		return false
	}
	o.also += g.count
	return true
}

// idleSays reports whether idle-timeout has the idle time of g, of the same server: what was asked last
// may have needed no answer.
func (e *Engine) idleSays(g *group) bool {
	if !g.key.passive && !mayNeedNone(g.key.port) {
		return false
	}
	idle, own := g.values.mode()
	if own*10 < g.count*6 && g.key.port != mysqlPort {
		return false
	}
	for k, o := range e.groups {
		if patterns[k.pattern].Name != "idle-timeout" || k.process != g.key.process || k.port != g.key.port || k.passive != g.key.passive {
			continue
		}
		if at, _, constant := o.values.usual(o.count); constant && (at-idle).Abs() <= idle/10 {
			return true
		}
	}
	return false
}

// steadily: its moments follow each other, as those of a busy server do.
func (g *group) steadily() bool {
	return g.closings.many > 2 && g.closed[1].Sub(g.closed[0]).Seconds() < float64(g.closings.many-1)
}
