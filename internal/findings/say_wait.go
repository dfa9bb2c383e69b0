package findings

import (
	"fmt"

	"github.com/closetrace/closetrace/internal/human"
)

// What is said of clients that waited in vain on a connection that they had used before.

func sayLastUnanswered(_ *Engine, g *group, f *Finding) bool {
	_, n := g.values.mode()
	if mysql := g.key.port == mysqlPort; (mysql || g.key.passive) && n >= 3 && n*10 >= g.count*6 || mysql && g.atOnce() {
		return false // idle-timeout says it, or the server ended; a client of MySQL need not have waited
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
