package findings_test

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/closetrace/closetrace/internal/findings"
	"github.com/closetrace/closetrace/model"
)

const (
	ms  = time.Millisecond
	sec = time.Second
)

// begin is when every stream begins.
var begin = model.TimeOf(time.Date(2026, 11, 28, 12, 0, 0, 0, time.UTC))

// edit changes the facts of an end.
type edit func(*model.Teardown)

// stream is a list of records made by hand: what happened is said by the test that
// makes it, and is not computed by a rule.
type stream struct {
	records []model.Record
	n       int
}

// end adds a connection end that ended at after the begin of the stream.
func (s *stream) end(at time.Duration, process string, role model.Role, local, peer string, cause model.Cause, edits ...edit) *model.Teardown {
	s.n++
	t := model.Teardown{}
	t.ID, t.Time = fmt.Sprintf("b-%d", s.n), begin.Add(at)
	t.Network.Local, t.Network.Peer = endpoint(local), endpoint(peer)
	t.Process = model.Process{PID: 100 + len(process), Name: process}
	t.Verdict, t.Cause, t.Confidence = model.Abortive, cause, model.Certain
	t.TCP.Role = role
	t.TCP.Bytes.Unread, t.TCP.Bytes.Unacked = model.Some[uint64](0), model.Some[uint64](0)
	for _, e := range edits {
		e(&t)
	}
	s.records = append(s.records, model.Record{Kind: model.KindTeardown, Teardown: t})
	return &s.records[len(s.records)-1].Teardown
}

// outcome adds later evidence for an end.
func (s *stream) outcome(at time.Duration, of *model.Teardown, cause model.Cause, rule string) {
	t := model.Teardown{}
	t.ID, t.Time, t.Network, t.Process = of.ID, begin.Add(at), of.Network, of.Process
	t.Verdict, t.Cause, t.Rule, t.Confidence = model.Abortive, cause, rule, model.Certain
	t.Evidence.Later = true
	s.records = append(s.records, model.Record{Kind: model.KindOutcome, Teardown: t})
}

// stray adds resets that were sent without a socket.
func (s *stream) stray(at, first time.Duration, local, peer string) {
	t := model.Teardown{}
	t.ID, t.Time = "s-1", begin.Add(at)
	t.Network.Local, t.Network.Peer = endpoint(local), endpoint(peer)
	s.records = append(s.records, model.Record{
		Kind: model.KindStray, Teardown: t, Stray: model.Stray{Count: 1, First: begin.Add(first), Why: model.StrayNotOurs},
	})
}

func endpoint(s string) model.Endpoint {
	a := netip.MustParseAddrPort(s)
	return model.Endpoint{Address: a.Addr(), Port: a.Port()}
}

func bytes(sent, received uint64) edit {
	return func(t *model.Teardown) {
		t.TCP.Bytes.Sent, t.TCP.Bytes.Received = model.Some(sent), model.Some(received)
	}
}

func unread(n uint64) edit {
	return func(t *model.Teardown) { t.TCP.Bytes.Unread = model.Some(n) }
}

func unacked(n uint64) edit {
	return func(t *model.Teardown) { t.TCP.Bytes.Unacked = model.Some(n) }
}

func lasted(d time.Duration) edit {
	return func(t *model.Teardown) { t.Duration, t.StartTime = model.Some(d), t.Time.Add(-d) }
}

func idle(d time.Duration) edit { return func(t *model.Teardown) { t.TCP.Idle = model.Some(d) } }

// spoke says how long before the end data was last sent and received.
func spoke(sent, received time.Duration) edit {
	return func(t *model.Teardown) {
		t.TCP.LastSent, t.TCP.LastReceived = t.Time.Add(-sent), t.Time.Add(-received)
		t.TCP.LastSpeaker = model.SideLocal
		if received < sent {
			t.TCP.LastSpeaker = model.SidePeer
		}
	}
}

// heard is of an end that never sent anything.
func heard(received time.Duration) edit {
	return func(t *model.Teardown) {
		t.TCP.LastReceived, t.TCP.LastSpeaker = t.Time.Add(-received), model.SidePeer
	}
}

func by(who model.Initiator) edit { return func(t *model.Teardown) { t.Initiator = who } }

func call(c model.Call, signal int) edit {
	return func(t *model.Teardown) {
		t.Closer = model.Closer{PID: t.Process.PID, Name: t.Process.Name, Call: c, Signal: signal}
	}
}

func graceful(t *model.Teardown) { t.Verdict = model.Graceful }
func failed(t *model.Teardown)   { t.Verdict = model.FailedOpen }
func gotFIN(t *model.Teardown)   { t.TCP.FIN.Received = model.Some(true) }
func noRST(t *model.Teardown)    { t.TCP.RST.Sent = model.Some(false) }
func path(states ...model.State) edit {
	return func(t *model.Teardown) { t.TCP.Path = model.PathOf(states...) }
}

// found runs an engine over the records and returns what it reports.
func found(t *testing.T, records []model.Record) *findings.Report {
	t.Helper()
	e := findings.New()
	for i := range records {
		e.Add(&records[i])
	}
	e.Finish()
	return e.Report()
}

func ids(r *findings.Report) (list []string) {
	for _, f := range r.Findings {
		list = append(list, f.ID)
	}
	return list
}

// incidents are streams and the findings that their stories have: the truth is in the
// story, written down before the engine saw it.
var incidents = []struct {
	name  string
	story func(*stream)
	want  []string // ids, the most harmful first
	says  []string // parts of the first sentence
}{
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
			for i := range 3 {
				s.end(time.Duration(i)*sec, "curl", model.Active, "10.8.1.2:4000", "10.8.9.9:80", model.CauseUnreachable, failed, lasted(ms), func(t *model.Teardown) { t.TCP.Error = "ECONNREFUSED" })
			}
		},
		[]string{"firewall-reject"},
		[]string{"curl", "10.8.9.9", "3 connections"},
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
		[]string{"nginx", "1m15s", "nginx keep-alive"},
	},
	{
		"MariaDB resets after wait_timeout",
		func(s *stream) {
			s.end(100*sec, "mariadbd", model.Passive, "10.0.0.1:3306", "10.0.0.2:4000", model.CauseLingerZero, bytes(100, 100), idle(28800*sec), by(model.InitiatorLocal), call(model.CallClose, 0))
		},
		[]string{"idle-timeout"},
		[]string{"mariadbd", "8h00m", "wait_timeout"},
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
		[]string{"api", "SIGTERM", "5 connections"},
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

func TestStoriesAreFound(t *testing.T) {
	for _, c := range incidents {
		t.Run(c.name, func(t *testing.T) {
			var s stream
			c.story(&s)
			slices.SortStableFunc(s.records, func(a, b model.Record) int { return int(a.Time() - b.Time()) })
			r := found(t, s.records)
			if got := ids(r); !slices.Equal(got, c.want) {
				text, _ := json.MarshalIndent(r.Findings, "", " ")
				t.Fatalf("got findings %q, want %q\n%s", got, c.want, text)
			}
			for _, part := range c.says {
				if !strings.Contains(r.Findings[0].Title, part) {
					t.Errorf("%q does not say %q", r.Findings[0].Title, part)
				}
			}
			for i := range r.Findings {
				checkFinding(t, &r.Findings[i], s.records)
			}
		})
	}
}

// checkFinding: what every finding promises. Its filter selects what proves it.
func checkFinding(t *testing.T, f *findings.Finding, records []model.Record) {
	t.Helper()
	if f.Share <= 0 || f.Share > 1 || f.Count == 0 || len(f.Evidence) == 0 || f.Advice == "" || f.First == 0 || f.Last < f.First {
		t.Errorf("incomplete: %+v", f)
	}
	if lines := f.Lines(1, findings.TextOptions{Width: 80}); len(lines) > 6 {
		t.Errorf("%d lines of text, want at most 6", len(lines))
	}
	filter, err := model.CompileFilter(f.Filter)
	if err != nil {
		t.Fatalf("%s: filter %q: %v", f.ID, f.Filter, err)
	}
	selected := map[string]bool{}
	for i := range records {
		if r := &records[i]; (r.Kind == model.KindTeardown || r.Kind == model.KindOutcome) && filter.Match(r) {
			selected[r.Teardown.ID] = true
		}
	}
	if uint64(len(selected)) != f.Count {
		t.Errorf("%s: filter %q selects %d ends, want those of its %d connections", f.ID, f.Filter, len(selected), f.Count)
	}
	if !slices.ContainsFunc(f.Evidence, func(id string) bool { return selected[id] }) {
		t.Errorf("%s: filter %q selects none of its evidence", f.ID, f.Filter)
	}
}

// TestOrderDoesNotMatter: records whose order is shuffled within 100 ms give the
// same findings.
func TestOrderDoesNotMatter(t *testing.T) {
	for _, c := range incidents {
		var s stream
		c.story(&s)
		s.records = append(s.records, model.Record{Kind: model.KindStop, Stop: model.Stop{Time: begin.Add(5000 * sec)}})
		slices.SortStableFunc(s.records, func(a, b model.Record) int { return int(a.Time() - b.Time()) })
		want := found(t, s.records)
		for seed := range uint64(20) {
			random := rand.New(rand.NewPCG(seed, 1))
			late := map[int]model.Time{}
			order := make([]int, len(s.records))
			for i := range order {
				order[i], late[i] = i, s.records[i].Time().Add(time.Duration(random.Int64N(int64(100*ms))))
			}
			slices.SortFunc(order, func(a, b int) int { return int(late[a] - late[b]) })
			var shuffled []model.Record
			for _, i := range order {
				shuffled = append(shuffled, s.records[i])
			}
			if got := found(t, shuffled); !reflect.DeepEqual(got, want) {
				t.Fatalf("%s, seed %d: got %+v\nwant %+v", c.name, seed, got.Findings, want.Findings)
			}
		}
	}
}

// TestLossesAreSaid: with lost records nothing is certain.
func TestLossesAreSaid(t *testing.T) {
	for _, c := range incidents {
		if c.want == nil {
			continue
		}
		var s stream
		c.story(&s)
		r := found(t, append(s.records, model.Record{Kind: model.KindLoss, Loss: model.Loss{Time: begin, Count: 7}}))
		for _, f := range r.Findings {
			if f.Confidence != model.Inferred || f.Numbers["lost_events"] != 7 || !strings.Contains(f.Title, "7 events were lost") {
				t.Errorf("%s: %v, %v, %q", c.name, f.Confidence, f.Numbers, f.Title)
			}
		}
		if r.Lost != 7 {
			t.Errorf("%s: got %d lost, want 7", c.name, r.Lost)
		}
	}
}

// TestMissingFactsSayNothing: without the facts that decide no alarm is raised.
func TestMissingFactsSayNothing(t *testing.T) {
	var s stream
	for i := range 50 {
		at := time.Duration(i) * sec
		s.end(at, "app", model.Passive, "10.0.0.1:80", fmt.Sprintf("10.0.0.2:%d", 4000+i), model.CauseDataAfterClose, by(model.InitiatorLocal))
		s.end(at, "app", model.Active, fmt.Sprintf("10.0.0.1:%d", 4000+i), "10.0.1.2:80", model.CausePeerReset)
		s.end(at, "app", model.Passive, "10.0.0.1:80", fmt.Sprintf("10.0.0.3:%d", 4000+i), model.CauseFIN, graceful)
	}
	if got := ids(found(t, s.records)); got != nil {
		t.Errorf("got %q, want nothing", got)
	}
}

func TestTableIsComplete(t *testing.T) {
	for _, p := range findings.Patterns() {
		if p.Name == "" || p.Title == "" || p.When == "" || p.Filter == "" {
			t.Errorf("incomplete: %+v", p)
		}
		if _, err := model.CompileFilter(p.Filter); err != nil {
			t.Errorf("%s: %v", p.Name, err)
		}
	}
	told := map[string]bool{}
	for _, c := range incidents {
		for _, id := range c.want {
			told[id] = true
		}
	}
	for _, p := range findings.Patterns() {
		if !told[p.Name] {
			t.Errorf("no story has %s", p.Name)
		}
	}
}

// TestOpenConnectionsLeak: the list of what is open shows a process that does not close; one
// connection of a pool that nobody has looked at for a while is none.
func TestOpenConnectionsLeak(t *testing.T) {
	open := func(pid int, state model.State, silent time.Duration) findings.Open {
		return findings.Open{
			ID: fmt.Sprint(pid, silent), Process: "app", PID: pid, State: state, Silent: silent,
			Local: netip.MustParseAddrPort("10.0.0.1:4000"), Peer: netip.MustParseAddrPort("10.0.0.2:80"),
		}
	}
	e := findings.New()
	e.See(begin, []findings.Open{
		open(7, model.CloseWait, 67*time.Minute), open(7, model.CloseWait, 20*sec), open(7, model.CloseWait, sec), open(7, model.Established, time.Hour),
		open(8, model.CloseWait, 30*sec), open(8, model.CloseWait, 0),
		open(9, model.CloseWait, 12*sec), open(9, model.CloseWait, 13*sec), open(9, model.CloseWait, 14*sec),
	})
	r := e.Report()
	if len(r.Findings) != 2 || r.Findings[0].ID != "close-wait-leak" || r.Findings[0].Count != 3 || !strings.Contains(r.Findings[0].Title, "app[9] has 3 connections in CLOSE_WAIT") ||
		!strings.Contains(r.Findings[1].Title, "app[7] has 2 connections in CLOSE_WAIT, the oldest for 1h07m") {
		t.Errorf("got %+v", r.Findings)
	}
	e.See(begin.Add(sec), nil)
	if r := e.Report(); len(r.Findings) != 0 {
		t.Errorf("they are closed, and still told: %+v", r.Findings)
	}
}
