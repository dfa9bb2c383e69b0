package findings_test

import (
	"fmt"
	"time"

	"github.com/closetrace/closetrace/model"
)

// waits are stories about clients that wait in vain, and about what they do not want.
var waits = []story{
	{
		"proxy_read_timeout on connections that nginx uses again, and one of which the server had spoken last",
		func(s *stream) { s.readTimeout(model.CauseFIN, graceful) },
		[]string{"gave-up-waiting"},
		[]string{"nginx gave up 3 requests to 10.6.0.2 port 8080 that had no answer after 1m00s"},
	},
	{
		"a busy pool asks as soon as it has an answer, and the next one comes after proxy_read_timeout",
		func(s *stream) { s.busyPool("127.0.0.1:8000", sec) },
		[]string{"gave-up-waiting"},
		[]string{"nginx gave up 4 requests to 127.0.0.1 port 8000 that had no answer after 3s"},
	},
	{
		"the same of a server that never answers", // or of HTTP/2, without TLS
		func(s *stream) { s.busyPool("10.9.0.2:8000", 0) },
		[]string{"idle-timeout"},
		[]string{"nginx closes connections that were idle for 3s", "nginx had spoken last on each, and got no answer"},
	},
	{
		"clients of HTTP/2 close what is idle, and the server says goodbye",
		func(s *stream) { s.busyPool("10.9.0.2:8000", 2*ms) },
		[]string{"idle-timeout"},
		[]string{"nginx closes connections that were idle for 3s"},
	},
	{
		"the same by TLS, and the server takes its time: it may be a close_notify",
		func(s *stream) { s.busyPool("10.9.0.2:443", sec) },
		[]string{"idle-timeout"},
		[]string{"nginx closes connections that were idle for 3s"},
	},
	{
		"HAProxy's timeout server on connections that it uses again: it resets them",
		func(s *stream) {
			for i := range 3 {
				s.end(4*sec+time.Duration(i)*7*sec, "haproxy", model.Active, fmt.Sprintf("10.6.0.1:%d", 4000+i), "10.9.0.2:8000", model.CauseLingerZero, bytes(161, 113), idle(3*sec), spoke(3*sec, 3*sec),
					by(model.InitiatorLocal), call(model.CallClose, 0), lasted(3003*ms))
			}
		},
		[]string{"abort-on-close"},
		[]string{"haproxy ended 3 connections with 10.9.0.2 by RST", "it had spoken last on each, and got no answer for 3s"},
	},
	{
		"the same of a proxy that ends such connections by RST",
		func(s *stream) { s.readTimeout(model.CauseLingerZero, call(model.CallClose, 0)) },
		[]string{"gave-up-waiting"},
		[]string{"nginx gave up 3 requests"},
	},
	{
		"consumers of a queue end, whose last words were a heartbeat",
		func(s *stream) {
			for i := range 3 {
				s.end(100*sec, "worker", model.Active, fmt.Sprintf("10.6.0.1:%d", 4000+i), "10.6.0.2:5672", model.CauseFIN, graceful, bytes(900, 5000), idle(time.Duration(2+7*i)*sec), spoke(time.Duration(2+7*i)*sec, 70*sec),
					by(model.InitiatorLocal), call(model.CallExit, 15), lasted(90*sec))
			}
		},
		nil, nil,
	},
	{
		"a batch job computes for 7 s, and closes its pool", // of one process, and it had asked on all
		func(s *stream) {
			for i := range 10 {
				s.end(8*sec+time.Duration(i)*ms, "python3", model.Active, fmt.Sprintf("10.6.0.1:%d", 4000+i), "10.9.0.2:6379", model.CauseFIN, graceful, bytes(6, 7), idle(7*sec), spoke(7*sec, 7*sec-ms),
					by(model.InitiatorLocal), call(model.CallClose, 0), lasted(7100*ms))
			}
		},
		nil, nil,
	},
	{
		"two clients with one MQTT ID put each other out", // each comes back after a second
		func(s *stream) {
			for i := range 6 {
				s.end(time.Duration(i+1)*sec+ms, "mosquitto", model.Passive, "10.6.0.2:1883", fmt.Sprintf("10.6.0.1:%d", 4000+i), model.CauseFIN, graceful, bytes(9, 28), idle(sec), spokeLast(model.SideLocal),
					by(model.InitiatorLocal), call(model.CallClose, 0), lasted(1001*ms))
			}
		},
		[]string{"idle-timeout"},
		[]string{"mosquitto (port 1883) closes connections that were idle for 1s: 6 so far; 5 of all 6 that it closed ended when it had just accepted another one."},
	},
	{
		"a server's idle timeout, and each client comes back at once", // it had closed before
		func(s *stream) {
			for i := range 6 {
				s.end(time.Duration(i+1)*sec, "mosquitto", model.Passive, "10.6.0.2:1883", fmt.Sprintf("10.6.0.1:%d", 4000+i), model.CauseFIN, graceful, bytes(9, 28), idle(sec), spokeLast(model.SideLocal),
					by(model.InitiatorLocal), call(model.CallClose, 0), lasted(990*ms))
			}
		},
		[]string{"idle-timeout"},
		[]string{"mosquitto (port 1883) closes connections that were idle for 1s: 6 so far."},
	},
	{
		"sshd's LoginGraceTime: its clients never say anything", // each has a process of its own
		func(s *stream) {
			for i := range 3 {
				s.end(4*sec, "sshd", model.Passive, "10.6.0.2:22", fmt.Sprintf("10.6.0.1:%d", 4000+i), model.CauseFIN, graceful, bytes(41, 0), idle(3*sec), spokeLast(model.SideLocal),
					by(model.InitiatorLocal), lasted(3050*ms), func(t *model.Teardown) { t.Process.PID += i }, call(model.CallExit, 0))
			}
		},
		[]string{"idle-timeout"},
		[]string{"sshd (port 22) closes connections on which nothing had come for 3s: 3 so far."},
	},
	{
		"clients of HTTP/2 acknowledge the answer, and close what is idle",
		func(s *stream) {
			for i := range 4 {
				s.end(100*sec+time.Duration(i)*sec, "grpc", model.Active, fmt.Sprintf("10.6.0.1:%d", 4000+i), "10.9.0.2:50051", model.CauseFIN, graceful, bytes(900, 5000), idle(60*sec), spoke(60*sec, 60*sec+ms),
					by(model.InitiatorLocal), call(model.CallClose, 0), lasted(90*sec))
			}
		},
		[]string{"idle-timeout"},
		[]string{"grpc closes connections that were idle for 1m00s"},
	},
	{
		"the second request of connections that had their first answer at once",
		func(s *stream) {
			for i := range 3 {
				s.end(sec+time.Duration(i)*7*sec, "nginx", model.Active, fmt.Sprintf("10.0.0.1:%d", 4000+i), "10.6.0.2:8080", model.CauseFIN, graceful, bytes(900, 5000), idle(60*sec), spoke(60*sec, 80*sec), by(model.InitiatorLocal), call(model.CallClose, 0), lasted(80500*ms))
			}
		},
		[]string{"gave-up-waiting"},
		[]string{"nginx gave up 3 requests to 10.6.0.2 port 8080 that had no answer after 1m00s"},
	},
	{
		"publishers of NATS, which greets them and then only listens",
		func(s *stream) {
			for i := range 6 {
				quiet := time.Duration(2+3*i) * sec
				s.end(sec+time.Duration(i)*7*sec, "publisher", model.Active, fmt.Sprintf("10.0.0.1:%d", 4000+i), "10.6.0.2:4222", model.CauseFIN, graceful, bytes(50_000, 400), idle(quiet), spoke(quiet, 80*sec), by(model.InitiatorLocal), call(model.CallClose, 0), lasted(80500*ms))
			}
		},
		nil, nil,
	},
	{
		"MariaDB's connect_timeout: clients hear its greeting and say nothing",
		func(s *stream) {
			for i := range 3 {
				s.end(4*sec, "mariadbd", model.Passive, "10.0.0.1:3306", fmt.Sprintf("10.0.0.2:%d", 4000+i), model.CauseLingerZero, bytes(104, 0), idle(3*sec), by(model.InitiatorLocal), call(model.CallClose, 0), lasted(3005*ms))
			}
		},
		[]string{"idle-timeout"},
		[]string{"mariadbd (port 3306) resets connections on which the client has said nothing for 3s: 3 so far"},
	},
	{
		"nginx reset_timedout_connection: a request that is never complete",
		func(s *stream) {
			for i := range 3 {
				s.end(70*sec, "nginx", model.Passive, "10.0.0.1:80", fmt.Sprintf("10.0.0.2:%d", 4000+i), model.CauseLingerZero, bytes(0, 30), idle(60*sec), heard(60*sec), by(model.InitiatorLocal), call(model.CallClose, 0), lasted(61*sec))
			}
		},
		[]string{"abort-on-close"},
		[]string{"nginx (port 80) ended 3 connections", "SO_LINGER"},
	},
	{
		"Node destroys connections after their second request", // its handler fails
		func(s *stream) { s.unanswered("node", "10.6.0.2:8080", 200*ms) },
		[]string{"request-lost"},
		[]string{"node (port 8080) closed 5 connections of 10.6.0.1", "1.5s to 5.5s after its last request"},
	},
	{
		"the same of a server elsewhere",
		func(s *stream) {
			s.unanswered("", "10.9.0.2:8080", 200*ms)
		},
		[]string{"request-lost"},
		[]string{"10.9.0.2 (port 8080) closed 5 connections of app", "1.5s to 5.5s after its last request"},
	},
	{
		"KILL of MariaDB, right after the session began",
		func(s *stream) { s.unanswered("mariadbd", "10.6.0.2:3306", 4*ms) },
		[]string{"request-lost"},
		[]string{"mariadbd (port 3306) closed 5 connections of 10.6.0.1"},
	},
	{
		"the same, and only the client is on this host",
		func(s *stream) { s.unanswered("", "10.9.0.2:3306", 0) },
		[]string{"request-lost"},
		[]string{"10.9.0.2 (port 3306) closed 5 connections of app"},
	},
	{
		"a server of HTTP/2 closes what is idle: acknowledgements were the clients' last words",
		func(s *stream) { s.unanswered("node", "10.6.0.2:8080", 20*ms) },
		nil, nil,
	},
	{
		"the same of a server elsewhere",
		func(s *stream) { s.unanswered("", "10.9.0.2:8080", 20*ms) },
		nil, nil,
	},
	{
		"a load balancer elsewhere has a time limit for answers; by TLS and MySQL a last message may need none",
		func(s *stream) {
			for i := range 9 {
				server := []string{"10.9.0.2:8080", "10.9.0.2:443", "10.9.0.2:3306"}[i%3]
				s.end(70*sec+time.Duration(i)*sec, "app", model.Active, fmt.Sprintf("10.6.0.1:%d", 4000+i), server, model.CauseFIN, graceful, bytes(141, 124), idle(60*sec), spoke(60*sec, 61*sec), by(model.InitiatorPeer), call(model.CallClose, 0), lasted(62*sec))
			}
		},
		[]string{"request-lost", "idle-timeout", "idle-timeout"},
		[]string{"10.9.0.2 (port 8080) closed 3 connections of app in good order 1m00s after its last request"},
	},
	{
		"nginx return 444: requests are read and dropped at once",
		func(s *stream) {
			for i := range 3 {
				s.end(sec+time.Duration(i)*sec, "nginx", model.Passive, "10.6.0.2:80", fmt.Sprintf("10.6.0.1:%d", 4000+i), model.CauseFIN, graceful, bytes(0, 81), idle(0), heard(0), by(model.InitiatorLocal), call(model.CallClose, 0), lasted(2*ms))
			}
		},
		[]string{"request-lost"},
		[]string{"nginx (port 80) closed 3 connections of 10.6.0.1 in good order at once after the request"},
	},
	{
		"pools of different ages: the server had answered, and closes",
		func(s *stream) { s.unanswered("node", "10.6.0.2:8080", -200*ms) },
		nil, nil,
	},
	{
		"pm.max_children: nginx gives up what waits in the accept queue of php-fpm", // fastcgi_read_timeout 4s
		func(s *stream) {
			s.end(5*sec, "php-fpm8.2", model.Passive, "127.0.0.1:9000", "127.0.0.1:3000", model.CauseFIN, graceful, bytes(90, 500), by(model.InitiatorLocal), call(model.CallClose, 0), lasted(3*sec))
			for i := range 3 {
				s.end(6*sec, "nginx", model.Active, fmt.Sprintf("127.0.0.1:%d", 4000+i), "127.0.0.1:9000", model.CauseFIN, graceful, bytes(500, 0), idle(4*sec), spoke(4*sec, 0), by(model.InitiatorLocal), call(model.CallClose, 0), lasted(4010*ms))
			}
		},
		[]string{"gave-up-waiting"},
		[]string{"nginx gave up 3 requests to php-fpm8.2 at 127.0.0.1 port 9000", "4s"},
	},
	{
		"PgBouncer's query_wait_timeout, which it looks at three times a second",
		func(s *stream) {
			for i, waited := range []time.Duration{2010 * ms, 2330 * ms} {
				at, client := sec*time.Duration(4+i), fmt.Sprintf("127.0.0.1:%d", 4000+i)
				closed := func(t *model.Teardown) { t.Evidence.FirstFIN = begin.Add(at) }
				s.end(at, "pgbouncer", model.Passive, "127.0.0.1:6432", client, model.CauseFIN, graceful, bytes(460, 120), idle(ms), spoke(ms, waited), by(model.InitiatorLocal), call(model.CallClose, 0), lasted(3*sec), closed)
				s.end(at+ms, "psql", model.Active, client, "127.0.0.1:6432", model.CauseFIN, graceful, bytes(120, 460), by(model.InitiatorPeer), call(model.CallClose, 0), closed)
			}
		},
		[]string{"request-lost"},
		[]string{"pgbouncer (port 6432) ended 2 sessions of psql with an error 2.01s to 2.33s after the last query", "query_wait_timeout"},
	},
	{
		"curl does not trust the certificate", // exit 60
		func(s *stream) {
			for i := range 2 {
				client := fmt.Sprintf("127.0.0.1:%d", 4000+i)
				speaks := func(who model.Side) edit { return func(t *model.Teardown) { t.TCP.LastSpeaker = who } }
				s.end(sec, "curl", model.Active, client, "127.0.0.1:8443", model.CauseUnreadData, bytes(524, 1223), unread(314), idle(0), speaks(model.SideLocal), by(model.InitiatorLocal), call(model.CallClose, 0), lasted(30*ms))
				s.end(sec, "nginx", model.Passive, "127.0.0.1:8443", client, model.CausePeerReset, bytes(1223, 524), idle(0), speaks(model.SidePeer), by(model.InitiatorPeer), lasted(30*ms))
			}
			for i, how := range []edit{ // the alert is not acknowledged yet; the server closes first
				func(t *model.Teardown) { bytes(517, 1223)(t); unacked(7)(t); by(model.InitiatorLocal)(t) },
				func(t *model.Teardown) { bytes(524, 1223)(t); by(model.InitiatorPeer)(t) },
			} {
				s.end(2*sec, "curl", model.Active, fmt.Sprintf("127.0.0.1:%d", 5000+i), "127.0.0.1:8443", model.CauseUnreadData, unread(314), idle(0), how,
					func(t *model.Teardown) { t.TCP.LastSpeaker = model.SideLocal }, call(model.CallClose, 0), lasted(30*ms))
			}
		},
		[]string{"certificate-rejected"},
		[]string{"curl closed 4 TLS connections to nginx port 8443", "rejects the certificate"},
	},
	{
		"a client that does the same to a server that sees only its own end",
		func(s *stream) {
			s.end(sec, "nginx", model.Passive, "10.0.0.1:443", "10.0.0.2:4000", model.CauseFIN, graceful, bytes(2223, 524), idle(0), heard(ms), by(model.InitiatorPeer), call(model.CallClose, 0), lasted(30*ms))
		},
		[]string{"certificate-rejected"},
		[]string{"10.0.0.2 closed 1 TLS connection to nginx port 443"},
	},
	{
		"a firewall rejects by ICMP inside connect(): only a counter shows it",
		func(s *stream) {
			s.cancelled()
			s.records = append(s.records, model.Record{Kind: model.KindCounters, Counters: model.Counters{
				Time: begin.Add(2 * sec), Interval: sec, Counts: map[string]uint64{"TcpExtLockDroppedIcmps": 2},
			}})
		},
		[]string{"firewall-reject"},
		[]string{"A firewall rejects what curl sends to 10.8.9.9 port 80: 2 attempts were given up at once", "2 counted"},
	},
	{
		"connect() given up at once for another reason",
		func(s *stream) { s.cancelled() },
		nil, nil,
	},
	{
		"nginx is reloaded soon after its connections became idle: its timers would not have closed them together",
		func(s *stream) {
			s.keptAlive(4, "nginx", func(i int) time.Duration { return 10*sec + time.Duration(i)*100*ms })
		},
		[]string{"process-restart", "idle-timeout"},
		[]string{"nginx (port 80) closed all that was idle at one moment"},
	},
}

// readTimeout are upstream connections on which the second request has no answer.
func (s *stream) readTimeout(cause model.Cause, how edit) {
	for i := range 3 {
		s.end(100*sec, "nginx", model.Active, fmt.Sprintf("10.6.0.1:%d", 4000+i), "10.6.0.2:8080", cause, bytes(900, 5000), idle(60*sec), spoke(60*sec, 70*sec),
			by(model.InitiatorLocal), call(model.CallClose, 0), lasted(90*sec), how)
	}
	s.end(100*sec, "nginx", model.Active, "10.6.0.1:5000", "10.6.0.2:8080", model.CauseFIN, graceful, bytes(900, 5000), idle(60*sec), spoke(60100*ms, 60*sec),
		by(model.InitiatorLocal), call(model.CallClose, 0), lasted(90*sec))
}

// cancelled are two attempts that were given up before a SYN was sent again.
func (s *stream) cancelled() {
	for i := range 2 {
		s.end(1500*ms, "curl", model.Active, fmt.Sprintf("10.8.1.2:%d", 4000+i), "10.8.9.9:80", model.CauseConnectCancelled, lasted(50*ms), func(t *model.Teardown) {
			t.Verdict, t.TCP.Retransmits = model.FailedOpen, model.Some(uint32(0))
		})
	}
}

// busyPool are a client's connections whose second request follows the first answer at once, and has
// no answer for 3 s; something comes that much after they were closed.
func (s *stream) busyPool(server string, late time.Duration) {
	for i := range 4 {
		at := 4*sec + time.Duration(i)*7*sec
		x := s.end(at+40*ms, "nginx", model.Active, fmt.Sprintf("127.0.0.1:%d", 4000+i), server, model.CauseFIN, graceful, bytes(135, 113), idle(3*sec), spoke(3040*ms, 3044*ms),
			by(model.InitiatorLocal), call(model.CallClose, 0), lasted(3050*ms), func(t *model.Teardown) { t.Evidence.FirstFIN = begin.Add(at) })
		if late > 0 {
			s.outcome(at+max(late, 41*ms), x, model.CauseDataAfterClose, "late-data-in-time-wait")
		}
	}
}

// unanswered are used connections that a server closes, each after another time: it had answered
// that long before its client's last words. Without a process it is elsewhere, and these are the
// clients' ends.
func (s *stream) unanswered(server, at string, later time.Duration) {
	for i := range 5 {
		quiet, client := 1500*ms+time.Duration(i)*sec, fmt.Sprintf("10.6.0.1:%d", 4000+i)
		if server != "" {
			s.end(20*sec+time.Duration(i)*sec, server, model.Passive, at, client, model.CauseFIN, graceful, bytes(124, 141), idle(quiet), spoke(quiet+later, quiet), by(model.InitiatorLocal), call(model.CallClose, 0), lasted(quiet+later.Abs()+20*ms))
			continue
		}
		s.end(20*sec+time.Duration(i)*sec, "app", model.Active, client, at, model.CauseFIN, graceful, bytes(141, 124), idle(quiet), spoke(quiet, quiet+later), by(model.InitiatorPeer), call(model.CallClose, 0), lasted(quiet+later.Abs()+20*ms))
	}
}
