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
	_, n := g.values.mode()
	needNone := mayNeedNone(g.key.port)
	if (needNone || g.key.passive) && n >= 3 && n*10 >= g.count*6 || needNone && g.atOnce() {
		return false // idle-timeout says it, or the server ended
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
	if g.atOnce() {
		f.Advice += fmt.Sprintf(" All were closed %s: a reload or restart would explain that too.", g.atMoments())
	}
	return true
}

const ownLimit = "Is that its time limit for an answer (a read timeout, HAProxy timeout server, nginx proxy_read_timeout, varnish first_byte_timeout)? Then the server is slow, or the limit short: look at what the server did at these times."

// waited reports whether late answers have shown that the idle time after which a client closes is
// its time limit for answers.
func (e *Engine) waited(g *group) bool {
	k := g.key
	k.pattern = uint8(patternIndex("gave-up-waiting"))
	idle, _ := g.values.mode()
	o := e.groups[k]
	return o != nil && o.echoes < o.count && g.asked == g.count && (o.idle.mean()-idle).Abs() <= idle/10
}

// sayWaited is abort-on-close of a client that had asked each time, and waited.
func (g *group) sayWaited(f *Finding) {
	if g.key.passive || g.asked < g.count || g.idle.n < g.count || g.idle.min < time.Second {
		return
	}
	idle, _ := g.values.mode()
	f.Harm, f.Confidence, f.Numbers["waited_ns"] = Medium, model.Inferred, int64(idle)
	f.Title = strings.TrimSuffix(f.Title, ".") + fmt.Sprintf("; it had spoken last on each, and got no answer for %s.", human.Duration(idle))
	f.Advice = ownLimit + " If its last message needs no answer (HTTP/2), the client loses nothing."
}
