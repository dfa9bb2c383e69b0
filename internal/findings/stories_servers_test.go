package findings_test

import (
	"fmt"
	"time"

	"github.com/closetrace/closetrace/model"
)

// moreDoubts are doubts, most of them from incidents with real servers.
var moreDoubts = []story{
	{
		"curl https:// to a server of plain HTTP",
		func(s *stream) {
			for i := range 3 {
				client := fmt.Sprintf("127.0.0.1:%d", 4000+i)
				s.end(sec, "curl", model.Active, client, "127.0.0.1:7804", model.CauseUnreadData, bytes(517, 309), unread(304), idle(0), by(model.InitiatorPeer), call(model.CallClose, 0), lasted(3*ms))
				s.end(sec, "nginx", model.Passive, "127.0.0.1:7804", client, model.CausePeerReset, bytes(309, 517), unread(0), idle(0), by(model.InitiatorLocal), call(model.CallShutdown, 0), lasted(3*ms))
			}
		},
		[]string{"tls-mismatch"},
		[]string{"curl speaks TLS to nginx port 7804, and what came on 3 connections is none"},
	},
	{
		"curl http:// to a server of TLS", // Python's; OpenSSL's own sends no alert either
		func(s *stream) {
			for i := range 3 {
				s.end(sec, "python3", model.Passive, "10.0.0.1:7803", fmt.Sprintf("10.0.0.2:%d", 4000+i), model.CauseUnreadData, bytes(0, 78), unread(73), idle(0), by(model.InitiatorLocal), call(model.CallClose, 0), lasted(3*ms))
			}
		},
		[]string{"tls-mismatch"},
		[]string{"python3 (port 7803) expects TLS, and 3 connections of 10.0.0.2 brought something else"},
	},
	{
		"small answers come after the client's time limit, to a closed socket", // 24 bytes, as a close_notify has
		func(s *stream) {
			for i := range 6 {
				at, client := time.Duration(5+5*i)*sec, fmt.Sprintf("10.6.0.1:%d", 4000+i)
				x := s.end(at, "app", model.Active, client, "10.6.0.2:5000", model.CauseFIN, graceful, bytes(60, 24), idle(500*ms), spoke(500*ms, 900*ms), by(model.InitiatorLocal), call(model.CallClose, 0), lasted(2*sec), func(t *model.Teardown) { t.Evidence.FirstFIN = begin.Add(at) })
				s.outcome(at+1500*ms, x, model.CauseDataAfterClose, "late-data-after-close")
			}
		},
		[]string{"gave-up-waiting"},
		[]string{"app gave up 6 requests to 10.6.0.2 port 5000 that had no answer after 500ms"},
	},
	{
		"Java's HttpClient gives up: it calls shutdown() before close()",
		func(s *stream) {
			for i := range 4 {
				at, client := time.Duration(3+3*i)*sec, fmt.Sprintf("10.6.0.1:%d", 4000+i)
				s.end(at, "java", model.Active, client, "10.6.0.2:3000", model.CauseFIN, graceful, bytes(130, 0), idle(1480*ms), spoke(1480*ms, 0), by(model.InitiatorLocal), call(model.CallShutdown, 0), lasted(1500*ms), func(t *model.Teardown) { t.Evidence.CloseTime = begin.Add(at - 3*ms) })
				s.end(at, "node", model.Passive, "10.6.0.2:3000", client, model.CauseFIN, graceful, bytes(0, 130), idle(1480*ms), heard(1480*ms), by(model.InitiatorPeer), call(model.CallClose, 0), lasted(1500*ms))
			}
		},
		[]string{"gave-up-waiting"},
		[]string{"java gave up 4 requests to node port 3000 that had no answer after 1.48s"},
	},
	{
		"a client sends FIN half a second after its request: it waits, or gives up", // nc -N, or Java when the server closes at once; it is medium
		func(s *stream) {
			for i := range 4 {
				at, client := time.Duration(3+3*i)*sec, fmt.Sprintf("10.6.0.1:%d", 4000+i)
				s.end(at, "app", model.Active, client, "10.6.0.2:3000", model.CauseFIN, graceful, bytes(130, 0), idle(700*ms), spoke(700*ms, 0), by(model.InitiatorLocal), call(model.CallShutdown, 0), lasted(750*ms))
				s.end(at, "nginx", model.Passive, "10.6.0.2:3000", client, model.CauseFIN, graceful, bytes(0, 130), idle(700*ms), heard(700*ms), by(model.InitiatorPeer), call(model.CallClose, 0), lasted(750*ms))
			}
		},
		[]string{"half-close-taken-as-abort"},
		[]string{"nginx (port 3000) closed 4 connections without an answer when app had sent FIN, 700ms after the request"},
	},
	{
		"a server closes idle TLS connections at a port of its own, and a pool's farewells come seconds later",
		func(s *stream) {
			for i := range 14 {
				client := fmt.Sprintf("10.6.0.1:%d", 4000+i)
				x := s.end(20*sec+time.Duration(i)*us, "node", model.Passive, "10.6.0.2:47445", client, model.CauseFIN, graceful, bytes(2500, 900), idle(5*sec), by(model.InitiatorLocal), call(model.CallClose, 0), lasted(8*sec))
				s.outcome(24*sec+time.Duration(i)*us, x, model.CauseDataAfterClose, "late-data-after-close")
				s.end(24*sec+time.Duration(i)*us, "app", model.Active, client, "10.6.0.2:47445", model.CausePeerReset, bytes(900, 2500), unacked(24), gotFIN, by(model.InitiatorPeer), lasted(11*sec), path(model.SynSent, model.Established, model.CloseWait, model.LastAck))
			}
		},
		[]string{"idle-timeout", "tls-close-notify"},
		nil,
	},
	{
		"TLS clients at a port of their own do not wait for the server's farewell, which is late",
		func(s *stream) {
			for i := range 4 {
				at, client := time.Duration(5+5*i)*sec, fmt.Sprintf("10.6.0.1:%d", 4000+i)
				x := s.end(at, "shipper", model.Active, client, "10.6.0.2:47500", model.CauseFIN, graceful, bytes(9000, 1500), idle(300*ms), spoke(300*ms, 900*ms), by(model.InitiatorLocal), call(model.CallClose, 0), lasted(2*sec), func(t *model.Teardown) { t.Evidence.FirstFIN = begin.Add(at) })
				s.end(at+600*ms, "collector", model.Passive, "10.6.0.2:47500", client, model.CausePeerReset, bytes(1500, 9000), unacked(31), gotFIN, by(model.InitiatorPeer), lasted(2600*ms))
				s.outcome(at+600*ms, x, model.CauseDataAfterClose, "late-data-after-close")
			}
		},
		[]string{"tls-close-notify"},
		nil,
	},
	{
		"a healthy back end, single lost SYNs in a long recording, and ordinary ends that are only counted",
		func(s *stream) {
			for i := range 12 {
				at := time.Duration(1+i) * 600 * sec
				s.inVain(at, fmt.Sprintf("10.6.0.1:%d", 4000+i), "10.6.0.2:8000", 500*ms)
				counts := model.Record{Kind: model.KindCounts, Counted: model.Counted{Ends: 900}}
				counts.Teardown.Time, counts.Teardown.Network.Peer.Port = begin.Add(at+sec), 8000
				s.records = append(s.records, counts)
			}
		},
		nil, nil,
	},
	{
		"ten pods, two attempts of each are given up, and none is ever answered",
		func(s *stream) {
			for i := range 20 {
				s.inVain(time.Duration(i)*sec, fmt.Sprintf("10.6.0.%d:%d", 10+i%10, 4000+i), "10.6.0.2:8000", 500*ms)
				s.records[len(s.records)-1].Teardown.Network.NetNS = uint32(10 + i%10)
			}
		},
		[]string{"path-dead"},
		[]string{"haproxy could not connect to 10.6.0.2 port 8000: no answer to 20 attempts"},
	},
	{
		"a crash loop: some were ended by one signal, some by another",
		func(s *stream) {
			for i := range 10 {
				signal := 9
				if i >= 4 {
					signal = 11
				}
				if i >= 7 {
					signal = 6
				}
				s.end(time.Duration(10*i)*sec, "app", model.Passive, "10.6.0.2:8000", fmt.Sprintf("10.6.0.1:%d", 4000+i), model.CauseFIN, graceful, bytes(0, 100), spoke(0, 900*ms), by(model.InitiatorLocal), call(model.CallExit, signal), lasted(9*sec),
					func(t *model.Teardown) { t.TCP.LastSpeaker = model.SidePeer })
			}
		},
		[]string{"process-killed"},
		[]string{"app (port 8000) ended with 10 requests unanswered"},
	},
	{
		"stunnel's TIMEOUTidle is shorter than the answer takes",
		func(s *stream) {
			for i := range 4 {
				s.end(time.Duration(5+5*i)*sec, "stunnel4", model.Passive, "10.6.0.2:8444", fmt.Sprintf("10.6.0.1:%d", 4000+i), model.CauseLingerZero, bytes(1500, 900), idle(2*sec), spoke(2300*ms, 2*sec), by(model.InitiatorLocal), call(model.CallClose, 0), lasted(3*sec))
			}
		},
		[]string{"idle-timeout"},
		[]string{"stunnel4 (port 8444) reset 4 connections of 10.6.0.1 2s after the client's last words, without an answer"},
	},
	{
		"somebody kills five queries of MariaDB at one moment", // it is low: a restart looks like that
		func(s *stream) {
			for i := range 5 {
				quiet := time.Duration(700*(i+2)) * ms
				s.end(20*sec+time.Duration(i)*ms, "mariadbd", model.Passive, "10.6.0.2:3306", fmt.Sprintf("10.6.0.1:%d", 4000+i), model.CauseFIN, graceful, bytes(500, 300), idle(quiet), spoke(quiet+ms, quiet), by(model.InitiatorLocal), call(model.CallClose, 0), lasted(9*sec))
			}
		},
		[]string{"request-lost"},
		[]string{"mariadbd (port 3306) closed 5 connections of 10.6.0.1 in good order 1.4s to 4.2s after its last request"},
	},
	{
		"a busy server's handlers fail all the time",
		func(s *stream) {
			for i := range 500 {
				quiet := time.Duration(1500+60*i) * ms
				s.end(40*sec+time.Duration(10*i)*ms, "node", model.Passive, "10.6.0.2:8080", fmt.Sprintf("10.6.0.1:%d", 4000+i), model.CauseFIN, graceful, bytes(300, 9000), idle(quiet), spoke(quiet+sec, quiet), by(model.InitiatorLocal), call(model.CallClose, 0), lasted(35*sec))
			}
		},
		[]string{"request-lost"},
		[]string{"node (port 8080) closed 500 connections of 10.6.0.1"},
	},
	{
		"an upstream crashes with several requests, and Envoy passes that on to each client",
		func(s *stream) {
			for i := range 6 {
				asked := time.Duration(5+i) * sec
				s.end(60*sec+time.Duration(i)*ms, "envoy", model.Active, fmt.Sprintf("10.8.1.2:%d", 4000+i), "10.8.9.9:8080", model.CausePeerReset, bytes(80, 200), by(model.InitiatorPeer), lasted(50*sec), spoke(asked, 20*sec))
			}
			for i := range 6 {
				asked := time.Duration(5+i) * sec
				s.end(60*sec+time.Duration(10+i)*ms, "envoy", model.Passive, "10.8.1.2:80", fmt.Sprintf("10.0.0.9:%d", 4000+i), model.CauseLingerZero, bytes(200, 80), idle(asked), spoke(20*sec, asked), by(model.InitiatorLocal), call(model.CallClose, 0), lasted(55*sec))
			}
		},
		[]string{"abort-on-close"},
		[]string{"envoy (port 80) reset 6 connections with 10.0.0.9 at the moment at which its own to 10.8.9.9:8080 had been reset"},
	},
	{
		"one of two back ends is dead, and ordinary ends of the other are only counted",
		func(s *stream) {
			for i := range 12 {
				at := time.Duration(1+i) * 10 * sec
				s.inVain(at, fmt.Sprintf("10.6.0.1:%d", 4000+i), "10.6.0.2:8000", 500*ms)
				counts := model.Record{Kind: model.KindCounts, Counted: model.Counted{Ends: 2}}
				counts.Teardown.Time, counts.Teardown.Network.Peer.Port = begin.Add(at+sec), 8000
				s.records = append(s.records, counts)
			}
		},
		[]string{"path-dead"},
		[]string{"haproxy could not connect to 10.6.0.2 port 8000: no answer to 12 attempts"},
	},
	{
		"a back end dies, and connections that were open end one after the other",
		func(s *stream) {
			for i := range 30 {
				at, client := time.Duration(60+2*i)*sec, fmt.Sprintf("10.6.0.1:%d", 4000+i)
				s.inVain(at, client, "10.6.0.2:8000", 500*ms)
				s.end(at+sec, "haproxy", model.Active, fmt.Sprintf("10.6.0.1:%d", 5000+i), "10.6.0.2:8000", model.CauseFIN, graceful, bytes(80, 80), by(model.InitiatorLocal), lasted(at-10*sec), path(model.SynSent, model.Established))
			}
		},
		[]string{"path-dead"},
		[]string{"haproxy could not connect to 10.6.0.2 port 8000: no answer to 30 attempts"},
	},
	{
		"a capture: clients give up, HAProxy does by RST, a server says nothing, and checks end by RST", // of no process, by no call
		func(s *stream) {
			s.records = append(s.records, model.Record{Kind: model.KindStart, Start: model.Start{Backend: "wire"}})
			for i := range 4 {
				at, client := time.Duration(3+3*i)*sec, fmt.Sprintf("10.6.0.1:%d", 4000+i)
				s.end(at, "", model.Active, client, "10.6.0.2:8080", model.CauseFIN, graceful, bytes(80, 0), idle(sec), spoke(sec, 0), by(model.InitiatorLocal), lasted(1010*ms))
				s.end(at, "", model.Active, client, "10.6.0.2:9000", model.CauseLocalAbort, bytes(80, 0), idle(1500*ms), spoke(1500*ms, 0), by(model.InitiatorLocal), lasted(1510*ms))
				s.end(at+sec, "", model.Passive, "10.6.0.2:7202", client, model.CauseFIN, graceful, bytes(0, 80), idle(3*sec), heard(3*sec), by(model.InitiatorLocal), lasted(3010*ms))
				s.end(at+2*sec, "", model.Active, fmt.Sprintf("10.6.0.9:%d", 5000+i), "10.6.0.2:7301", model.CauseLocalAbort, bytes(0, 0), by(model.InitiatorLocal), lasted(ms))
			}
		},
		[]string{"request-lost", "gave-up-waiting", "gave-up-waiting", "health-check"},
		[]string{"the server on port 7202 closed 4 connections of 10.6.0.1 in good order 3s after the request"},
	},
	{
		"a server is down for a while, and answers later attempts",
		func(s *stream) {
			for i := range 6 {
				at, client := time.Duration(1+2*i)*sec, fmt.Sprintf("10.6.0.1:%d", 4000+i)
				if i < 3 {
					s.end(at, "curl", model.Active, client, "10.6.0.2:80", model.CauseConnectCancelled, failed, again(1), lasted(2*sec))
				} else {
					s.end(at, "curl", model.Active, client, "10.6.0.2:80", model.CauseFIN, graceful, bytes(80, 80), by(model.InitiatorLocal), lasted(ms), path(model.SynSent, model.Established))
				}
			}
		},
		[]string{"path-dead"},
		[]string{"curl could not connect to 10.6.0.2 port 80: no answer to 3 attempts"},
	},
	{
		"RabbitMQ ends what its clients have closed by RST, and what sends no heartbeats", // its own are a second old
		func(s *stream) {
			for i := range 4 {
				client := fmt.Sprintf("10.6.0.1:%d", 4000+i)
				s.end(time.Duration(3+3*i)*sec, "beam.smp", model.Passive, "10.6.0.2:5672", client, model.CauseLingerZero, bytes(600, 500), idle(ms), by(model.InitiatorPeer), call(model.CallClose, 0), gotFIN, lasted(2*sec))
				s.end(40*sec, "beam.smp", model.Passive, "10.6.0.2:5672", fmt.Sprintf("10.6.0.3:%d", 4000+i), model.CauseLingerZero, bytes(600, 500), idle(950*ms), spoke(950*ms, 5950*ms), spokeLast(model.SideLocal), by(model.InitiatorLocal), call(model.CallClose, 0), lasted(20*sec))
			}
		},
		[]string{"idle-timeout"},
		[]string{"beam.smp (port 5672) reset 4 connections of 10.6.0.3 on which nothing had come for 5.95s"},
	},
	{
		"curl -m 7 to a host that was restarted: a RST answers its FIN",
		func(s *stream) {
			for i := range 3 {
				s.end(9*sec, "curl", model.Active, fmt.Sprintf("10.6.0.1:%d", 4000+i), "10.6.0.2:8081", model.CausePeerReset, bytes(77, 0), idle(7*sec), spoke(7*sec, 0), by(model.InitiatorLocal), call(model.CallClose, 0), lasted(7*sec))
			}
		},
		[]string{"gave-up-waiting"},
		[]string{"curl gave up 3 requests to 10.6.0.2 port 8081 that had no answer after 7s"},
	},
	{
		"postfix ends sessions by a word after smtpd_timeout",
		func(s *stream) {
			for i := range 4 {
				s.end(time.Duration(5+3*i)*sec, "smtpd", model.Passive, "10.6.0.2:25", fmt.Sprintf("10.6.0.1:%d", 4000+i), model.CauseFIN, graceful, bytes(150, 20), idle(ms), spoke(ms, 3*sec), spokeLast(model.SideLocal), by(model.InitiatorLocal), call(model.CallClose, 0), lasted(3100*ms))
			}
		},
		[]string{"idle-timeout"},
		[]string{"smtpd (port 25) closes connections with a farewell when the last message is 3s old"},
	},
	{
		"a proxy's back end is killed with requests, and it passes that on by FIN",
		func(s *stream) {
			for i := range 4 {
				asked := time.Duration(1000+40*i) * ms
				s.end(60*sec+time.Duration(i)*ms, "haproxy", model.Active, fmt.Sprintf("10.8.1.2:%d", 4000+i), "10.8.9.9:8080", model.CausePeerReset, bytes(80, 0), by(model.InitiatorPeer), lasted(asked), spoke(asked, 0))
				s.end(60*sec+time.Duration(5+i)*ms, "haproxy", model.Passive, "10.8.1.2:6380", fmt.Sprintf("10.0.0.9:%d", 4000+i), model.CauseFIN, graceful, bytes(0, 80), idle(asked), heard(asked), by(model.InitiatorLocal), call(model.CallClose, 0), lasted(asked+ms))
			}
		},
		[]string{"request-lost"},
		[]string{"haproxy (port 6380) closed 4 connections of 10.0.0.9 in good order", "when its own to 10.8.9.9:8080 had been reset or had died: it passes that on."},
	},
	{
		"HAProxy gives up requests, some by FIN before it closes",
		func(s *stream) {
			for i := range 8 {
				at, client := time.Duration(3+3*i)*sec, fmt.Sprintf("127.0.0.1:%d", 4000+i)
				how := call(model.CallClose, 0)
				if i%3 == 0 {
					how = call(model.CallShutdown, 0)
					s.end(at, "redis-server", model.Passive, "127.0.0.1:6379", client, model.CauseFIN, graceful, bytes(0, 80), idle(2*sec), heard(2*sec), by(model.InitiatorPeer), call(model.CallClose, 0), lasted(2*sec))
				}
				s.end(at, "haproxy", model.Active, client, "127.0.0.1:6379", model.CauseFIN, graceful, bytes(80, 0), idle(2*sec), spoke(2*sec, 0), by(model.InitiatorLocal), how, lasted(2*sec))
			}
		},
		[]string{"gave-up-waiting"},
		[]string{"haproxy gave up 8 requests"},
	},
}
