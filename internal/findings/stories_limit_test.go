package findings_test

import (
	"fmt"
	"time"

	"github.com/closetrace/closetrace/model"
)

// closedAt is a connection of a server that it closes at some time, after it was idle, and whose
// client's next request comes 300 ms later.
func (s *stream) closedAt(at, quiet time.Duration, process, local, client string, edits ...edit) {
	x := s.end(at+ms, process, model.Passive, local, client, model.CauseFIN, append([]edit{
		graceful, bytes(40, 24), idle(quiet), spoke(quiet, quiet+ms), by(model.InitiatorLocal), call(model.CallClose, 0), lasted(quiet + 3*ms),
		func(t *model.Teardown) { t.Evidence.FirstFIN = begin.Add(at) },
	}, edits...)...)
	s.outcome(at+300*ms, x, model.CauseDataAfterClose, "late-data-in-time-wait")
}

// limits are stories about servers that close what they need no longer, and go on.
var limits = []story{
	{
		"unbound near its limit of connections closes each after 200 ms", // and one late, on a busy machine
		func(s *stream) {
			for i := range 20 {
				quiet := 200*ms + time.Duration(i%3*4)*ms
				if i == 1 {
					quiet = 304 * ms
				}
				s.closedAt(sec+time.Duration(max(i-2, 0))*100*ms, quiet, "unbound", "10.6.0.2:8053", fmt.Sprintf("10.6.0.1:%d", 4000+i))
			}
		},
		[]string{"keepalive-race"},
		[]string{"unbound (port 8053) closes connections after 20", "20 requests of 10.6.0.1"},
	},
	{
		"a server that says goodbye after 200 ms, and whose clients' last words were under way",
		func(s *stream) {
			for i := range 20 {
				at := sec + time.Duration(i)*100*ms
				x := s.end(at+ms, "app", model.Passive, "10.6.0.2:8053", fmt.Sprintf("10.6.0.1:%d", 4000+i), model.CauseFIN,
					graceful, bytes(40, 24), idle(200*ms), spoke(200*ms, 201*ms), by(model.InitiatorLocal), call(model.CallClose, 0), lasted(203*ms))
				x.Evidence.FirstFIN = begin.Add(at)
				s.outcome(at+20*ms, x, model.CauseDataAfterClose, "late-data-after-close")
			}
		},
		nil, nil,
	},
	{
		"a busy server makes room: it closes what was idle for different times, and accepts others",
		func(s *stream) {
			for i := range 6 {
				s.closedAt(9*sec+time.Duration(i)*ms, time.Duration(i+1)*sec, "app", "10.6.0.2:8000", fmt.Sprintf("10.6.0.1:%d", 4000+i))
			}
			s.end(12*sec, "app", model.Passive, "10.6.0.2:8000", "10.6.0.1:5000", model.CauseFIN, graceful, bytes(40, 24), by(model.InitiatorPeer), lasted(sec))
		},
		[]string{"keepalive-race"},
		[]string{"app (port 8000) closes connections after 1s to 6s of idleness, and 6 requests"},
	},
	{
		"CLIENT KILL of redis, which goes on",
		func(s *stream) {
			for i := range 6 {
				s.closedAt(9*sec+time.Duration(i)*ms, time.Duration(i+1)*sec, "redis-server", "10.6.0.2:6380", fmt.Sprintf("10.6.0.1:%d", 4000+i))
			}
			s.end(12*sec, "redis-server", model.Passive, "10.6.0.2:6380", "10.6.0.1:5000", model.CauseFIN, graceful, bytes(40, 24), by(model.InitiatorPeer), lasted(sec))
		},
		[]string{"process-restart"},
		[]string{"redis-server (port 6380) closed all that was idle at one moment, after 1s to 6s of idleness"},
	},
	{
		"Tomcat on a busy machine: half requests and two that it kept alive meet their timeouts at one moment",
		func(s *stream) {
			for i := range 3 {
				s.end(9*sec, "java", model.Passive, "10.6.0.2:8080", fmt.Sprintf("10.6.0.1:%d", 4000+i), model.CauseFIN, graceful, bytes(0, 31), idle(7600*ms-time.Duration(i)*400*ms), heard(7*sec),
					by(model.InitiatorLocal), call(model.CallShutdown, 0), lasted(7*sec))
			}
			for i, late := range []time.Duration{48 * ms, 108 * ms} {
				x := s.end(9*sec+late, "java", model.Passive, "10.6.0.2:8080", fmt.Sprintf("10.6.0.1:%d", 5000+i), model.CauseFIN, graceful, bytes(3174, 136), idle(2340*ms), spokeLast(model.SideLocal),
					by(model.InitiatorLocal), call(model.CallShutdown, 0), lasted(8*sec), func(t *model.Teardown) { t.TCP.LateData = model.Some(late) })
				x.Evidence.FirstFIN = begin.Add(9 * sec)
			}
		},
		[]string{"keepalive-race", "request-lost"},
		[]string{"java (port 8080) closes connections after 2.34s of idleness, and 1 request"},
	},
}
