package findings_test

import (
	"fmt"
	"time"

	"github.com/closetrace/closetrace/model"
)

// messages are stories in which the number of bytes, or who speaks them, makes the difference.
var messages = []story{
	{
		"PostgreSQL's CancelRequest is never answered, and its process exits",
		func(s *stream) {
			for i := range 3 {
				s.end(sec, "postgres", model.Passive, "10.6.0.2:5432", fmt.Sprintf("10.6.0.1:%d", 4000+i), model.CauseFIN, graceful,
					bytes(0, 16), idle(0), heard(ms), by(model.InitiatorLocal), call(model.CallExit, 0), lasted(3*ms))
			}
		},
		nil, nil,
	},
	{
		"echo METRIC | nc -N, and nc -q 1, to Graphite, which has no answers",
		func(s *stream) { s.metrics(2003, 0); s.metrics(2003, 1300*ms) },
		[]string{"idle-timeout"},
		[]string{"nc closes connections that were idle for 1.3s"},
	},
	{
		"the same to a server that should answer",
		func(s *stream) { s.metrics(8080, 1300*ms) },
		[]string{"gave-up-waiting"},
		[]string{"nc gave up 3 requests"},
	},
	{
		"PgBouncer takes a CancelRequest, and closes",
		func(s *stream) {
			for i := range 3 {
				s.end(sec, "pgbouncer", model.Passive, "10.6.0.2:6432", fmt.Sprintf("10.6.0.1:%d", 4000+i), model.CauseFIN, graceful,
					bytes(0, 16), idle(0), heard(ms), by(model.InitiatorLocal), call(model.CallClose, 0), lasted(3*ms))
			}
		},
		nil, nil,
	},
	{
		"a pool says Terminate on sessions that PostgreSQL has closed long ago",
		func(s *stream) {
			for i := range 4 {
				server, client := "10.6.0.2:5432", fmt.Sprintf("10.6.0.1:%d", 4000+i)
				s.end(9*sec, "postgres", model.Passive, server, client, model.CauseDataAfterClose,
					bytes(500, 300), idle(5*sec), by(model.InitiatorLocal), call(model.CallExit, 0), lasted(8*sec))
				s.end(9*sec, "app", model.Active, client, server, model.CausePeerReset,
					bytes(300, 500), unacked(5), gotFIN, by(model.InitiatorPeer), call(model.CallClose, 0), lasted(8*sec))
			}
		},
		[]string{"idle-timeout"},
		[]string{"postgres", "5s"},
	},
	{
		"pg_basebackup ends its stream, and says Terminate when PostgreSQL's process has exited",
		func(s *stream) {
			for i, client := range []string{"10.6.0.1:4000", "10.9.0.1:4000"} {
				s.end(9*sec, "postgres", model.Passive, "10.6.0.2:5432", client, model.CauseDataAfterClose,
					bytes(20_000_000, 292), spoke(30*ms, ms), idle(0), by(model.InitiatorLocal), call(model.CallExit, 0), lasted(8*sec))
				if i == 0 {
					s.end(9*sec, "pg_basebackup", model.Active, client, "10.6.0.2:5432", model.CausePeerReset,
						bytes(292, 20_000_000), unacked(5), gotFIN, by(model.InitiatorPeer), lasted(8*sec))
				}
			}
		},
		nil, nil,
	},
	{
		"PostgreSQL's process exits by itself in the middle of a query, and the next one meets it",
		func(s *stream) {
			s.end(9*sec, "postgres", model.Passive, "10.6.0.2:5432", "10.6.0.1:4000", model.CauseDataAfterClose,
				bytes(20_000_000, 292), spoke(3*sec, sec), idle(sec), by(model.InitiatorLocal), call(model.CallExit, 0), lasted(8*sec))
			s.end(9*sec, "app", model.Active, "10.6.0.1:4000", "10.6.0.2:5432", model.CausePeerReset,
				bytes(292, 20_000_000), unacked(80), gotFIN, by(model.InitiatorPeer), lasted(8*sec))
		},
		[]string{"process-killed"},
		[]string{"postgres"},
	},
	{
		"sessions of PostgreSQL whose queries were cancelled end as always",
		func(s *stream) {
			for i := range 3 {
				s.end(9*sec, "postgres", model.Passive, "10.6.0.2:5432", fmt.Sprintf("10.6.0.1:%d", 4000+i), model.CauseFIN, graceful,
					bytes(500, 300), idle(0), spoke(2*ms, ms), by(model.InitiatorLocal), call(model.CallExit, 0), lasted(sec), told(2),
					func(t *model.Teardown) { t.Process.PID, t.Closer.PID = 700+i, 700+i })
			}
		},
		nil, nil,
	},
	{
		"jstack asks a JVM for its threads while it closes what was idle too long",
		func(s *stream) {
			for i := range 3 {
				x := s.end(9*sec, "java", model.Passive, "10.6.0.2:8080", fmt.Sprintf("10.6.0.1:%d", 4000+i), model.CauseFIN, graceful,
					bytes(203, 136), idle(5*sec), by(model.InitiatorLocal), call(model.CallClose, 0), lasted(8*sec), told(3))
				s.outcome(9500*ms, x, model.CauseDataAfterClose, "late-data-after-close")
			}
		},
		[]string{"keepalive-race", "idle-timeout"},
		[]string{"java", "5s", "3 requests"},
	},
	{
		"clients end their request by FIN and read the answer for half a minute",
		func(s *stream) {
			for i := range 4 {
				s.end(40*sec, "app", model.Passive, "10.6.0.2:7000", fmt.Sprintf("10.9.0.1:%d", 4000+i), model.CauseFIN, graceful,
					bytes(30_000, 40), idle(0), spoke(30*sec, 30*sec), by(model.InitiatorPeer), call(model.CallClose, 0), lasted(31*sec),
					path(model.SynRecv, model.Established, model.CloseWait, model.LastAck, model.Closed),
					func(t *model.Teardown) { t.Evidence.FirstFIN, t.Evidence.SentWhileClosing = begin.Add(10*sec), true })
			}
		},
		nil, nil,
	},
	{
		"HAProxy's option mysql-check logs in and says goodbye in one segment",
		func(s *stream) {
			for i := range 5 {
				server, client := "10.6.0.2:3306", fmt.Sprintf("10.6.0.1:%d", 4000+i)
				s.end(sec, "mariadbd", model.Passive, server, client, model.CauseFIN, graceful,
					bytes(106, 70), idle(0), spoke(ms, ms), by(model.InitiatorLocal), call(model.CallClose, 0), lasted(4*ms))
				s.end(sec, "haproxy", model.Active, client, server, model.CauseFIN, graceful,
					bytes(70, 106), idle(0), spoke(ms, ms), by(model.InitiatorPeer), call(model.CallClose, 0), lasted(4*ms))
			}
		},
		nil, nil,
	},
	{
		"the same check, of a HAProxy elsewhere",
		func(s *stream) {
			for i := range 5 {
				s.end(sec, "mariadbd", model.Passive, "10.6.0.2:3306", fmt.Sprintf("10.9.0.1:%d", 4000+i), model.CauseFIN, graceful,
					bytes(114, 70), idle(0), spoke(ms, ms), by(model.InitiatorLocal), call(model.CallClose, 0), lasted(4*ms))
			}
		},
		nil, nil,
	},
	{
		"an upload is answered at once and reset, and the client has read the answer before it closes",
		func(s *stream) {
			for i := range 3 {
				s.end(sec, "curl", model.Active, fmt.Sprintf("10.6.0.1:%d", 4000+i), "10.9.0.2:80", model.CausePeerReset,
					bytes(200_000, 187), unacked(300_000), unread(0), spoke(5*ms, 3*ms), by(model.InitiatorPeer), call(model.CallClose, 0), lasted(90*ms))
			}
		},
		[]string{"early-answer"},
		[]string{"curl", "3"},
	},
	{
		"a stream in both directions is reset: no answer to an upload",
		func(s *stream) {
			for i := range 3 {
				s.end(sec, "grpc", model.Active, fmt.Sprintf("10.6.0.1:%d", 4000+i), "10.9.0.2:50051", model.CausePeerReset,
					bytes(9_000_000, 8_000_000), unacked(300_000), unread(0), spoke(5*ms, 3*ms), by(model.InitiatorPeer), call(model.CallClose, 0), lasted(90*sec))
			}
		},
		nil, nil,
	},
	{
		"client and server have the same time limit: their FINs cross",
		func(s *stream) {
			for i := range 5 {
				s.end(9*sec, "nginx", model.Passive, "10.6.0.2:80", fmt.Sprintf("10.6.0.1:%d", 4000+i), model.CauseFIN, graceful,
					bytes(203, 136), idle(5*sec), by(model.InitiatorBoth), call(model.CallClose, 0), lasted(8*sec),
					path(model.SynRecv, model.Established, model.FinWait1, model.Closing, model.Closed))
			}
		},
		[]string{"idle-timeout"},
		[]string{"nginx", "5s"},
	},
	{
		"a client of HTTP/2 leaves a download that it was reading: a window update was its last word",
		func(s *stream) {
			for i := range 3 {
				s.end(sec, "grpc", model.Active, fmt.Sprintf("10.6.0.1:%d", 4000+i), "10.9.0.2:50051", model.CauseUnreadData,
					bytes(900, 5_000_000), unread(70_000), idle(0), spoke(ms, ms), by(model.InitiatorLocal), call(model.CallClose, 0), lasted(sec))
			}
		},
		[]string{"left-halfway"},
		[]string{"grpc", "in the middle of the answer"},
	},
	{
		"a client leaves a stream of which it had read all until then",
		func(s *stream) {
			for i := range 3 {
				s.end(sec, "curl", model.Active, fmt.Sprintf("10.6.0.1:%d", 4000+i), "10.9.0.2:8000", model.CauseDataAfterClose,
					bytes(90, 5_000_000), unread(0), idle(0), spoke(900*ms, ms), by(model.InitiatorLocal), call(model.CallClose, 0), lasted(sec))
			}
		},
		[]string{"left-halfway"},
		[]string{"curl", "in the middle of the answer", "not read"},
	},
	{
		"many clients have a time limit, and one is interrupted",
		func(s *stream) {
			for i := range 9 {
				signal, how := 0, model.CallClose
				if i == 3 {
					signal, how = 2, model.CallExit
				}
				s.end(9*sec, "curl", model.Active, fmt.Sprintf("10.6.0.1:%d", 4000+i), "10.9.0.2:80", model.CauseFIN, graceful,
					bytes(80, 0), idle(970*ms), by(model.InitiatorLocal), call(how, signal), lasted(980*ms),
					func(t *model.Teardown) { t.TCP.LastSent, t.TCP.LastSpeaker = t.Time.Add(-970*ms), model.SideLocal })
			}
		},
		[]string{"gave-up-waiting"},
		[]string{"curl gave up 9 requests"},
	},
	{
		"a path dies: attempts give up first, and the pool's connections a quarter of an hour later",
		func(s *stream) {
			for i := range 5 {
				s.end(9*sec, "app", model.Active, fmt.Sprintf("10.6.0.1:%d", 4000+i), "10.9.0.2:5432", model.CauseConnectTimeout, failed, again(3), lasted(7*sec))
			}
			for i := range 30 {
				s.end(900*sec, "app", model.Active, fmt.Sprintf("10.6.0.1:%d", 5000+i), "10.9.0.2:5432", model.CauseRetransmitTimeout,
					bytes(900, 900), unacked(40), spoke(sec, 890*sec), lasted(1500*sec))
			}
		},
		[]string{"path-dead", "path-dead"},
		[]string{"app got no answer from 10.9.0.2 any more: 30 connections"},
	},
	{
		"a full database, and one wrong password",
		func(s *stream) {
			for i := range 5 {
				s.end(sec, "mariadbd", model.Passive, "10.6.0.2:3306", fmt.Sprintf("10.9.0.1:%d", 4000+i), model.CauseFIN, graceful,
					bytes(45, 0), idle(0), by(model.InitiatorLocal), call(model.CallClose, 0), lasted(ms))
				if i < 3 {
					s.end(sec, "mariadbd", model.Passive, "10.6.0.2:3306", fmt.Sprintf("10.9.0.1:%d", 5000+i), model.CauseFIN, graceful,
						bytes(180, 70), idle(0), spoke(ms, ms), by(model.InitiatorLocal), call(model.CallClose, 0), lasted(4*ms))
				}
			}
		},
		[]string{"turned-away", "turned-away"},
		[]string{"turned 5 connections"},
	},
	{
		"an exporter is not the program that it watches",
		func(s *stream) {
			s.keptAlive(4, "node_exporter", func(int) time.Duration { return 5 * sec })
		},
		[]string{"keepalive-race", "idle-timeout"},
		[]string{"node_exporter"},
	},
	{
		"nginx listened at ::1 too, and was stopped",
		func(s *stream) {
			s.end(sec, "nginx", model.Passive, "[::1]:8080", "[::1]:3999", model.CauseFIN, graceful, bytes(99, 81), by(model.InitiatorPeer), call(model.CallClose, 0), lasted(9*ms))
			for i := range 9 {
				s.end(time.Duration(2+i)*sec, "curl", model.Active, fmt.Sprintf("[::1]:%d", 4000+i), "[::1]:8080", model.CauseRefused, failed, by(model.InitiatorPeer), lasted(ms))
			}
		},
		[]string{"refused-loop"},
		[]string{"any more (nginx did)"},
	},
	{
		"checks that ask and are not answered are not benign",
		func(s *stream) {
			for i := range 6 {
				at, client := sec*time.Duration(i), fmt.Sprintf("127.0.0.1:%d", 4000+i)
				s.end(at, "haproxy", model.Active, client, "127.0.0.1:8080", model.CauseLingerZero, bytes(24, 0), by(model.InitiatorLocal), call(model.CallClose, 0), lasted(700*ms))
				s.end(at, "app", model.Passive, "127.0.0.1:8080", client, model.CausePeerReset, bytes(0, 24), by(model.InitiatorPeer), lasted(700*ms))
			}
		},
		nil, nil,
	},
	{
		"a checker elsewhere reads PONG and resets, before the kernel has acknowledged it",
		func(s *stream) {
			for i := range 6 {
				s.end(5*sec*time.Duration(i), "redis-server", model.Passive, "10.6.0.2:6379", fmt.Sprintf("10.9.0.1:%d", 4000+i), model.CausePeerReset,
					bytes(0, 14), unacked(7), spoke(ms, ms), by(model.InitiatorPeer), call(model.CallClose, 0), lasted(2*ms))
			}
		},
		[]string{"health-check"},
		[]string{"10.9.0.1", "redis-server"},
	},
}

// metrics are clients that send one line, and end it by FIN or wait.
func (s *stream) metrics(port int, wait time.Duration) {
	for i := range 3 {
		server, client := fmt.Sprintf("127.0.0.1:%d", port), fmt.Sprintf("127.0.0.1:%d", 40_000+s.n)
		how := model.CallShutdown
		if wait > 0 {
			how = model.CallClose
		}
		at := wait + 3*sec*time.Duration(i+1)
		s.end(at, "nc", model.Active, client, server, model.CauseFIN, graceful, bytes(35, 0), idle(wait), spoke(wait, 0),
			by(model.InitiatorLocal), call(how, 0), lasted(wait+ms))
		s.end(at, "carbon", model.Passive, server, client, model.CauseFIN, graceful, bytes(0, 35), idle(wait), heard(wait),
			by(model.InitiatorPeer), call(model.CallClose, 0), lasted(wait+ms))
	}
}
