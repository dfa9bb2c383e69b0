package findings_test

import (
	"fmt"
	"time"

	"github.com/closetrace/closetrace/model"
)

// likes are stories that look like others.
var likes = []story{
	{
		"a keep-alive race of requests as long as grpc-go's GOAWAY", // that comes at once
		func(s *stream) {
			for i := range 6 {
				at, client := time.Duration(4+i)*sec, fmt.Sprintf("10.6.0.1:%d", 40000+i)
				x := s.end(at, "app", model.Passive, "10.6.0.2:8000", client, model.CauseDataAfterClose, bytes(1800, 213), idle(2010*ms), by(model.InitiatorLocal), call(model.CallClose, 0), lasted(5*sec), spoke(3010*ms, 3011*ms))
				x.Evidence.CloseTime, x.Evidence.FirstFIN = x.Time.Add(-sec), x.Time.Add(-sec)
				s.end(at+ms, "lb", model.Active, client, "10.6.0.2:8000", model.CausePeerReset, bytes(213, 1800), unacked(42), gotFIN, lasted(5*sec), spoke(0, 3010*ms), path(model.SynSent, model.Established, model.CloseWait))
			}
		},
		[]string{"keepalive-race"},
		[]string{"6 requests of lb came too late"},
	},
	{
		"a broker's consumers are killed: it had delivered a moment ago",
		func(s *stream) {
			for i := range 6 {
				s.end(time.Duration(3+3*i)*sec, "beam.smp", model.Passive, "10.6.0.2:5672", fmt.Sprintf("10.6.0.3:%d", 4000+i), model.CauseLingerZero, bytes(6000, 500), idle(100*ms), spoke(100*ms, 8*sec), by(model.InitiatorPeer), gotFIN, call(model.CallClose, 0), lasted(35*sec))
			}
		},
		nil, nil,
	},
	{
		"a server resets clients that have shut down their side, and wait", // one had an answer before
		func(s *stream) {
			for i := range 6 {
				s.end(time.Duration(3+3*i)*sec, "java", model.Passive, "10.6.0.2:8000", fmt.Sprintf("10.6.0.1:%d", 4000+i), model.CauseLingerZero, bytes(uint64(i/5*400), 200), idle(700*ms), spoke(900*ms, 700*ms), spokeLast(model.SidePeer), by(model.InitiatorPeer), call(model.CallClose, 0), gotFIN, lasted(5*sec))
			}
		},
		[]string{"abort-on-close"},
		[]string{"java (port 8000) ended 6 connections with 10.6.0.1 by RST"},
	},
	{
		"RabbitMQ is stopped: its consumers had sent heartbeats at different times",
		func(s *stream) {
			for i := range 6 {
				heard := time.Duration(1500+3000*i) * ms
				s.end(40*sec+time.Duration(i)*ms, "beam.smp", model.Passive, "10.6.0.2:5672", fmt.Sprintf("10.6.0.3:%d", 4000+i), model.CauseLingerZero, bytes(6000, 500), idle(ms), spoke(ms, heard), spokeLast(model.SideLocal), by(model.InitiatorLocal), call(model.CallClose, 0), lasted(35*sec))
			}
		},
		[]string{"idle-timeout"},
		[]string{"beam.smp (port 5672) reset 6 connections of 10.6.0.3 at one moment; nothing had come on them for 1.5s to 16.5s."},
	},
	{
		"a firewall drops all but the first attempts",
		func(s *stream) {
			for i := range 32 {
				at, client := time.Duration(1+3*i)*sec, fmt.Sprintf("10.6.0.1:%d", 4000+i)
				if i == 1 {
					s.end(at, "curl", model.Active, client, "10.6.0.2:80", model.CauseFIN, graceful, bytes(80, 80), by(model.InitiatorLocal), lasted(ms), path(model.SynSent, model.Established))
				} else {
					s.end(at, "curl", model.Active, client, "10.6.0.2:80", model.CauseConnectCancelled, failed, again(1), lasted(2*sec))
				}
			}
		},
		[]string{"path-dead"},
		[]string{"curl could not connect to 10.6.0.2 port 80: no answer to 31 attempts"},
	},
	{
		"half-closes of one server, and the same program gives up a request to another",
		func(s *stream) {
			for i := range 20 {
				at, client := time.Duration(3+3*i)*sec, fmt.Sprintf("127.0.0.1:%d", 4000+i)
				s.end(at, "node", model.Passive, "127.0.0.1:8080", client, model.CauseFIN, graceful, bytes(0, 80), idle(700*ms), heard(700*ms), by(model.InitiatorPeer), call(model.CallClose, 0), lasted(700*ms))
				s.end(at, "nc", model.Active, client, "127.0.0.1:8080", model.CauseFIN, graceful, bytes(80, 0), idle(700*ms), spoke(700*ms, 0), by(model.InitiatorLocal), call(model.CallShutdown, 0), lasted(700*ms))
			}
			s.end(90*sec, "nc", model.Active, "10.6.0.1:999", "10.6.0.2:8080", model.CauseFIN, graceful, bytes(80, 0), idle(10*sec), spoke(10*sec, 0), by(model.InitiatorLocal), call(model.CallClose, 0), lasted(10*sec))
		},
		[]string{"half-close-taken-as-abort", "gave-up-waiting"},
		[]string{"node (port 8080) closed 20 connections"},
	},
	{
		"a capture: clients say a last word that needs no answer, and close themselves", // QUIT, a heartbeat
		func(s *stream) {
			s.records = append(s.records, model.Record{Kind: model.KindStart, Start: model.Start{Backend: "wire"}})
			for i := range 6 {
				quiet, client := time.Duration(1100+700*i)*ms, fmt.Sprintf("10.6.0.1:%d", 4000+i)
				s.end(time.Duration(20+3*i)*sec, "", model.Passive, "10.6.0.2:8080", client, model.CauseFIN, graceful, bytes(900, 500), idle(quiet), spoke(quiet+sec, quiet), by(model.InitiatorPeer), lasted(9*sec))
			}
		},
		nil, nil,
	},
}
