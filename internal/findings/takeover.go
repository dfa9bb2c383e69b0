package findings

import (
	"slices"
	"time"

	"github.com/closetrace/closetrace/model"
)

// takeovers are the connections that one broker has closed, however long they had been idle: clients
// with one ID put each other out.
type takeovers struct {
	closed      uint64
	displacing  uint64         // how many had begun just before another one was closed
	first, last model.Time     // when it closed
	recent      [16]model.Time // when it closed the last ones
}

// maxBrokers bounds how many are known.
const maxBrokers = 64

// brokerPorts are those of MQTT, NATS, AMQP and STOMP: what their clients say last needs no answer, as
// an acknowledgement, or is said again to the next one. brokerNames are of programs that are nothing else.
var (
	brokerPorts = []uint16{1883, 4222, 5671, 5672, 8883, 61613}
	brokerNames = []string{"mosquitto", "nats-server"}
)

// broker reports whether the server of x is one.
func (e *end) broker() bool {
	return slices.Contains(brokerPorts, e.port()) || e.passive() && slices.Contains(brokerNames, e.process)
}

// displace learns from x, which a broker has closed.
func (e *Engine) displace(x *end) {
	if !x.passive() || x.initiator != model.InitiatorLocal || x.began == 0 || x.told != 0 || !x.broker() {
		return
	}
	k := key{port: x.port(), process: x.process}
	t := e.brokers[k]
	if t == nil {
		if len(e.brokers) >= maxBrokers {
			return
		}
		t = &takeovers{first: x.closing()}
		e.brokers[k] = t
	}
	t.add(x)
}

func (t *takeovers) add(x *end) {
	if slices.ContainsFunc(t.recent[:], func(at model.Time) bool { return at >= x.began && at.Sub(x.began) <= justNow }) {
		t.displacing++
	}
	t.closed++
	t.recent[t.closed%uint64(len(t.recent))] = x.closing()
	t.first, t.last = min(t.first, x.closing()), max(t.last, x.closing())
}

// displaced are the connections of the broker of g, if most of them began just before it closed another
// one, and that is no coincidence.
func (e *Engine) displaced(g *group) *takeovers {
	t := e.brokers[key{port: g.key.port, process: g.key.process}]
	if !g.key.passive || t == nil || t.displacing < few || 2*t.displacing <= t.closed || t.last.Sub(t.first)/time.Duration(whole(t.closed-1)) < 5*justNow {
		return nil
	}
	return t
}
