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

// closesAll is a server that closes all that is idle at one moment, and accepts another one afterwards.
func (s *stream) closesAll(process, local string) {
	for i := range 6 {
		s.closedAt(9*sec+time.Duration(i)*ms, time.Duration(i+1)*sec, process, local, fmt.Sprintf("10.6.0.1:%d", 4000+i))
	}
	s.end(12*sec, process, model.Passive, local, "10.6.0.1:5000", model.CauseFIN, graceful, bytes(40, 24), by(model.InitiatorPeer), lasted(sec))
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
		func(s *stream) { s.closesAll("app", "10.6.0.2:8000") },
		[]string{"keepalive-race"},
		[]string{"app (port 8000) closes connections after 1s to 6s of idleness, and 6 requests"},
	},
	{
		"CLIENT KILL of redis, which goes on",
		func(s *stream) { s.closesAll("redis-server", "10.6.0.2:6380") },
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
	{
		"two clients with one MQTT ID that talk, so that few are idle for long", // at another port
		func(s *stream) { s.putOut("mosquitto", "10.6.0.2:28423", 8) },
		[]string{"idle-timeout"},
		[]string{"mosquitto (port 28423) closes connections that were idle for 1s: 4 so far; 11 of all 12 that it closed ended when it had just accepted another one."},
	},
	{
		"the same of a server that is no broker: its clients come as often as its timeout",
		func(s *stream) { s.putOut("app", "10.6.0.2:28423", 8) },
		[]string{"idle-timeout"},
		[]string{"app (port 28423) closes connections that were idle for 1s: 4 so far."},
	},
	{
		"a broker's keep-alive, and a client that puts another one out now and then",
		func(s *stream) {
			s.putOut("mosquitto", "10.6.0.2:1883", 0)
			for i := range 9 {
				s.end(time.Duration(i)*7*sec+30*sec, "mosquitto", model.Passive, "10.6.0.2:1883", fmt.Sprintf("10.6.0.1:%d", 5000+i), model.CauseFIN, graceful, bytes(9, 28), idle(90*sec), spokeLast(model.SideLocal),
					by(model.InitiatorLocal), call(model.CallClose, 0), lasted(95*sec))
			}
		},
		[]string{"idle-timeout"},
		[]string{"mosquitto (port 1883) closes connections that were idle for 1m30s"},
	},
	{
		"clients of a server that is killed elsewhere: they had asked, and nothing had ever come",
		func(s *stream) { s.unheard(12, "10.9.0.2:8000", 0, 0) },
		[]string{"request-lost"},
		[]string{"10.9.0.2 (port 8000) closed 12 connections of app in good order 1.9s after the request, without a byte of answer."},
	},
	{
		"the same to a TLS hello", // to a port of plain HTTP
		func(s *stream) { s.unheard(4, "10.9.0.2:8443", 0, 3*sec) },
		[]string{"request-lost"},
		[]string{"10.9.0.2 (port 8443) closed 4 connections of app"},
	},
	{
		"two of them", // a probe
		func(s *stream) { s.unheard(2, "10.9.0.2:8000", 0, 3*sec) },
		nil, nil,
	},
	{
		"log shippers, whose server ends what is idle",
		func(s *stream) { s.unheard(6, "10.9.0.2:514", 0, 3*sec) },
		[]string{"idle-timeout"},
		[]string{"10.9.0.2 (port 514) closes connections that were idle for 1.9s: 6 so far."},
	},
	{
		"the same at a port of their own, which had sent more",
		func(s *stream) { s.unheard(6, "10.9.0.2:9000", 20*sec, 3*sec) },
		[]string{"idle-timeout"},
		[]string{"10.9.0.2 (port 9000) closes connections that were idle for 1.9s: 6 so far."},
	},
	{
		"checks that open a connection and say nothing, which the server ends",
		func(s *stream) {
			for i := range 6 {
				s.end(time.Duration(5*i+3)*sec, "app", model.Active, fmt.Sprintf("10.6.0.1:%d", 4000+i), "10.9.0.2:8000", model.CauseFIN, graceful, bytes(0, 0), by(model.InitiatorPeer), lasted(3*sec), gotFIN)
			}
		},
		nil, nil,
	},
	{
		"clients of a full server, whose SYN is answered after 5 s, give up after 6 s more; of two it takes the request late",
		func(s *stream) {
			for i := range 8 {
				at := 12*sec + time.Duration(i)*700*ms
				x := s.end(at, "app", model.Active, fmt.Sprintf("10.6.0.1:%d", 4000+i), "10.9.0.2:8000", model.CauseFIN, graceful, bytes(75, 0), idle(6*sec), spoke(6*sec, 11100*ms), again(5),
					by(model.InitiatorLocal), call(model.CallClose, 0), lasted(11100*ms))
				x.TCP.LastReceived, x.TCP.Bytes.Retransmitted = 0, model.Some(uint64(i/6*225))
				if i/6 > 0 {
					spoke(6*sec, 6*sec)(x)
					x.TCP.LastReceived, x.StartTime = 0, x.Time.Add(-20*sec)
				}
			}
		},
		[]string{"gave-up-waiting"},
		[]string{"app gave up 8 requests to 10.9.0.2 port 8000 that had no answer after 6s."},
	},
	{
		"a publisher that lost a packet, and ends", // of a protocol that is never answered
		func(s *stream) {
			x := s.end(60*sec, "app", model.Active, "10.6.0.1:4000", "10.9.0.2:9000", model.CauseFIN, graceful, bytes(7500, 0), idle(6*sec), spoke(6*sec, 60*sec), again(1),
				by(model.InitiatorLocal), call(model.CallClose, 0), lasted(60*sec))
			x.TCP.LastReceived, x.TCP.Bytes.Retransmitted = 0, model.Some[uint64](75)
		},
		nil, nil,
	},
}

// unheard is n clients whose server elsewhere closes 1.9 s after their last words: they talked for a
// while, and it ends them so far from each other.
func (s *stream) unheard(n int, peer string, talked, apart time.Duration) {
	for i := range n {
		x := s.end(30*sec+time.Duration(i)*apart, "app", model.Active, fmt.Sprintf("10.6.0.1:%d", 4000+i), peer, model.CauseFIN, graceful, bytes(128, 0), idle(1900*ms), spoke(1900*ms, 2*sec), gotFIN,
			by(model.InitiatorPeer), call(model.CallClose, 0), lasted(1905*ms+talked))
		x.TCP.LastReceived = 0
	}
}

// putOut is a server whose clients put each other out: four of them were idle, and so many had just
// spoken.
func (s *stream) putOut(process, local string, busy int) {
	for i := range 4 + busy {
		quiet := sec
		if i >= 4 {
			quiet = 4 * ms
		}
		s.end(time.Duration(i+1)*sec+ms, process, model.Passive, local, fmt.Sprintf("10.6.0.1:%d", 4000+i), model.CauseFIN, graceful, bytes(9, 28), idle(quiet), spokeLast(model.SideLocal),
			by(model.InitiatorLocal), call(model.CallClose, 0), lasted(1001*ms))
	}
}
