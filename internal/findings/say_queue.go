package findings

import (
	"fmt"

	"github.com/closetrace/closetrace/model"
)

// synQueue are the counters of listeners with too many half-open connections: the first two
// count cookies, and the last one SYNs that were dropped as cookies are off.
var synQueue = []string{"TcpExtTCPReqQFullDoCookies", "TcpExtTCPReqQFullDrop"}

// flooded are full queues of half-open connections: only counters show them.
func (e *Engine) flooded() (list []Finding) {
	c := e.counted(synQueue...)
	if c.n < crowd || e.counted(acceptQueue...).n >= c.n {
		return nil // what is not accepted fills this queue, too
	}
	i := patternIndex("syn-flood")
	p := &patterns[i]
	done, failed := e.counted("TcpExtSyncookiesRecv").n, e.counted("TcpExtSyncookiesFailed").n
	f := Finding{
		ID: p.Name, Harm: p.Harm, Confidence: model.Certain, Count: c.n, First: c.told, Last: c.last,
		Numbers:  map[string]int64{"full": whole(c.n), "cookies_completed": whole(done), "cookies_failed": whole(failed)},
		Evidence: []string{}, Advice: p.Advice, rank: i, identity: Identity{pattern: p.Name},
	}
	f.Title = fmt.Sprintf("The SYN queue of %s was full for %s", e.perhaps(c.netns), plural(c.n, "SYN", "SYNs"))
	switch {
	case e.counted("TcpExtTCPReqQFullDrop").n > 0:
		f.Title += ", which were dropped."
	case done*10 < c.n:
		f.Harm = High
		f.Title += fmt.Sprintf(": cookies answered them, and only %d handshakes were completed: a SYN flood, or a scanner.", done)
	default:
		f.Title += fmt.Sprintf(": cookies answered them, and %s completed.", plural(done, "handshake was", "handshakes were"))
	}
	e.complete(&f)
	f.Share = 0 // of no connection
	return append(list, f)
}
