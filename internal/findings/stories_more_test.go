package findings_test

import (
	"fmt"
	"slices"
	"time"

	"github.com/closetrace/closetrace/model"
)

var networks = []story{
	{
		"PostgreSQL's child reads the client's Terminate, and its FIN comes first",
		func(s *stream) {
			s.end(9*sec, "postgres", model.Passive, "127.0.0.1:5432", "127.0.0.1:4000", model.CauseFIN, graceful, bytes(70, 120), gotFIN, by(model.InitiatorLocal), call(model.CallExit, 0), heard(4*ms))
		},
		nil,
		nil,
	},
	{
		"the same, and only the client is on this host",
		func(s *stream) {
			s.end(sec, "node", model.Active, "10.0.0.1:4000", "10.0.0.2:8008", model.CausePeerReset, bytes(126922, 231), unacked(3736516), unread(231), gotFIN)
		},
		[]string{"early-answer"},
		[]string{"node", "10.0.0.2"},
	},
	{
		"Node closes a busy connection whose request has just come",
		func(s *stream) {
			s.end(9*sec, "node", model.Passive, "127.0.0.1:3000", "127.0.0.1:4000", model.CauseUnreadData, bytes(500, 140), unread(28), by(model.InitiatorLocal), call(model.CallClose, 0), spoke(3200*ms, 300*ms))
		},
		[]string{"request-lost"},
		[]string{"node", "28 B", "2.9s"},
	},
	{
		"nginx takes a half-close for an abort",
		func(s *stream) {
			s.end(sec, "nginx", model.Passive, "127.0.0.1:8080", "127.0.0.1:4000", model.CauseFIN, graceful, bytes(0, 90), gotFIN, by(model.InitiatorPeer), call(model.CallClose, 0))
			s.end(sec, "app", model.Active, "127.0.0.1:4000", "127.0.0.1:8080", model.CauseFIN, graceful, bytes(90, 0), gotFIN, by(model.InitiatorLocal), call(model.CallShutdown, 0))
		},
		[]string{"half-close-taken-as-abort"},
		[]string{"nginx", "app"},
	},
	{
		"a file is sent by nc -N, and the server closes when it has it",
		func(s *stream) {
			for i, began := range []time.Duration{500 * ms, 9 * sec} {
				n, client := []uint64{5_000_000, 900}[i], fmt.Sprintf("127.0.0.1:%d", 4000+i)
				s.end(10*sec, "nc", model.Passive, "127.0.0.1:8080", client, model.CauseFIN, graceful, bytes(0, n), heard(ms), gotFIN, lasted(began), by(model.InitiatorPeer), call(model.CallClose, 0))
				s.end(10*sec, "tar", model.Active, client, "127.0.0.1:8080", model.CauseFIN, graceful, bytes(n, 0), gotFIN, lasted(began), by(model.InitiatorLocal), call(model.CallShutdown, 0))
			}
		},
		nil, nil,
	},
	{
		"a client that gave up before it was answered",
		func(s *stream) {
			s.end(sec, "nginx", model.Passive, "127.0.0.1:8080", "127.0.0.1:4000", model.CauseFIN, graceful, bytes(0, 90), gotFIN, by(model.InitiatorPeer), call(model.CallClose, 0))
			s.end(sec, "app", model.Active, "127.0.0.1:4000", "127.0.0.1:8080", model.CauseFIN, graceful, bytes(90, 0), gotFIN, by(model.InitiatorLocal), call(model.CallClose, 0))
		},
		nil, nil,
	},
	{
		"an event loop that lingers",
		func(s *stream) {
			s.end(6*sec, "envoy", model.Passive, "127.0.0.1:7000", "127.0.0.1:4000", model.CauseLingerExpired, bytes(100, 3), unacked(3890000), func(t *model.Teardown) {
				t.Verdict, t.CloseBlocked = model.LingerTimeout, model.Some(5*sec)
			})
		},
		[]string{"slow-close"},
		[]string{"envoy", "5s"},
	},
	{
		"an MTU black hole",
		func(s *stream) {
			s.end(30*sec, "nginx", model.Passive, "10.16.2.2:80", "10.16.1.2:4000", model.CauseRetransmitTimeout, bytes(0, 78), unacked(78000), func(t *model.Teardown) {
				t.TCP.FullSizeAcked, t.TCP.MSS, t.TCP.Retransmits = model.Some(false), model.Some[uint32](1448), model.Some[uint32](6)
				t.TCP.Bytes.Retransmitted = model.Some[uint64](6 * 1448)
			})
		},
		[]string{"mtu-black-hole"},
		[]string{"nginx", "10.16.1.2", "78 kB"},
	},
	{
		"a path that is dead, and one that is not",
		func(s *stream) {
			s.end(30*sec, "pgbouncer", model.Active, "10.15.0.1:4000", "10.15.0.2:5432", model.CauseRetransmitTimeout, bytes(90, 100), unacked(20))
			s.end(31*sec, "postgres", model.Passive, "10.15.0.2:5432", "10.15.0.1:4001", model.CauseKeepaliveTimeout, bytes(90, 100), spoke(7*sec, 6*sec))
			s.end(31*sec, "curl", model.Active, "10.15.0.1:4002", "10.15.0.9:80", model.CauseFIN, graceful, bytes(90, 100), by(model.InitiatorLocal), call(model.CallClose, 0))
		},
		[]string{"path-dead", "path-dead"},
		[]string{"pgbouncer", "10.15.0.2"},
	},
	{
		"a firewall rejects",
		func(s *stream) {
			for i, why := range []string{"ECONNREFUSED", "ECONNREFUSED", "EHOSTUNREACH"} {
				s.end(time.Duration(i)*sec, "curl", model.Active, "10.8.1.2:4000", "10.8.9.9:80", model.CauseUnreachable, failed, lasted(ms), func(t *model.Teardown) { t.TCP.Error = why })
			}
		},
		[]string{"firewall-reject"},
		[]string{"curl", "10.8.9.9", "3 connections failed at once (ECONNREFUSED and other errors)"},
	},
	{
		"a router has no route; its second answer is late, because it limits their rate",
		func(s *stream) {
			for i, d := range []time.Duration{ms, 7 * sec} {
				s.end(8*sec+time.Duration(i)*sec, "curl", model.Active, "10.8.1.2:4000", "10.98.0.1:80", model.CauseUnreachable, failed, lasted(d), func(t *model.Teardown) { t.Evidence.SoftError = "ENETUNREACH" })
			}
		},
		[]string{"firewall-reject"},
		[]string{"A router without a route, or a firewall, rejects what curl sends to 10.98.0.1 port 80: 2 connections failed at once (ENETUNREACH)"},
	},
	{
		"packets go in a circle, or a firewall says host prohibited",
		func(s *stream) {
			s.end(sec, "curl", model.Active, "10.8.1.2:4000", "10.99.0.1:80", model.CauseUnreachable, failed, lasted(ms), func(t *model.Teardown) { t.TCP.Error = "EHOSTUNREACH" })
		},
		[]string{"firewall-reject"},
		[]string{"A firewall or a router rejects what curl sends to 10.99.0.1 port 80: 1 connection failed at once (EHOSTUNREACH)"},
	},
	{
		"a capture shows resets that were not the peer's",
		func(s *stream) {
			for i := range 3 {
				s.end(time.Duration(i)*sec, "", model.Active, fmt.Sprintf("10.8.1.2:%d", 4000+i), "10.8.9.9:80", model.CausePeerReset, bytes(90, 9000), lasted(sec), func(t *model.Teardown) {
					t.Rule, t.Confidence, t.Terminator = "reset-between", model.Inferred, model.NetworkPath
				})
			}
		},
		[]string{"middlebox-reset"},
		[]string{"3 connections", "reset by neither end"},
	},
	{
		"a retry loop without back-off",
		func(s *stream) {
			for i := range 50 {
				s.end(time.Duration(i)*100*ms, "app", model.Active, fmt.Sprintf("10.8.1.2:%d", 4000+i), "10.8.9.9:5432", model.CauseRefused, failed, lasted(ms))
			}
		},
		[]string{"refused-loop"},
		[]string{"app", "50 times", "100ms"},
	},
	{
		"docker-proxy, and nobody listens in the container",
		func(s *stream) {
			s.end(sec, "docker-proxy", model.Active, "172.19.0.1:4000", "172.19.0.2:5000", model.CauseRefused, failed, lasted(ms))
			s.end(sec+ms, "docker-proxy", model.Passive, "127.0.0.1:5000", "127.0.0.1:4001", model.CauseUnreadData, bytes(0, 80), unread(80), by(model.InitiatorLocal), call(model.CallClose, 0), lasted(2*ms))
			s.end(sec+ms, "curl", model.Active, "127.0.0.1:4001", "127.0.0.1:5000", model.CausePeerReset, bytes(80, 0), lasted(2*ms))
		},
		[]string{"upstream-refused"},
		[]string{"docker-proxy", "172.19.0.2:5000", "curl"},
	},
	{
		"conntrack lets an INVALID packet through: both ends are reset, and none did it",
		func(s *stream) {
			same := func(t *model.Teardown) { t.TCP.Fingerprint = 77 }
			s.end(sec, "nginx", model.Passive, "10.7.2.2:80", "10.7.1.2:4000", model.CausePeerReset, bytes(900000, 80), unacked(5000), noRST, same)
			s.end(sec+20*ms, "curl", model.Active, "10.7.1.2:4000", "10.7.9.9:80", model.CausePeerReset, bytes(80, 900000), noRST, same)
		},
		[]string{"middlebox-reset"},
		[]string{"neither end"},
	},
	{
		"the peer's host, which is this one, answers without a socket",
		func(s *stream) {
			s.end(sec, "nginx", model.Passive, "10.7.2.2:80", "10.7.1.2:4000", model.CausePeerReset, bytes(900000, 80), unacked(5000), noRST)
			s.stray(1900*ms, sec-ms, "10.7.1.2:4000", "10.7.2.2:80")
		},
		[]string{"middlebox-reset"},
		[]string{"nginx", "10.7.1.2", "neither end"},
	},
	{
		"the same of a short connection, which is no health check",
		func(s *stream) {
			s.end(sec, "nginx", model.Passive, "10.7.2.2:80", "10.7.1.2:4000", model.CausePeerReset, bytes(200, 80), lasted(300*ms), noRST)
			s.stray(1900*ms, sec-ms, "10.7.1.2:4000", "10.7.2.2:80")
		},
		[]string{"middlebox-reset"},
		[]string{"nginx", "10.7.1.2", "neither end"},
	},
	{
		"short connections are reset at one moment, and no health check is so",
		func(s *stream) { s.shortResets(1) },
		[]string{"mass-end"},
		[]string{"12 connections with 10.0.9.0/24"},
	},
	{
		"a program resets what it opens, one connection after the other",
		func(s *stream) {
			for i := range 30 {
				s.end(sec+time.Duration(i)*2*ms, "loop", model.Active, fmt.Sprintf("10.0.0.1:%d", 4000+i), "10.0.9.1:80", model.CauseUnreadData, bytes(100, 100), unread(5), by(model.InitiatorLocal), call(model.CallClose, 0), lasted(ms))
			}
		},
		nil, nil,
	},
	{
		"twelve load balancers of one network check at the same moments",
		func(s *stream) { s.shortResets(5) },
		slices.Repeat([]string{"health-check"}, 12),
		[]string{"redis-server", "2s"},
	},
	{
		"a NAT forgets an idle connection",
		func(s *stream) {
			s.end(700*sec, "app", model.Active, "10.7.2.2:4000", "198.51.100.1:5432", model.CausePeerReset, bytes(900, 80), unacked(50), spoke(ms, 400*sec), lasted(500*sec))
		},
		[]string{"middlebox-reset"},
		[]string{"6m40s"},
	},
	{
		"a load balancer's TCP check every 2 s",
		func(s *stream) {
			for i := range 10 {
				s.end(time.Duration(i)*2*sec, "redis-server", model.Passive, "10.0.0.2:6379", fmt.Sprintf("10.0.0.9:%d", 4000+i), model.CausePeerReset, bytes(0, 0), lasted(ms))
			}
		},
		[]string{"health-check"},
		[]string{"10.0.0.9", "redis-server", "2s", "10 health checks"},
	},
	{
		"the same, and the machine stood still once",
		func(s *stream) {
			for i := range 20 {
				at := time.Duration(i) * sec
				if i >= 10 {
					at += 9 * sec
				}
				s.end(at, "redis-server", model.Passive, "10.0.0.2:6379", fmt.Sprintf("10.0.0.9:%d", 4000+i), model.CausePeerReset, bytes(0, 0), lasted(ms))
			}
		},
		[]string{"health-check"},
		[]string{"20 health checks"},
	},
	{
		"connections at no regular times are none",
		func(s *stream) {
			for i := range 10 {
				s.end(time.Duration(i*i)*sec, "redis-server", model.Passive, "10.0.0.2:6379", fmt.Sprintf("10.0.0.9:%d", 4000+i), model.CausePeerReset, bytes(0, 0), lasted(ms))
			}
		},
		nil, nil,
	},
	{
		"a listener's queue is full",
		func(s *stream) {
			s.end(500*ms, "redis-server", model.Passive, "10.0.0.2:6379", "10.0.0.1:3999", model.CauseFIN, graceful, bytes(9, 9), by(model.InitiatorPeer), call(model.CallClose, 0))
			for i := range 4 {
				s.end(sec, "python3", model.Active, fmt.Sprintf("10.0.0.1:%d", 4000+i), "10.0.0.2:6379", model.CausePeerReset, bytes(0, 0), unacked(6), lasted(ms))
			}
			s.records = append(s.records, model.Record{Kind: model.KindCounters, Counters: model.Counters{Time: begin.Add(2 * sec), Counts: map[string]uint64{"TcpExtListenOverflows": 4}}})
		},
		[]string{"accept-queue-overflow"},
		[]string{"redis-server", "4 overflows", "4 connections", "10.0.0.2:6379"},
	},
	{
		"nginx closes after 75 s of idleness, three times and once after 3 s",
		func(s *stream) {
			for i, d := range []time.Duration{75 * sec, 75020 * ms, 3 * sec, 75400 * ms} {
				s.end(100*sec+time.Duration(i)*sec, "nginx", model.Passive, "10.0.0.1:80", fmt.Sprintf("10.0.0.2:%d", 4000+i), model.CauseFIN, graceful, bytes(100, 100), idle(d), by(model.InitiatorLocal), call(model.CallClose, 0))
			}
		},
		[]string{"idle-timeout"},
		[]string{"nginx", "1m15s", "its default"},
	},
	{
		"MariaDB resets after wait_timeout",
		func(s *stream) {
			s.end(100*sec, "mariadbd", model.Passive, "10.0.0.1:3306", "10.0.0.2:4000", model.CauseLingerZero, bytes(100, 100), idle(28800*sec), by(model.InitiatorLocal), call(model.CallClose, 0))
		},
		[]string{"idle-timeout"},
		[]string{"mariadbd", "8h00m", "its default"},
	},
	{
		"a leak in CLOSE_WAIT",
		func(s *stream) {
			s.end(4000*sec, "app", model.Active, "10.0.0.1:4000", "10.0.0.2:80", model.CauseFIN, graceful, bytes(100, 100), by(model.InitiatorPeer), call(model.CallExit, 0),
				path(model.SynSent, model.Established, model.CloseWait, model.LastAck), func(t *model.Teardown) {
					t.Evidence.FirstFIN, t.Evidence.CloseTime = begin.Add(100*sec), begin.Add(4000*sec)
				})
		},
		[]string{"close-wait-leak"},
		[]string{"app", "1h05m"},
	},
	{
		"a switch restarts: 30 connections end at once for no reason of their own",
		func(s *stream) {
			for i := range 30 {
				s.end(sec+time.Duration(i)*2*ms, "app", model.Active, fmt.Sprintf("10.0.0.1:%d", 4000+i), fmt.Sprintf("10.0.9.%d:80", i+1), model.CausePeerReset, bytes(100, 100), lasted(60*sec))
			}
		},
		[]string{"mass-end"},
		[]string{"30 connections", "10.0.9.0/24"},
	},
	{
		"a server process ends, and its connections are idle",
		func(s *stream) {
			for i := range 5 {
				s.end(sec+time.Duration(i)*ms, "api", model.Passive, "10.0.0.1:80", fmt.Sprintf("10.0.0.2:%d", 4000+i), model.CauseFIN, graceful, bytes(100, 100), spoke(sec, 2*sec),
					by(model.InitiatorLocal), call(model.CallExit, 15), path(model.SynRecv, model.Established, model.FinWait1, model.FinWait2))
			}
		},
		[]string{"process-restart"},
		[]string{"api (port 80) ended by SIGTERM: 5 connections"},
	},
	{
		"the same twice, an hour apart",
		func(s *stream) {
			for i := range 10 {
				s.end(sec+time.Duration(i/5)*time.Hour+time.Duration(i)*ms, "api", model.Passive, "10.0.0.1:80", fmt.Sprintf("10.0.0.2:%d", 4000+i), model.CauseFIN, graceful, bytes(100, 100), spoke(sec, 2*sec),
					by(model.InitiatorLocal), call(model.CallExit, 15), path(model.SynRecv, model.Established, model.FinWait1, model.FinWait2), func(t *model.Teardown) { t.Process.PID += i / 5 })
			}
		},
		[]string{"process-restart"},
		[]string{"api (port 80) ended by SIGTERM, 2 times: 10 connections"},
	},
	{
		"a reader that does not read",
		func(s *stream) {
			s.end(100*sec, "redis-server", model.Passive, "10.0.0.1:6379", "10.0.0.2:4000", model.CauseZeroWindowTimeout, bytes(100, 100), unacked(2_000_000))
		},
		[]string{"slow-reader"},
		[]string{"redis-server", "10.0.0.2", "2 MB"},
	},
	{
		"healthy traffic",
		func(s *stream) {
			for i := range 2000 {
				client := fmt.Sprintf("10.0.0.2:%d", 2000+i)
				at := time.Duration(i) * 10 * ms
				s.end(at, "curl", model.Active, client, "10.0.0.1:80", model.CauseFIN, graceful, bytes(100, 1000), by(model.InitiatorLocal), call(model.CallClose, 0), idle(2*ms), lasted(20*ms), spoke(3*ms, 2*ms), gotFIN)
				s.end(at, "nginx", model.Passive, "10.0.0.1:80", client, model.CauseFIN, graceful, bytes(1000, 100), by(model.InitiatorPeer), call(model.CallClose, 0), idle(2*ms), lasted(20*ms), spoke(2*ms, 3*ms), gotFIN)
			}
		},
		nil, nil,
	},
}

// shortResets are connections of twelve clients that are reset after an answer, n times.
func (s *stream) shortResets(n int) {
	for i := range 12 * n {
		s.end(time.Duration(i/12)*2*sec+sec+time.Duration(i%12)*ms, "redis-server", model.Passive, "10.0.0.2:6379", fmt.Sprintf("10.0.9.%d:%d", 1+i%12, 4000+i),
			model.CausePeerReset, bytes(7, 14), lasted(300*ms))
	}
}
