package findings_test

import (
	"fmt"
	"time"

	"github.com/closetrace/closetrace/model"
)

// counts adds a line of counters.
func (s *stream) counts(at time.Duration, counts map[string]uint64) {
	s.records = append(s.records, model.Record{Kind: model.KindCounters, Counters: model.Counters{Time: begin.Add(at), Interval: sec, Counts: counts}})
}

// again is how often a SYN was sent again.
func again(n uint32) edit { return func(t *model.Teardown) { t.TCP.Retransmits = model.Some(n) } }

func spokeLast(who model.Side) edit { return func(t *model.Teardown) { t.TCP.LastSpeaker = who } }

// resetAtOnce are connections to a server that are reset before its first byte, 2 ms apart.
func (s *stream) resetAtOnce(server string) {
	for i := range 30 {
		s.end(sec+time.Duration(i)*2*ms, "app", model.Active, fmt.Sprintf("10.0.0.1:%d", 4000+i), server, model.CausePeerReset, bytes(500, 0), lasted(300*ms))
	}
}

// hosts are stories in which several facts of one host belong together.
var hosts = []story{
	{
		"HAProxy at its maxconn does not accept: the queue is full, and curl's SYNs have no answer",
		func(s *stream) {
			s.end(sec, "haproxy", model.Passive, "127.0.0.1:8080", "127.0.0.1:3999", model.CauseFIN, graceful, bytes(99, 81), by(model.InitiatorPeer), call(model.CallClose, 0), lasted(9*ms))
			for i := range 3 {
				s.end(5*sec, "curl", model.Active, fmt.Sprintf("127.0.0.1:%d", 4000+i), "127.0.0.1:8080", model.CauseConnectCancelled, failed, again(2), lasted(3*sec))
			}
			s.counts(4*sec, map[string]uint64{"TcpExtListenOverflows": 3, "TcpExtListenDrops": 3})
		},
		[]string{"accept-queue-overflow"},
		[]string{"The accept queue of haproxy (port 8080) was full: 3 overflows counted, 3 attempts to connect had no answer"},
	},
	{
		"the same without counters", // haproxy was seen to accept there
		func(s *stream) {
			s.end(sec, "haproxy", model.Passive, "127.0.0.1:8080", "127.0.0.1:3999", model.CauseFIN, graceful, bytes(99, 81), by(model.InitiatorPeer), call(model.CallClose, 0), lasted(9*ms))
			s.end(5*sec, "curl", model.Active, "127.0.0.1:4000", "127.0.0.1:8080", model.CauseConnectCancelled, failed, again(2), lasted(3*sec))
		},
		[]string{"path-dead"},
		[]string{"curl could not connect to 127.0.0.1 port 8080"},
	},
	{
		"this host's conntrack table is full, and SYNs are dropped",
		func(s *stream) {
			s.end(5*sec, "curl", model.Active, "10.6.0.1:4000", "10.9.0.2:80", model.CauseConnectCancelled, failed, again(2), lasted(3*sec))
			s.counts(4*sec, map[string]uint64{"ConntrackDrop": 7})
		},
		[]string{"path-dead"},
		[]string{"curl could not connect to 10.9.0.2 port 80", "conntrack of this host dropped 7 packets meanwhile"},
	},
	{
		"a Service without endpoints: one attempt reads the error, the others clear it", // kubernetes/kubernetes#17359
		func(s *stream) {
			s.end(sec, "python3", model.Active, "10.8.1.2:4000", "10.8.9.9:80", model.CauseUnreachable, failed, lasted(1010*ms), func(t *model.Teardown) { t.TCP.Error = "ECONNREFUSED" })
			for i, program := range []string{"curl", "node"} {
				s.end(sec+time.Duration(i)*ms, program, model.Active, fmt.Sprintf("10.8.1.2:%d", 5000+i), "10.8.9.9:80", model.CauseConnectCancelled, failed, again(0), lasted(ms))
			}
		},
		[]string{"firewall-reject"},
		[]string{"python3 sends to 10.8.9.9 port 80: 1 connection failed", "2 attempts of curl, node, given up at once"},
	},
	{
		"a NAT forgets, and the server's own listener answers", // conntrack -D behind masquerade
		func(s *stream) {
			s.end(sec, "app", model.Active, "10.41.1.2:4000", "10.41.2.2:6390", model.CausePeerReset, bytes(6, 7), unacked(6), noRST, spoke(0, 1100*ms))
			s.stray(1900*ms, sec-ms, "10.41.2.2:6390", "10.41.1.2:4000")
			s.records[len(s.records)-1].Teardown.TCP.RST.Reason = "TCP_FLAGS"
		},
		[]string{"middlebox-reset"},
		[]string{"app", "neither end", "at least 1.1s of idleness"},
	},
	{
		"such an answer to a client that was never accepted",
		func(s *stream) {
			s.end(sec, "app", model.Active, "10.41.1.2:4000", "10.41.2.2:6390", model.CausePeerReset, bytes(0, 0), unacked(6), noRST)
			s.stray(1900*ms, sec-ms, "10.41.2.2:6390", "10.41.1.2:4000")
			s.records[len(s.records)-1].Teardown.TCP.RST.Reason = "TCP_FLAGS"
		},
		nil, nil,
	},
	{
		"a NAT's reset in the middle of a slow answer", // limit_rate: the request is old, and nothing was idle
		func(s *stream) {
			s.end(9*sec, "nginx", model.Passive, "10.7.2.2:80", "10.7.1.2:4000", model.CausePeerReset, bytes(2_900_000, 80), unacked(5000), noRST, spoke(0, 5600*ms), spokeLast(model.SideLocal))
			s.stray(9500*ms, 9*sec-ms, "10.7.1.2:4000", "10.7.2.2:80")
		},
		[]string{"middlebox-reset"},
		[]string{"reset by neither end: something between them did it."},
	},
	{
		"PgBouncer's server connection dies, and it tells its client",
		func(s *stream) {
			s.end(20*sec, "pgbouncer", model.Active, "10.15.0.1:4000", "10.15.0.2:5432", model.CauseRetransmitTimeout, bytes(90, 100), unacked(14), spoke(13*sec, 13*sec))
			s.end(20*sec+ms, "pgbouncer", model.Passive, "127.0.0.1:6432", "127.0.0.1:4000", model.CauseFIN, graceful, bytes(460, 120), idle(ms), spoke(ms, 13*sec), by(model.InitiatorLocal), call(model.CallClose, 0), lasted(14*sec))
		},
		[]string{"path-dead"},
		[]string{"pgbouncer", "10.15.0.2"},
	},
	{
		"a keep-alive race of which only the client's end was traced", // closetrace -- COMMAND
		func(s *stream) {
			for i := range 12 {
				s.end(5*sec+time.Duration(i)*ms, "python3", model.Active, fmt.Sprintf("127.0.0.1:%d", 4000+i), "127.0.0.1:8000", model.CausePeerReset, bytes(27, 120), unacked(27), gotFIN,
					idle(2010*ms), spoke(4400*ms, 4396*ms), path(model.SynSent, model.Established, model.CloseWait), by(model.InitiatorPeer), func(t *model.Teardown) {
						t.Evidence.FirstFIN = t.Time.Add(-2390 * ms)
						t.PeerProcess = model.PeerProcess{PID: 7, Name: "gunicorn"}
					})
			}
		},
		[]string{"keepalive-race"},
		[]string{"gunicorn closes connections after 2.01s of idleness, and 12 requests of python3"},
	},
	{
		"nginx: half a request, client_header_timeout, and the rest of it comes too late",
		func(s *stream) {
			for i := range 3 {
				x := s.end(2*sec, "nginx", model.Passive, "10.6.0.2:80", fmt.Sprintf("10.6.0.1:%d", 4000+i), model.CauseFIN, graceful, bytes(0, 35), idle(sec), heard(sec), by(model.InitiatorLocal), call(model.CallClose, 0), lasted(1010*ms))
				s.outcome(2*sec+10*ms, x, model.CauseDataAfterClose, "late-data-after-close")
			}
		},
		[]string{"request-lost", "idle-timeout"},
		[]string{"nginx (port 80) closed 3 connections", "without a byte of answer"},
	},
	{
		"nginx is short of worker_connections: it closes what is idle, whatever its age",
		func(s *stream) {
			for i, d := range []time.Duration{600 * ms, 900 * ms, 1500 * ms, 2300 * ms, 3100 * ms} {
				x := s.end(time.Duration(4+i)*sec, "nginx", model.Passive, "10.6.0.2:80", fmt.Sprintf("10.6.0.1:%d", 4000+i), model.CauseFIN, graceful, bytes(203, 68), idle(d), by(model.InitiatorLocal), call(model.CallClose, 0), lasted(4*sec))
				s.outcome(time.Duration(5+i)*sec, x, model.CauseDataAfterClose, "late-data-after-close")
			}
		},
		[]string{"keepalive-race"},
		[]string{"nginx (port 80) closes connections after 600ms to 3.1s of idleness", "5 requests"},
	},
	{
		"nginx is reloaded when all had been idle for 2.2 s: nobody sets that",
		func(s *stream) { s.keptAlive(4, "nginx", func(int) time.Duration { return 2210 * ms }) },
		[]string{"process-restart"},
		[]string{"nginx (port 80) closed all that was idle at one moment"},
	},
	{
		"redis looks at its timeouts now and then, and closes all that it finds",
		func(s *stream) { s.keptAlive(4, "redis-server", func(int) time.Duration { return 2210 * ms }) },
		[]string{"keepalive-race", "idle-timeout"},
		[]string{"redis-server (port 80) closes connections after 2.21s of idleness"},
	},
	{
		"HAProxy: on-marked-down shutdown-sessions",
		func(s *stream) {
			s.keptAlive(4, "haproxy", func(i int) time.Duration { return 2*sec + time.Duration(i)*300*ms })
		},
		[]string{"process-restart"},
		[]string{"haproxy (port 80) closed all that was idle at one moment", "4 requests"},
	},
	{
		"localhost is ::1 first, and the server listens at 127.0.0.1 only",
		func(s *stream) {
			for i := range 4 {
				s.end(time.Duration(i)*sec, "curl", model.Active, fmt.Sprintf("[::1]:%d", 4000+i), "[::1]:8080", model.CauseRefused, failed, lasted(ms))
				s.end(time.Duration(i)*sec, "nginx", model.Passive, "127.0.0.1:8080", fmt.Sprintf("127.0.0.1:%d", 4000+i), model.CauseFIN, graceful, bytes(99, 81), by(model.InitiatorPeer), call(model.CallClose, 0), lasted(9*ms))
			}
		},
		[]string{"refused-loop"},
		[]string{"curl was refused by [::1]:8080 4 times", "but nginx does at 127.0.0.1"},
	},
	{
		"HAProxy's timeout server in TCP mode: blocking commands are cut off", // redis BLPOP
		func(s *stream) {
			for i := range 4 {
				client := fmt.Sprintf("127.0.0.1:%d", 4000+i)
				s.end(4*sec+time.Duration(i)*100*ms, "haproxy", model.Passive, "127.0.0.1:6380", client, model.CauseFIN, graceful, bytes(7, 25), idle(2*sec), spokeLast(model.SidePeer), by(model.InitiatorLocal), call(model.CallShutdown, 0), lasted(3*sec))
			}
		},
		[]string{"idle-timeout"},
		[]string{"haproxy (port 6380) closes connections that were idle for 2s", "the client had spoken last on each, and got no answer"},
	},
	{
		"a SYN flood",
		func(s *stream) {
			s.end(sec, "nginx", model.Passive, "10.6.0.2:80", "10.6.0.1:4000", model.CauseFIN, graceful, bytes(99, 81), by(model.InitiatorPeer), call(model.CallClose, 0), lasted(9*ms))
			s.counts(2*sec, map[string]uint64{"TcpExtTCPReqQFullDoCookies": 9000, "TcpExtSyncookiesSent": 9000, "TcpExtSyncookiesRecv": 3})
		},
		[]string{"syn-flood"},
		[]string{"The SYN queue of a listener (perhaps nginx's) was full for 9000 SYNs", "only 3 handshakes", "SYN flood"},
	},
	{
		"a server that is too slow fills both queues",
		func(s *stream) {
			s.end(sec, "nginx", model.Passive, "10.6.0.2:80", "10.6.0.1:4000", model.CauseFIN, graceful, bytes(99, 81), by(model.InitiatorPeer), call(model.CallClose, 0), lasted(9*ms))
			for i := range 25 {
				s.end(2*sec+time.Duration(i)*200*ms, "app", model.Active, fmt.Sprintf("10.6.0.1:%d", 5000+i), "10.6.0.2:80", model.CausePeerReset, bytes(0, 0), unacked(81), lasted(ms))
			}
			s.counts(2*sec, map[string]uint64{"TcpExtTCPReqQFullDoCookies": 20, "TcpExtListenOverflows": 25})
		},
		[]string{"accept-queue-overflow"},
		[]string{"The accept queue of nginx was full: 25 overflows counted"},
	},
	{
		"a host of this network is down: attempts that overlap all fail when ARP gives up",
		func(s *stream) {
			for i, d := range []time.Duration{3050 * ms, 2400 * ms, 1800 * ms, 1200 * ms, 600 * ms} {
				s.end(4*sec+time.Duration(i)*10*time.Microsecond, "curl", model.Active, fmt.Sprintf("10.8.1.2:%d", 4000+i), "10.8.1.9:80", model.CauseUnreachable, failed, lasted(d),
					func(t *model.Teardown) { t.TCP.Error = "EHOSTUNREACH" })
			}
		},
		[]string{"path-dead"},
		[]string{"curl got no answer from 10.8.1.9 any more: 5 connections (unreachable)"},
	},
	{
		"a server elsewhere resets all that asks it, at one moment",
		func(s *stream) { s.resetAtOnce("10.9.9.9:80") },
		[]string{"mass-end"},
		[]string{"30 connections with 10.9.9.0/24"},
	},
	{
		"the same, and a queue of this host was full once",
		func(s *stream) {
			s.resetAtOnce("10.9.9.9:80")
			s.counts(2*sec, map[string]uint64{"TcpExtListenOverflows": 1})
		},
		[]string{"accept-queue-overflow", "mass-end"},
		[]string{"The accept queue of a listener was full: 1 overflow counted."},
	},
	{
		"the queue of this host was full, and all were reset at one moment",
		func(s *stream) {
			s.end(sec, "nginx", model.Passive, "10.6.0.2:80", "10.6.0.1:4000", model.CauseFIN, graceful, bytes(99, 81), by(model.InitiatorPeer), call(model.CallClose, 0), lasted(9*ms))
			s.resetAtOnce("10.6.0.2:80")
			s.counts(2*sec, map[string]uint64{"TcpExtListenOverflows": 30})
		},
		[]string{"accept-queue-overflow"},
		[]string{"30 connections to 10.6.0.2:80 reset"},
	},
}
