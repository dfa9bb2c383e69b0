package findings_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/closetrace/closetrace/model"
)

// unused is a story of connections that are opened in advance. The server closes them after a while, and so
// many bytes come two seconds later.
type unused struct {
	port           int
	said           uint64
	waits          []time.Duration
	server, client bool // whose ends are known
	resent         uint32
}

func (u unused) tell(s *stream) {
	for i, wait := range u.waits {
		at, client, server := time.Duration(6+6*i)*sec, fmt.Sprintf("10.6.0.1:%d", 40000+i), fmt.Sprintf("10.6.0.2:%d", u.port)
		if u.server {
			x := s.end(at, "puma", model.Passive, server, client, model.CauseFIN, graceful, bytes(0, 0), by(model.InitiatorLocal), call(model.CallClose, 0), lasted(wait), path(model.SynRecv, model.Established, model.FinWait1, model.FinWait2))
			x.Evidence.FirstFIN = x.Time
			s.outcome(at+2*sec, x, model.CauseDataAfterClose, "late-data-in-time-wait")
		}
		if u.client {
			x := s.end(at+2*sec, "app", model.Active, client, server, model.CausePeerReset, bytes(0, 0), unacked(u.said), gotFIN, idle(wait), by(model.InitiatorPeer), lasted(wait+2*sec), path(model.SynSent, model.Established, model.CloseWait))
			x.Evidence.FirstFIN, x.TCP.Retransmits = begin.Add(at), model.Some(u.resent)
		}
	}
}

var steady = []time.Duration{3010 * ms, 3007 * ms, 3009 * ms, 3007 * ms}

var unuseds = []story{
	{
		"a client opens connections in advance, and puma closes them before their first request",
		unused{port: 9292, said: 27, waits: steady, server: true, client: true}.tell,
		[]string{"keepalive-race"},
		[]string{"puma (port 9292) closes connections that were never used after 3.01s, and 4 first requests of app came too late and were reset."},
	},
	{
		"the same, and the client is elsewhere",
		unused{port: 9292, waits: steady, server: true}.tell,
		[]string{"keepalive-race"},
		[]string{"4 first requests of 10.6.0.1"},
	},
	{
		"the same of a server elsewhere",
		unused{port: 9292, said: 27, waits: steady, client: true}.tell,
		[]string{"keepalive-race"},
		[]string{"10.6.0.2 (port 9292) closes connections that were never used after 3.01s, and 4 first requests of app"},
	},
	{
		"clients that have never asked anything only say goodbye", // LDAP's unbind
		unused{port: 389, said: 7, waits: steady, server: true, client: true}.tell,
		nil, nil,
	},
	{
		"a server ends what was never used at different times", // a scanner, or a server short of connections
		unused{port: 9292, said: 27, waits: []time.Duration{1100 * ms, 2 * sec, 3 * sec, 5 * sec}, server: true, client: true}.tell,
		nil, nil,
	},
	{
		"first requests that were lost on the way, until the server gave up", // they were in time
		unused{port: 9292, said: 27, waits: steady, client: true, resent: 3}.tell,
		nil, nil,
	},
	{
		"two first requests came too late", // by chance
		unused{port: 9292, said: 27, waits: steady[:2], server: true, client: true}.tell,
		nil, nil,
	},
}

// TestIdleIsNotHarmless: what idle-timeout says if requests came too late, and if none did.
func TestIdleIsNotHarmless(t *testing.T) {
	for _, c := range []struct {
		too  bool
		want string
	}{{true, "4 requests came too late"}, {false, "Harmless as long as"}} {
		s := &stream{}
		for i := range 4 {
			x := s.end(time.Duration(6+6*i)*sec, "puma", model.Passive, "10.6.0.2:9292", fmt.Sprintf("10.6.0.1:%d", 40000+i), model.CauseFIN, graceful, bytes(566, 67), idle(3210*ms), by(model.InitiatorLocal), call(model.CallClose, 0), lasted(3300*ms))
			if c.too {
				s.outcome(time.Duration(8+6*i)*sec, x, model.CauseDataAfterClose, "late-data-in-time-wait")
			}
		}
		list := found(t, s.records).Findings
		if last := list[len(list)-1]; last.ID != "idle-timeout" || !strings.Contains(last.Advice, c.want) {
			t.Errorf("got %s: %s, want %q", last.ID, last.Advice, c.want)
		}
	}
}
