package findings_test

import (
	"fmt"
	"slices"
	"time"

	"github.com/closetrace/closetrace/model"
)

// story is a stream and the findings that it has: the truth is in the
// story, written down before the engine saw it.
type story struct {
	name string
	tell func(*stream)
	want []string // ids, the most harmful first
	says []string // parts of the first sentence
}

// stories are all of them.
func stories() []story {
	return slices.Concat(clientsAndServers, networks, doors, restarts, waits, hosts, messages, kills, backends, blames, doubts, moreDoubts, likes, limits, aways, lates, closes, unuseds)
}

var clientsAndServers = []story{
	{
		"gunicorn closes after 2 s, and the load balancer's next request comes in its TIME_WAIT",
		func(s *stream) {
			for i := range 20 {
				at := 4*sec + time.Duration(i)*5*ms
				client := fmt.Sprintf("10.6.0.1:%d", 40000+i)
				server := s.end(at, "gunicorn", model.Passive, "10.6.0.2:8000", client, model.CauseFIN,
					graceful, bytes(360, 81), idle(2010*ms), by(model.InitiatorLocal), call(model.CallClose, 0), lasted(2100*ms))
				s.end(at+1200*ms, "lb", model.Active, client, "10.6.0.2:8000", model.CausePeerReset, bytes(81, 360), unacked(27), gotFIN,
					spoke(0, 3200*ms), path(model.SynSent, model.Established, model.CloseWait))
				s.outcome(at+1200*ms, server, model.CauseDataAfterClose, "late-data-in-time-wait")
			}
		},
		[]string{"keepalive-race", "idle-timeout"},
		[]string{"gunicorn", "20 requests", "2.01s", "lb"},
	},
	{
		"the same, and the idle time was not recorded",
		func(s *stream) {
			x := s.end(4*sec, "gunicorn", model.Passive, "10.6.0.2:8000", "10.6.0.1:4000", model.CauseFIN, graceful, bytes(360, 81), by(model.InitiatorLocal), call(model.CallClose, 0), lasted(2100*ms))
			s.outcome(5*sec, x, model.CauseDataAfterClose, "late-data-in-time-wait")
		},
		[]string{"keepalive-race"},
		[]string{"1 request"},
	},
	{
		"no port is free", // those of 20 connections are in TIME_WAIT
		func(s *stream) {
			for i := range 20 {
				x := s.end(time.Duration(i)*ms, "curl", model.Active, fmt.Sprintf("10.6.0.1:%d", 4000+i), "10.6.0.2:80", model.CauseFIN, graceful, bytes(80, 80), by(model.InitiatorLocal), call(model.CallClose, 0), lasted(ms))
				x.TCP.TimeWait = model.Some(true)
			}
			s.end(sec, "curl", model.Active, "10.6.0.1:0", "10.6.0.2:80", model.CauseNoLocalPort, func(t *model.Teardown) { t.Verdict = model.FailedOpen })
		},
		[]string{"no-local-port"},
		[]string{"curl", "10.6.0.2 once", "curl left 20 connections in TIME_WAIT"},
	},
	{
		"a client gave up waiting", // curl --max-time; HAProxy's timeout server resets the backend
		func(s *stream) {
			s.end(3*sec, "curl", model.Active, "10.6.0.1:4000", "10.6.0.2:8000", model.CauseFIN, graceful, bytes(80, 0), idle(2*sec), spoke(2*sec, 0), by(model.InitiatorLocal), call(model.CallClose, 0), lasted(2010*ms))
			s.end(4*sec, "curl", model.Active, "10.6.0.1:4001", "10.6.0.2:8000", model.CauseLingerZero, bytes(80, 0), idle(2*sec), spoke(2*sec, 0), by(model.InitiatorLocal), call(model.CallClose, 0), lasted(2010*ms))
		},
		[]string{"gave-up-waiting"},
		[]string{"curl", "2 requests", "10.6.0.2 port 8000", "2s"},
	},
	{
		"a log shipper that is never answered",
		func(s *stream) {
			s.end(30*sec, "shipper", model.Active, "10.6.0.1:4000", "10.6.0.2:514", model.CauseFIN, graceful, bytes(8000, 0), idle(2*sec), spoke(2*sec, 0), by(model.InitiatorLocal), call(model.CallClose, 0), lasted(30*sec))
		},
		nil, nil,
	},
	{
		"a server closed without an answer", // gunicorn's WORKER TIMEOUT, before it kills
		func(s *stream) {
			s.end(4*sec, "gunicorn", model.Passive, "10.6.0.2:8000", "10.6.0.1:4000", model.CauseFIN, graceful, bytes(0, 81), idle(2*sec), heard(2*sec), by(model.InitiatorLocal), call(model.CallClose, 0), lasted(2100*ms))
		},
		[]string{"request-lost"},
		[]string{"gunicorn", "1 connection", "2s", "without a byte of answer"},
	},
	{
		"the same without a server on this host",
		func(s *stream) {
			s.end(4*sec, "nginx", model.Active, "10.6.0.1:4000", "10.6.0.2:8000", model.CausePeerReset, bytes(81, 360), unacked(27), gotFIN, spoke(2*ms, 5*sec), lasted(9*sec))
		},
		[]string{"keepalive-race"},
		[]string{"10.6.0.2", "1 request", "nginx"},
	},
	{
		"a TLS client answers the close of an idle connection with its close_notify",
		func(s *stream) {
			s.end(80*sec, "nginx", model.Passive, "10.0.0.1:443", "10.0.0.2:4000", model.CauseDataAfterClose, bytes(3000, 800), idle(75*sec), by(model.InitiatorLocal), call(model.CallClose, 0))
			s.end(80*sec, "app", model.Active, "10.0.0.2:4000", "10.0.0.1:443", model.CausePeerReset, bytes(800, 3000), unacked(24), gotFIN, call(model.CallClose, 0),
				path(model.SynSent, model.Established, model.CloseWait, model.LastAck))
		},
		[]string{"tls-close-notify"},
		[]string{"nothing is lost"},
	},
	{
		"the same of a client elsewhere: it may have been a request as well",
		func(s *stream) {
			s.end(81*sec, "nginx", model.Passive, "10.0.0.1:443", "10.9.0.2:4000", model.CauseDataAfterClose, bytes(3000, 800), idle(75*sec), by(model.InitiatorLocal), call(model.CallClose, 0))
		},
		nil, nil,
	},
	{
		"curl leaves nginx's close_notify unread",
		func(s *stream) {
			for i := range 5 {
				client := fmt.Sprintf("127.0.0.1:%d", 4000+i)
				s.end(time.Duration(i)*sec, "curl", model.Active, client, "127.0.0.1:8443", model.CauseUnreadData, bytes(707, 1734), unread(31), by(model.InitiatorPeer), gotFIN, call(model.CallClose, 0))
				s.end(time.Duration(i)*sec, "nginx", model.Passive, "127.0.0.1:8443", client, model.CausePeerReset, bytes(1442, 707), unacked(292), by(model.InitiatorLocal), call(model.CallClose, 0))
			}
		},
		[]string{"tls-close-notify"},
		[]string{"5 connections", "curl", "nginx", "nothing is lost"},
	},
	{
		"a worker is killed with a request unanswered, and the OOM counter moved",
		func(s *stream) {
			s.end(sec, "gunicorn", model.Passive, "127.0.0.1:8000", "127.0.0.1:4000", model.CauseFIN, graceful, bytes(0, 81), gotFIN, by(model.InitiatorLocal), call(model.CallExit, 9), heard(700*ms))
			s.end(sec, "curl", model.Active, "127.0.0.1:4000", "127.0.0.1:8000", model.CauseFIN, graceful, bytes(81, 0), by(model.InitiatorPeer), call(model.CallClose, 0))
			s.records = append(s.records, model.Record{Kind: model.KindCounters, Counters: model.Counters{Time: begin.Add(sec), Counts: map[string]uint64{"VmstatOomKill": 1}}})
		},
		[]string{"process-killed"},
		[]string{"gunicorn", "OOM", "SIGKILL", "1 request"},
	},
	{
		"a worker is killed by SIGKILL, and its group's counter of OOM kills did not move",
		func(s *stream) {
			s.end(sec, "gunicorn", model.Passive, "127.0.0.1:8000", "127.0.0.1:4000", model.CauseFIN, graceful, bytes(0, 81), gotFIN, by(model.InitiatorLocal), call(model.CallExit, 9), heard(700*ms),
				func(t *model.Teardown) {
					t.Closer.OOM = model.Some(false)
					t.Signalled = model.Signalled{Number: 9, Time: t.Time.Add(-ms), PID: 1, Name: "systemd"}
				})
			s.records = append(s.records, model.Record{Kind: model.KindCounters, Counters: model.Counters{Time: begin.Add(sec), Counts: map[string]uint64{"VmstatOomKill": 1}}})
		},
		[]string{"process-killed"},
		[]string{"gunicorn", "SIGKILL from systemd[1]", "1 request"},
	},
	{
		"gunicorn's WORKER TIMEOUT: the worker closes and exits when it is told to", // workers/base.py, handle_abort
		func(s *stream) {
			s.end(4*sec, "gunicorn", model.Passive, "127.0.0.1:8000", "127.0.0.1:4000", model.CauseFIN, graceful, bytes(0, 81), idle(2*sec), heard(2*sec), by(model.InitiatorLocal), call(model.CallClose, 0), lasted(2100*ms),
				func(t *model.Teardown) {
					t.Signalled = model.Signalled{Number: 6, Time: t.Time.Add(-3 * ms), PID: 800, Name: "gunicorn"}
				})
			s.end(4*sec, "curl", model.Active, "127.0.0.1:4000", "127.0.0.1:8000", model.CauseFIN, graceful, bytes(81, 0), by(model.InitiatorPeer), call(model.CallClose, 0))
		},
		[]string{"process-killed"},
		[]string{"gunicorn", "SIGABRT from gunicorn[800]", "1 request", "2s before"},
	},
	{
		"a server that closes each connection by SO_LINGER {1,0} after its answer",
		func(s *stream) {
			for i := range 4 {
				client := fmt.Sprintf("127.0.0.1:%d", 4000+i)
				s.end(time.Duration(i)*sec, "api", model.Passive, "127.0.0.1:8000", client, model.CauseLingerZero, bytes(900, 81), idle(ms), by(model.InitiatorLocal), call(model.CallClose, 0), lasted(9*ms))
				s.end(time.Duration(i)*sec, "app", model.Active, client, "127.0.0.1:8000", model.CausePeerReset, bytes(81, 900), unread(900), by(model.InitiatorPeer))
			}
		},
		[]string{"abort-on-close"},
		[]string{"api", "4 connections", "app", "SO_LINGER", "3.6 kB"},
	},
	{
		"a client that resets after its answer, to have no TIME_WAIT",
		func(s *stream) {
			for i := range 4 {
				s.end(time.Duration(i)*sec, "wrk", model.Active, fmt.Sprintf("10.0.0.1:%d", 4000+i), "10.0.0.2:80", model.CauseLingerZero, bytes(81, 9000), idle(ms), by(model.InitiatorLocal), call(model.CallClose, 0), lasted(9*ms))
			}
		},
		[]string{"abort-on-close"},
		[]string{"wrk", "4 connections"},
	},
	{
		"php-fpm's time limit",
		func(s *stream) {
			s.end(3*sec, "php-fpm8.2", model.Passive, "127.0.0.1:9000", "127.0.0.1:4000", model.CauseUnreadData, bytes(0, 240), unread(8), by(model.InitiatorLocal), call(model.CallExit, 15))
			s.end(3*sec, "nginx", model.Active, "127.0.0.1:4000", "127.0.0.1:9000", model.CausePeerReset, bytes(240, 0))
		},
		[]string{"process-killed"},
		[]string{"php-fpm8.2", "SIGTERM"},
	},
	{
		"gunicorn stops with a connection in its backlog",
		func(s *stream) {
			s.end(3*sec, "gunicorn", model.Passive, "127.0.0.1:8000", "127.0.0.1:4000", model.CauseListenerClosed, bytes(0, 79), unread(79), by(model.InitiatorLocal), call(model.CallClose, 0))
			s.end(3*sec, "curl", model.Active, "127.0.0.1:4000", "127.0.0.1:8000", model.CausePeerReset, bytes(79, 0), lasted(2*sec))
		},
		[]string{"backlog-dropped"},
		[]string{"gunicorn", "1 connection", "79 B"},
	},
	{
		"ss -K destroys a listener with a connection in its backlog",
		func(s *stream) {
			s.end(3*sec, "gunicorn", model.Passive, "127.0.0.1:8000", "127.0.0.1:4000", model.CauseListenerClosed, bytes(0, 79), unread(79), by(model.InitiatorLocal),
				func(t *model.Teardown) { t.Closer = model.Closer{PID: 998, Name: "ss"} })
		},
		[]string{"backlog-dropped"},
		[]string{"The listener of gunicorn (port 8000) was closed by ss[998]"},
	},
	{
		"redis' child holds the descriptor",
		func(s *stream) {
			s.end(9*sec, "redis-server", model.Passive, "127.0.0.1:6390", "127.0.0.1:4000", model.CauseUnreadData, bytes(7, 28), unread(14), by(model.InitiatorLocal),
				func(t *model.Teardown) {
					t.Closer = model.Closer{PID: 999, Name: "redis-rdb-bgsave", Call: model.CallExit}
				})
		},
		[]string{"inherited-descriptor"},
		[]string{"redis-server", "redis-rdb-bgsave", "14 B"},
	},
	{
		"the same, and the child is taken for the owner, as it is the only holder at the end",
		func(s *stream) {
			s.end(9*sec, "redis-server", model.Passive, "127.0.0.1:6390", "127.0.0.1:4000", model.CauseUnreadData, bytes(7, 12), unread(6), by(model.InitiatorLocal), call(model.CallExit, 0),
				spoke(9*sec, 7*sec), func(t *model.Teardown) {
					t.Process.Source, t.Acceptor = model.OwnerCloser, model.Acceptor{PID: 9412, Name: "redis-server"}
				})
		},
		[]string{"inherited-descriptor"},
		[]string{"redis-server", "6 B"},
	},
	{
		"a child that serves one connection, like PostgreSQL's, crashes in the middle of a request",
		func(s *stream) {
			s.end(9*sec, "postgres", model.Passive, "127.0.0.1:5432", "127.0.0.1:4000", model.CauseUnreadData, bytes(70, 120), unread(6), by(model.InitiatorLocal), call(model.CallExit, 11),
				spoke(9*sec, 7*sec), func(t *model.Teardown) {
					t.Process.Source, t.Acceptor = model.OwnerUse, model.Acceptor{PID: 9412, Name: "postgres"}
				})
		},
		[]string{"process-killed"},
		[]string{"postgres", "SIGSEGV"},
	},
	{
		"HAProxy answers 401 during an upload",
		func(s *stream) {
			s.end(sec, "haproxy", model.Passive, "127.0.0.1:8008", "127.0.0.1:4000", model.CauseUnreadData, bytes(231, 126922), unread(111562), by(model.InitiatorLocal), call(model.CallClose, 0))
			s.end(sec, "node", model.Active, "127.0.0.1:4000", "127.0.0.1:8008", model.CausePeerReset, bytes(126922, 231), unacked(3736516), unread(231), gotFIN)
		},
		[]string{"early-answer"},
		[]string{"haproxy", "node", "3.74 MB"},
	},
}
