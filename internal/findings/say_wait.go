package findings

import (
	"fmt"
	"strings"
	"time"

	"github.com/closetrace/closetrace/internal/human"
	"github.com/closetrace/closetrace/model"
)

// What is said of clients that waited in vain.

// unansweredTerm is that of the table, of the server's end.
const unansweredTerm = `(cause == "fin" || cause == "data-after-close") && initiator in ["local", "both"] && tcp.bytes.sent == 0 && tcp.bytes.received > 0`

func sayNeverAnswered(_ *Engine, g *group, f *Finding) bool {
	const limit = time.Second - justNow // of 1 s, by jiffies
	if (g.idle.max < limit || !g.key.passive) && g.count < few {
		return false // at once: by chance, or a probe
	}
	f.Numbers["received_bytes"], f.Numbers["idle_ns"] = whole(g.bytes), int64(g.idle.mean())
	if g.idle.mean() < limit {
		f.Advice = "The program read the request and closed on purpose, or gave up over it: look for a rule that drops requests (nginx return 444, an access list), a crash of the handler, or a protocol that is not the one of this port."
	}
	after := human.Duration(g.idle.mean())
	if g.idle.mean() < time.Millisecond {
		after = "at once"
	}
	f.Title = fmt.Sprintf("%s closed %s of %s in good order %s after the request, without a byte of answer.",
		g.serverPort(), plural(g.count, "connection", "connections"), g.client(), after)
	if !g.key.passive {
		f.sayHeardNothing(g)
	}
	if g.key.kind == byUpstream {
		f.Title = strings.TrimSuffix(f.Title, ".") + fmt.Sprintf(", when its own to %v had been reset or had died: it passes that on.", g.detailPeer)
		f.Advice = fmt.Sprintf("The reason is at %v: what was found about it here, or closetrace and the log there at these times, says why its connections end.", g.detailPeer)
	}
	return true
}

// sayHeardNothing completes what is said of a server of which only its clients were seen.
func (f *Finding) sayHeardNothing(g *group) {
	f.Numbers["sent_bytes"] = f.Numbers["received_bytes"]
	delete(f.Numbers, "received_bytes")
	f.Filter = strings.Replace(f.Filter, unansweredTerm, `cause == "fin" && initiator == "peer" && tcp.bytes.sent > 0 && tcp.bytes.received == 0 && tcp.idle_ns >= 1000000000`, 1)
	f.Advice = "The server gave the requests up, or was ended: its log has it at these times. Or it waited for more: the request was not complete, or not of its protocol (TLS to a port of plain HTTP). If such a message needs no answer (a log, a metric), nobody was waiting."
	if g.atOnce() {
		f.Advice += fmt.Sprintf(" All were closed %s: a stop, a crash or a kill of the server would explain that.", g.atMoments())
	}
}

// serverPort is the server of g, whichever end was seen, and client the other one.
func (g *group) serverPort() string {
	if g.key.passive {
		return g.who()
	}
	return fmt.Sprintf("%s (port %d)", g.whom(), g.key.port)
}

func (g *group) client() string {
	if g.key.passive {
		return g.whom()
	}
	return g.who()
}

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
	all := knobsOf(g.serverOf()).all
	if g.key.port == mysqlPort {
		all = knobsOf("mariadb").all
	}
	f.Title = fmt.Sprintf("%s closed %s of %s in good order %s after its last request, without an answer.", g.serverPort(), plural(g.count, "connection", "connections"), g.client(), after)
	if all != "" {
		f.Advice = fmt.Sprintf("Was it ended by %s? %s", all, f.Advice)
	}
	if together {
		f.Harm = Low
		f.Advice += fmt.Sprintf(" All were closed %s: a reload or restart would explain that too.", g.atMoments())
	}
	if !g.key.passive && constant {
		f.Advice += " If its last words needed no answer (WebSocket), that is an idle timeout" + hint(most, "", g.key.port) + "."
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
func (e *Engine) gaveUp(k key) *group { return e.beside(k, "gave-up-waiting") }

// beside returns the group that another pattern has at the same place, nil if none.
func (e *Engine) beside(k key, pattern string) *group {
	k.pattern = uint8(patternIndex(pattern)) // #nosec G115 -- there are some dozens
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
