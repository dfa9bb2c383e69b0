package findings_test

import (
	"fmt"
	"time"

	"github.com/closetrace/closetrace/model"
)

// doubts are stories in which a rule that is right elsewhere would be wrong.
var doubts = []story{
	{
		"a client comes as often as the server's idle timeout has passed", // just before the one before is closed
		func(s *stream) {
			for i := range 8 {
				s.end(time.Duration(i+1)*3*sec+4*ms, "nginx", model.Passive, "10.6.0.2:80", fmt.Sprintf("10.6.0.1:%d", 4000+i), model.CauseFIN, graceful, bytes(900, 80), idle(3*sec), spokeLast(model.SideLocal),
					by(model.InitiatorLocal), call(model.CallClose, 0), lasted(3*sec+4*ms))
			}
		},
		[]string{"idle-timeout"},
		[]string{"nginx (port 80) closes connections that were idle for 3s: 8 so far."},
	},
	{
		"a proxy's idle timeout resets clients, and its checks of a back end are reset all the time",
		func(s *stream) {
			for i := range 120 {
				s.end(time.Duration(i)*500*ms+20*ms, "haproxy", model.Active, fmt.Sprintf("10.6.0.2:%d", 40000+i), "10.7.0.9:9200", model.CausePeerReset, bytes(80, 90), lasted(2*ms), spoke(ms, 0), by(model.InitiatorPeer))
			}
			for i := range 40 {
				s.end(time.Duration(i)*1437*ms, "haproxy", model.Passive, "10.6.0.2:443", fmt.Sprintf("10.6.0.1:%d", 4000+i), model.CauseLingerZero, bytes(5000, 900), idle(60*sec), spoke(60*sec, 60*sec+9*ms),
					by(model.InitiatorLocal), call(model.CallClose, 0), lasted(70*sec))
			}
		},
		[]string{"idle-timeout"},
		[]string{"haproxy (port 443) resets connections that were idle for 1m00s (its default): 40 connections so far"},
	},
	{
		"a server that answers each line by three bytes is told to end, and one has no answer",
		func(s *stream) {
			for i := range 4 {
				s.end(100*sec+time.Duration(i)*ms, "lockd", model.Passive, "10.6.0.2:7000", fmt.Sprintf("10.9.0.1:%d", 4000+i), model.CauseFIN, graceful, bytes(297, 2000), idle(3*sec), spoke(8*sec, 3*sec),
					by(model.InitiatorLocal), call(model.CallExit, 15), lasted(90*sec), func(t *model.Teardown) { t.TCP.Segments.In = model.Some[uint64](200) })
			}
		},
		[]string{"process-killed"},
		[]string{"lockd (port 7000) was ended by SIGTERM with 4 requests unanswered"},
	},
	{
		"a server's time limit for requests, beside its idle timeout",
		func(s *stream) {
			for i := range 20 {
				s.end(time.Duration(i)*7*sec+100*sec, "app", model.Passive, "10.6.0.2:8000", fmt.Sprintf("10.9.0.1:%d", 4000+i), model.CauseFIN, graceful, bytes(900, 500), idle(5*sec), spoke(5*sec, 5*sec+3*ms),
					by(model.InitiatorLocal), call(model.CallClose, 0), lasted(20*sec))
			}
			for i := range 5 {
				s.end(time.Duration(i)*9*sec+103*sec, "app", model.Passive, "10.6.0.2:8000", fmt.Sprintf("10.9.0.1:%d", 5000+i), model.CauseFIN, graceful, bytes(900, 500), idle(30*sec), spoke(33*sec, 30*sec),
					by(model.InitiatorLocal), call(model.CallClose, 0), lasted(50*sec))
			}
		},
		[]string{"request-lost", "idle-timeout"},
		[]string{"app (port 8000) closed 5 connections of 10.9.0.1 in good order 30s after its last request"},
	},
	{
		"a keep-alive race of requests of 31 bytes, all alike", // which a close_notify has, too
		func(s *stream) {
			for i := range 7 {
				at, client := time.Duration(10+i)*sec, fmt.Sprintf("10.6.0.1:%d", 4000+i)
				x := s.end(at, "gunicorn", model.Passive, "10.6.0.2:8000", client, model.CauseFIN, graceful, bytes(900, 186), idle(4*sec), by(model.InitiatorLocal), call(model.CallClose, 0), lasted(8*sec))
				s.outcome(at+40*ms, x, model.CauseDataAfterClose, "late-data-after-close")
				s.end(at+40*ms, "app", model.Active, client, "10.6.0.2:8000", model.CausePeerReset, bytes(186, 900), unacked(31), gotFIN, by(model.InitiatorPeer), lasted(8*sec), path(model.SynSent, model.Established, model.CloseWait))
			}
		},
		[]string{"keepalive-race", "idle-timeout"},
		[]string{"7 requests of app came too late"},
	},
	{
		"two namespaces have a full accept queue of the same program at the same port", // Kubernetes pods
		func(s *stream) {
			in := func(netns uint32) edit { return func(t *model.Teardown) { t.Network.NetNS = netns } }
			for i := range 8 {
				netns, at := uint32(1+i%2), time.Duration(1+i)*sec
				if i < 2 {
					s.end(at, "web", model.Passive, "127.0.0.1:8080", fmt.Sprintf("127.0.0.1:%d", 3000+i), model.CauseFIN, graceful, bytes(10, 10), in(netns), lasted(ms), by(model.InitiatorPeer))
				}
				s.end(at, "curl", model.Active, fmt.Sprintf("127.0.0.1:%d", 4000+i), "127.0.0.1:8080", model.CauseConnectTimeout, failed, lasted(7*sec), in(netns), again(3))
				s.records = append(s.records, model.Record{Kind: model.KindCounters, Counters: model.Counters{
					Time: begin.Add(at), Interval: 2 * sec, Network: model.Network{NetNS: netns}, Counts: map[string]uint64{"TcpExtListenOverflows": 4},
				}})
			}
		},
		[]string{"accept-queue-overflow"},
		[]string{"The accept queue of web (port 8080) was full"},
	},
	{
		"single lost SYNs of a client with a short limit, and other connections there are only counted", // record --abnormal
		func(s *stream) {
			for i := range 4 {
				at := time.Duration(1+i) * 10 * sec
				s.inVain(at, fmt.Sprintf("10.6.0.1:%d", 4000+i), "10.6.0.2:8000", 500*ms)
				counts := model.Record{Kind: model.KindCounts, Counted: model.Counted{Ends: 20}}
				counts.Teardown.Time, counts.Teardown.Network.Peer.Port = begin.Add(at+sec), 8000
				s.records = append(s.records, counts)
			}
		},
		nil, nil,
	},
	{
		"the same, and another program's connections there last", // the way there takes longer than the limit
		func(s *stream) {
			for i := range 6 {
				at, client := time.Duration(1+i)*10*sec, fmt.Sprintf("10.6.0.1:%d", 4000+i)
				if s.inVain(at, client, "10.6.0.2:8000", 300*ms); i < 3 {
					s.end(at+sec, "curl", model.Active, client, "10.6.0.2:8000", model.CauseFIN, graceful, bytes(80, 80), by(model.InitiatorLocal), lasted(sec), path(model.SynSent, model.Established))
				}
			}
		},
		[]string{"path-dead"},
		[]string{"haproxy could not connect to 10.6.0.2 port 8000: no answer to 6 attempts, given up after 300ms."},
	},
	{
		"a broker elsewhere is restarted: its clients' last words were publications",
		func(s *stream) {
			for i := range 6 {
				quiet := time.Duration(2+5*i) * sec
				s.end(100*sec+time.Duration(i)*2*ms, "sensor", model.Active, fmt.Sprintf("10.6.0.1:%d", 4000+i), "10.9.0.2:1883", model.CauseFIN, graceful, bytes(9000, 300), idle(quiet), spoke(quiet, quiet+20*sec),
					by(model.InitiatorPeer), call(model.CallClose, 0), lasted(95*sec))
			}
		},
		nil, nil,
	},
	{
		"an operator drains a server of WebSockets, whose clients spoke last", // it is low
		func(s *stream) {
			for i := range 6 {
				quiet := time.Duration(2+5*i) * sec
				s.end(100*sec+time.Duration(i)*2*ms, "node", model.Passive, "10.6.0.2:8080", fmt.Sprintf("10.6.0.1:%d", 4000+i), model.CauseFIN, graceful, bytes(300, 9000), idle(quiet), spoke(quiet+20*sec, quiet),
					by(model.InitiatorLocal), call(model.CallClose, 0), lasted(95*sec))
			}
		},
		[]string{"request-lost"},
		[]string{"node (port 8080) closed 6 connections"},
	},
	{
		"a publisher's pool closes what was idle",
		func(s *stream) {
			for i := range 4 {
				s.end(100*sec+time.Duration(i)*9*sec, "telegraf", model.Active, fmt.Sprintf("10.6.0.1:%d", 5000+i), "10.9.0.2:1883", model.CauseFIN, graceful, bytes(9000, 4), idle(60*sec), spoke(60*sec, 89900*ms),
					by(model.InitiatorLocal), call(model.CallClose, 0), lasted(90*sec))
			}
		},
		[]string{"idle-timeout"},
		[]string{"telegraf closes connections that were idle for 1m00s"},
	},
	{
		"MariaDB has two idle timeouts, and clients close their statements last",
		func(s *stream) {
			for i := range 10 {
				quiet := []time.Duration{60 * sec, 300 * sec}[i%2]
				s.end(400*sec+time.Duration(i)*9*sec, "mariadbd", model.Passive, "10.6.0.2:3306", fmt.Sprintf("10.6.0.1:%d", 4000+i), model.CauseFIN, graceful, bytes(900, 500), idle(quiet), spoke(quiet+2*sec, quiet),
					by(model.InitiatorLocal), call(model.CallClose, 0), lasted(320*sec))
			}
		},
		nil, nil,
	},
	{
		"a pool that was opened at one moment is reset at one moment: no load test, some of it was idle",
		func(s *stream) {
			for i := range 30 {
				s.end(3000*sec+time.Duration(i)*ms, "api", model.Passive, "10.6.0.2:8000", fmt.Sprintf("10.9.0.1:%d", 4000+i), model.CausePeerReset, bytes(9000, 5000), idle(3*sec), spoke(3*sec, 4*sec), lasted(2990*sec+time.Duration(i)*ms))
			}
		},
		[]string{"mass-end"},
		[]string{"30 connections with 10.9.0.0/24 ended within 29ms (peer-reset)."},
	},
	{
		"a client ends its downloads all at once: no time limit",
		func(s *stream) {
			for i := range 20 {
				s.end(300*sec+time.Duration(i)*ms, "app", model.Active, fmt.Sprintf("10.6.0.2:%d", 4000+i), "10.9.0.1:8000", model.CauseUnreadData, bytes(80, 900_000), unread(3000), idle(ms), spoke(200*sec, ms),
					by(model.InitiatorLocal), call(model.CallClose, 0), lasted(200*sec))
			}
		},
		[]string{"left-halfway"},
		[]string{"app closed 20 connections to 10.9.0.1 port 8000 in the middle of the answer (60 kB not read)."},
	},
}
