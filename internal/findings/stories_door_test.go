package findings_test

import (
	"fmt"
	"time"

	"github.com/closetrace/closetrace/model"
)

// doors are stories about the first and last moments of a connection.
var doors = []story{
	{
		"PostgreSQL's idle_session_timeout on a busy machine: its process takes 0.7 s to end", // or less
		func(s *stream) {
			for i, late := range []time.Duration{10 * ms, 120 * ms, 700 * ms} {
				client := fmt.Sprintf("127.0.0.1:%d", 4000+i)
				x := s.end(4*sec, "postgres", model.Passive, "127.0.0.1:5432", client, model.CauseFIN, graceful, bytes(597, 86), idle(late), spoke(late, late+1500*ms),
					by(model.InitiatorLocal), call(model.CallExit, 0), lasted(3*sec))
				s.end(6*sec, "psql", model.Active, client, "127.0.0.1:5432", model.CausePeerReset, bytes(86, 597), unacked(15), gotFIN)
				s.outcome(6*sec, x, model.CauseDataAfterClose, "late-data-in-time-wait")
			}
		},
		[]string{"keepalive-race", "idle-timeout"},
		[]string{"postgres (port 5432) closes connections after 1.5s of idleness, and 3 requests of psql"},
	},
	{
		"the same, and the query comes before the process has ended",
		func(s *stream) {
			s.end(4*sec, "postgres", model.Passive, "127.0.0.1:5432", "127.0.0.1:4000", model.CauseUnreadData, bytes(597, 101), unread(15), spoke(200*ms, 100*ms),
				by(model.InitiatorLocal), call(model.CallExit, 0), lasted(3*sec), func(t *model.Teardown) {
					t.Process.Source, t.Acceptor = model.OwnerCloser, model.Acceptor{PID: 9412, Name: "postgres"}
				})
		},
		[]string{"process-killed"},
		[]string{"postgres (port 5432) ended with 1 request unanswered"},
	},
	{
		"Apache closes its sending side when it was idle, and throws away what comes after that",
		func(s *stream) {
			late := func(d time.Duration) edit { return func(t *model.Teardown) { t.TCP.LateData = model.Some(d) } }
			for i := range 3 {
				s.end(4*sec, "apache2", model.Passive, "10.6.0.2:80", fmt.Sprintf("10.6.0.1:%d", 4000+i), model.CauseFIN, graceful, bytes(203, 136),
					idle(2010*ms), late(600*ms), by(model.InitiatorLocal), call(model.CallShutdown, 0), lasted(2610*ms))
				s.end(4*sec, "haproxy", model.Passive, "10.6.0.2:8000", fmt.Sprintf("10.6.0.1:%d", 5000+i), model.CauseFIN, graceful, bytes(203, 136),
					idle(2010*ms), late(ms), by(model.InitiatorLocal), call(model.CallShutdown, 0), lasted(2010*ms)) // a farewell
			}
		},
		[]string{"keepalive-race", "idle-timeout"},
		[]string{"apache2 (port 80)", "2.01s", "3 requests", "thrown away"},
	},
	{
		"redis has maxclients connections: the others get a message, and their request is reset",
		func(s *stream) {
			for i := range 5 {
				s.end(sec, "redis-server", model.Passive, "10.6.0.2:6379", fmt.Sprintf("10.6.0.1:%d", 4000+i), model.CauseDataAfterClose,
					bytes(36, 0), idle(0), by(model.InitiatorLocal), call(model.CallClose, 0), lasted(ms))
			}
		},
		[]string{"turned-away"},
		[]string{"redis-server (port 6379)", "5 connections", "36 B", "on 5 of them"},
	},
	{
		"redis in protected mode says why it takes nobody from another host, at length",
		func(s *stream) {
			for i := range 2 {
				client := fmt.Sprintf("10.6.0.1:%d", 4000+i)
				s.end(sec, "redis-server", model.Passive, "10.6.0.2:6379", client, model.CauseDataAfterClose, bytes(1067, 0), idle(0), by(model.InitiatorLocal), call(model.CallClose, 0), lasted(ms))
				s.end(sec, "redis-server", model.Passive, "10.6.0.2:6379", client+"0", model.CauseUnreadData, bytes(1067, 14), unread(14), idle(0), spoke(0, ms), by(model.InitiatorLocal), call(model.CallClose, 0), lasted(ms))
			}
		},
		[]string{"turned-away"},
		[]string{"redis-server (port 6379)", "4 connections", "1.07 kB", "on 4 of them"},
	},
	{
		"sshd over MaxStartups, with the client's version unread",
		func(s *stream) {
			s.end(sec, "sshd", model.Passive, "10.6.0.2:22", "10.6.0.1:4000", model.CauseUnreadData,
				bytes(22, 11), unread(11), idle(0), spoke(0, ms), by(model.InitiatorLocal), call(model.CallClose, 0), lasted(ms))
		},
		[]string{"turned-away"},
		[]string{"sshd", "22 B"},
	},
	{
		"redis as before, whose message is not acknowledged yet when it closes",
		func(s *stream) {
			s.end(sec, "redis-server", model.Passive, "10.6.0.2:6379", "10.6.0.1:4000", model.CauseUnreadData,
				bytes(0, 6), unacked(36), unread(6), idle(0), spoke(0, 0), by(model.InitiatorLocal), call(model.CallClose, 0), lasted(ms))
		},
		[]string{"turned-away"},
		[]string{"redis-server (port 6379)", "36 B", "on 1 of them"},
	},
	{
		"a server that says the time and closes, once", // and a probe that closes by itself
		func(s *stream) {
			s.end(sec, "inetd", model.Passive, "10.6.0.2:13", "10.6.0.1:4000", model.CauseFIN, graceful, bytes(26, 0), by(model.InitiatorLocal), call(model.CallClose, 0), lasted(ms))
			for i := range 5 {
				s.end(sec, "nginx", model.Passive, "10.6.0.2:80", fmt.Sprintf("10.6.0.1:%d", 5000+i), model.CauseFIN, graceful, bytes(0, 0), by(model.InitiatorPeer), call(model.CallClose, 0), lasted(ms))
			}
		},
		nil, nil,
	},
	{
		"a full server shuts down its sending side at once, and waits for slow clients", // lingering_close
		func(s *stream) {
			for i, late := range []time.Duration{2 * ms, 3 * sec, 5 * sec} {
				x := s.end(9*sec, "vsftpd", model.Passive, "10.6.0.2:21", fmt.Sprintf("10.6.0.1:%d", 4000+i), model.CauseFIN, graceful, bytes(36, 0), idle(0),
					by(model.InitiatorLocal), call(model.CallShutdown, 0), lasted(late))
				x.Evidence.FirstFIN = x.StartTime.Add(ms)
			}
		},
		[]string{"turned-away"},
		[]string{"vsftpd (port 21) turned 3 connections of 10.6.0.1 away", "36 B"},
	},
	{
		"HAProxy's agent-check asks every 2 s for the state, which is all that the agent says",
		func(s *stream) { s.saysAndCloses("agent") },
		nil, nil,
	},
	{
		"a full FTP server turns away a client that tries again every 2 s",
		func(s *stream) {
			for i := range 10 {
				s.end(time.Duration(i)*2*sec, "proftpd", model.Passive, "10.6.0.2:21", fmt.Sprintf("10.6.0.1:%d", 4000+i), model.CauseFIN, graceful, bytes(64, 0), by(model.InitiatorLocal), call(model.CallClose, 0), lasted(ms))
			}
		},
		[]string{"turned-away"},
		[]string{"proftpd (port 21) turned 10 connections of 10.6.0.1 away", "64 B"},
	},
	{
		"sshd turns away a client that tries again every 2 s",
		func(s *stream) { s.saysAndCloses("sshd") },
		[]string{"turned-away"},
		[]string{"sshd (port 9999) turned 10 connections of 10.0.0.9 away", "9 B"},
	},
	{
		"HAProxy's tcp-request connection reject, and nginx's 444 that resets", // reset_timedout_connection on
		func(s *stream) {
			for i := range 3 {
				s.end(sec, "haproxy", model.Passive, "10.6.0.2:80", fmt.Sprintf("10.6.0.1:%d", 4000+i), model.CauseLingerZero, bytes(0, 0), by(model.InitiatorLocal), call(model.CallClose, 0), lasted(ms))
				s.end(sec, "nginx", model.Passive, "10.6.0.2:81", fmt.Sprintf("10.6.0.1:%d", 5000+i), model.CauseLingerZero, bytes(0, 81), idle(0), heard(0), by(model.InitiatorLocal), call(model.CallClose, 0), lasted(2*ms))
			}
		},
		[]string{"turned-away", "turned-away"},
		[]string{"haproxy (port 80) turned 3 connections of 10.6.0.1 away: it reset each at once"},
	},
	{
		"nginx return 444: the request was read, nothing was said",
		func(s *stream) {
			for i := range 3 {
				s.end(sec, "nginx", model.Passive, "10.6.0.2:80", fmt.Sprintf("10.6.0.1:%d", 4000+i), model.CauseFIN, graceful, bytes(0, 81), idle(0), heard(ms), by(model.InitiatorLocal), call(model.CallClose, 0), lasted(2*ms))
			}
		},
		[]string{"request-lost"},
		[]string{"nginx", "3 connections", "in good order at once after the request, without a byte"},
	},
	{
		"a program gives up connecting when its SYN was sent again", // curl --connect-timeout; Happy Eyeballs gives up sooner
		func(s *stream) {
			again := func(n uint32) edit { return func(t *model.Teardown) { t.TCP.Retransmits = model.Some(n) } }
			for i := range 3 {
				s.end(time.Duration(2*i)*sec, "curl", model.Active, fmt.Sprintf("10.6.0.1:%d", 4000+i), "10.6.0.2:5432", model.CauseConnectCancelled, failed, again(1), lasted(2*sec))
				s.end(time.Duration(2*i)*sec, "app", model.Active, fmt.Sprintf("[fd00::1]:%d", 4000+i), "[fd00::2]:443", model.CauseConnectCancelled, failed, again(0), lasted(300*ms))
			}
		},
		[]string{"path-dead"},
		[]string{"curl could not connect to 10.6.0.2 port 5432", "3 attempts", "after 2s"},
	},
	{
		"HAProxy's timeout connect is shorter than a SYN waits to be sent again", // an attempt to another back end is answered late
		func(s *stream) {
			for i := range 4 {
				s.inVain(time.Duration(i)*sec, fmt.Sprintf("10.6.0.1:%d", 4000+i), "10.6.0.2:8000", 500*ms)
				s.inVain(time.Duration(i)*sec, fmt.Sprintf("[fd00::1]:%d", 4000+i), "[fd00::2]:8000", 300*ms) // Happy Eyeballs
			}
			s.inVain(5*sec, "10.6.0.1:5000", "10.6.0.3:8000", 500*ms)
		},
		[]string{"path-dead"},
		[]string{"haproxy could not connect to 10.6.0.2 port 8000: no answer to 4 attempts, given up after 500ms."},
	},
	{
		"such attempts, and each third one is answered",
		func(s *stream) {
			for i := range 9 {
				at, client := time.Duration(i)*sec, fmt.Sprintf("10.6.0.1:%d", 4000+i)
				if i%3 != 2 {
					s.inVain(at, client, "10.6.0.2:8000", 500*ms)
					continue
				}
				s.end(at, "haproxy", model.Active, client, "10.6.0.2:8000", model.CauseFIN, graceful, bytes(80, 80), by(model.InitiatorPeer), lasted(9*ms), path(model.SynSent, model.Established))
			}
		},
		nil, nil,
	},
	{
		"curl --max-time ends downloads", // the answer was coming
		func(s *stream) {
			for i := range 3 {
				at := time.Duration(3*i+2) * sec
				s.end(at, "curl", model.Active, fmt.Sprintf("10.6.0.1:%d", 4000+i), "10.6.0.2:80", model.CauseUnreadData,
					bytes(80, 900_000), unread(70_000), idle(ms), spoke(2*sec, ms), by(model.InitiatorLocal), call(model.CallClose, 0), lasted(2*sec))
			}
		},
		[]string{"left-halfway"},
		[]string{"curl closed 3 connections to 10.6.0.2 port 80", "210 kB", "after 2s", "time limit of the client"},
	},
	{
		"ss -K",
		func(s *stream) {
			x := s.end(sec, "app", model.Active, "10.6.0.1:4000", "10.6.0.2:6379", model.CauseDestroyed, bytes(80, 80))
			x.Closer = model.Closer{PID: 9, Name: "ss", Call: model.CallDestroy}
		},
		[]string{"ended-from-outside"},
		[]string{"ss ended 1 connection of app"},
	},
	{
		"PostgreSQL's process of a connection ends it when it was idle, and a query comes too late", // idle_session_timeout
		func(s *stream) {
			for i := range 3 {
				client := fmt.Sprintf("10.6.0.1:%d", 4000+i)
				server := s.end(4*sec, "postgres", model.Passive, "10.6.0.2:5432", client, model.CauseFIN, graceful, bytes(500, 90), idle(0), spoke(0, 1500*ms),
					by(model.InitiatorLocal), call(model.CallExit, 0), lasted(1600*ms), path(model.Established))
				server.Process.PID += i
				server.Closer.PID += i
				s.end(5*sec, "psql", model.Active, client, "10.6.0.2:5432", model.CausePeerReset, bytes(90, 500), unacked(15), gotFIN, spoke(0, 2500*ms))
				s.outcome(5*sec, server, model.CauseDataAfterClose, "late-data-after-close")
			}
		},
		[]string{"keepalive-race", "idle-timeout"},
		[]string{"postgres", "1.5s", "3 requests of psql"},
	},
}

// inVain is an attempt that HAProxy gives up, and nothing has come.
func (s *stream) inVain(at time.Duration, local, peer string, limit time.Duration) {
	s.end(at, "haproxy", model.Active, local, peer, model.CauseConnectCancelled, failed, again(0), lasted(limit), func(t *model.Teardown) { t.TCP.Segments.In = model.Some[uint64](0) })
}

// saysAndCloses is a server to which one client comes every 2 s.
func (s *stream) saysAndCloses(process string) {
	for i := range 10 {
		s.end(time.Duration(2*i)*sec, process, model.Passive, "10.0.0.1:9999", fmt.Sprintf("10.0.0.9:%d", 4000+i), model.CauseFIN, graceful, bytes(9, 0),
			by(model.InitiatorLocal), call(model.CallClose, 0), lasted(ms))
	}
}
