package findings_test

import (
	"fmt"
	"time"

	"github.com/closetrace/closetrace/model"
)

// keptAlive is n connections of a server that it closes at 9 s, after they were idle for some
// time; the clients' next requests come half a second later.
func (s *stream) keptAlive(n int, process string, was func(int) time.Duration, edits ...edit) {
	for i := range n {
		x := s.end(9*sec, process, model.Passive, "10.6.0.2:80", fmt.Sprintf("10.6.0.1:%d", 4000+i), model.CauseFIN, append([]edit{
			graceful, bytes(203, 136), idle(was(i)), by(model.InitiatorLocal), call(model.CallClose, 0), lasted(8 * sec),
			func(t *model.Teardown) { t.Evidence.FirstFIN = begin.Add(9*sec + time.Duration(i)*ms) },
		}, edits...)...)
		s.outcome(9500*ms, x, model.CauseDataAfterClose, "late-data-after-close")
	}
}

// began is when a connection began, and process which one has it.
func began(at time.Duration, pid int) edit {
	return func(t *model.Teardown) { t.StartTime, t.Process.PID = begin.Add(at), pid }
}

func told(signal int) edit {
	return func(t *model.Teardown) { t.Signalled = model.Signalled{Number: signal, PID: 7, Name: t.Process.Name} }
}

// restarts are stories about servers that end their connections because they end themselves.
var restarts = []story{
	{
		"nginx is reloaded: its worker closes what is idle, and the clients do not notice",
		func(s *stream) {
			s.keptAlive(4, "nginx", func(i int) time.Duration { return time.Duration(i+1) * sec })
		},
		[]string{"process-restart"},
		[]string{"nginx (port 80) closed all that was idle at one moment, after 1s to 4s of idleness", "4 requests"},
	},
	{
		"two reloads, an hour apart, of connections that had been idle for one time that nobody sets",
		func(s *stream) {
			for n := range 2 {
				from := len(s.records)
				s.keptAlive(4, "nginx", func(int) time.Duration { return 2210 * ms }, func(t *model.Teardown) { t.Process.PID += n })
				for i := from; i < len(s.records); i++ {
					r := &s.records[i]
					later := time.Duration(n) * time.Hour
					if r.Teardown.Time = r.Teardown.Time.Add(later); r.Kind == model.KindTeardown {
						r.Teardown.Evidence.FirstFIN = r.Teardown.Evidence.FirstFIN.Add(later)
					}
				}
			}
		},
		[]string{"process-restart", "idle-timeout"},
		[]string{"nginx (port 80) closed all that was idle at 2 moments", "8 requests"},
	},
	{
		"the same on a busy server: no timeout is so short",
		func(s *stream) {
			s.keptAlive(5, "nginx", func(i int) time.Duration { return time.Duration(i+2) * 60 * ms })
		},
		[]string{"process-restart"},
		[]string{"nginx (port 80) closed all that was idle at one moment, and 5 requests"},
	},
	{
		"the same, idle for one time: another worker accepts since",
		func(s *stream) {
			s.keptAlive(4, "nginx", func(int) time.Duration { return 2 * sec }, began(sec, 100))
			s.end(12*sec, "nginx", model.Passive, "10.6.0.2:80", "10.6.0.1:5000", model.CauseFIN, graceful, bytes(203, 68), by(model.InitiatorPeer), lasted(sec), began(11*sec, 101))
		},
		[]string{"process-restart"},
		[]string{"nginx", "4 requests"},
	},
	{
		"the same, and that worker accepts again: it was the timeout",
		func(s *stream) {
			s.keptAlive(4, "nginx", func(int) time.Duration { return 2 * sec }, began(sec, 100))
			s.end(12*sec, "nginx", model.Passive, "10.6.0.2:80", "10.6.0.1:5000", model.CauseFIN, graceful, bytes(203, 68), by(model.InitiatorPeer), lasted(sec), began(11*sec, 101))
			s.end(13*sec, "nginx", model.Passive, "10.6.0.2:80", "10.6.0.1:5001", model.CauseFIN, graceful, bytes(203, 68), by(model.InitiatorPeer), lasted(sec), began(12*sec, 100))
		},
		[]string{"keepalive-race", "idle-timeout"},
		[]string{"nginx", "2s of idleness", "4 requests"},
	},
	{
		"PostgreSQL's session timeout ends equally idle sessions at one moment, and each new one has a process of its own",
		func(s *stream) {
			for i := range 5 {
				client := fmt.Sprintf("10.6.0.1:%d", 4000+i)
				x := s.end(9*sec, "postgres", model.Passive, "10.6.0.2:5432", client, model.CauseFIN, graceful, bytes(592, 55), idle(0),
					spoke(40*ms, 4040*ms+time.Duration(i)*4*ms), by(model.InitiatorLocal), call(model.CallExit, 0), lasted(5*sec), began(4*sec, 700+i),
					func(t *model.Teardown) { t.Evidence.FirstFIN, t.Closer.PID = begin.Add(9*sec-40*ms), 700+i })
				s.outcome(11*sec, x, model.CauseDataAfterClose, "late-data-in-time-wait")
				s.end(11*sec, "psql", model.Active, client, "10.6.0.2:5432", model.CausePeerReset, bytes(55, 592), unacked(14), gotFIN)
				s.end(13*sec, "postgres", model.Passive, "10.6.0.2:5432", fmt.Sprintf("10.6.0.1:%d", 5000+i), model.CauseFIN, graceful, bytes(410, 46), by(model.InitiatorPeer), lasted(sec), began(12*sec, 800+i))
			}
		},
		[]string{"keepalive-race", "idle-timeout"},
		[]string{"postgres (port 5432) closes connections after 4", "5 requests"},
	},
	{
		"gunicorn gets SIGHUP, and tells its workers to end", // equally idle, and each worker has one
		func(s *stream) { s.keptAlive(2, "gunicorn", func(int) time.Duration { return sec }, told(15)) },
		[]string{"process-restart"},
		[]string{"gunicorn (port 80) was told to end by SIGTERM from gunicorn[7]", "2 requests"},
	},
	{
		"PostgreSQL is full: it reads the login and says so",
		func(s *stream) {
			for i := range 4 {
				s.end(sec, "postgres", model.Passive, "10.6.0.2:5432", fmt.Sprintf("10.6.0.1:%d", 4000+i), model.CauseFIN, graceful, bytes(87, 71), idle(0),
					by(model.InitiatorPeer), call(model.CallExit, 0), lasted(30*ms))
				// A login that did not come (client_login_timeout).
				if i == 0 {
					s.end(4*sec, "postgres", model.Passive, "10.6.0.2:5432", "10.6.0.1:7000", model.CauseFIN, graceful, bytes(43, 8), spoke(0, 3*sec),
						by(model.InitiatorLocal), call(model.CallClose, 0), lasted(3*sec))
				}
				// pg_isready: the question for a password is no error; and a session that was taken.
				s.end(sec, "postgres", model.Passive, "10.6.0.2:5432", fmt.Sprintf("10.6.0.1:%d", 5000+i), model.CauseFIN, graceful, bytes(24, 71), by(model.InitiatorPeer), lasted(30*ms))
				s.end(sec, "postgres", model.Passive, "10.6.0.2:5432", fmt.Sprintf("10.6.0.1:%d", 6000+i), model.CauseFIN, graceful, bytes(420, 90), by(model.InitiatorPeer), lasted(30*ms))
			}
		},
		[]string{"turned-away"},
		[]string{"postgres (port 5432) refused 4 logins of 10.6.0.1", "87 B"},
	},
	{
		"MariaDB is full: it greets, reads the login and says so", // and a session that its client ended
		func(s *stream) {
			for i := range 4 {
				s.end(sec, "mariadbd", model.Passive, "10.6.0.2:3306", fmt.Sprintf("10.6.0.1:%d", 4000+i), model.CauseFIN, graceful, bytes(137, 115), idle(0),
					spoke(0, ms), by(model.InitiatorLocal), call(model.CallClose, 0), lasted(4*ms))
				s.end(sec, "mariadbd", model.Passive, "10.6.0.2:3306", fmt.Sprintf("10.6.0.1:%d", 5000+i), model.CauseFIN, graceful, bytes(130, 120), idle(0),
					spoke(ms, 0), by(model.InitiatorLocal), call(model.CallClose, 0), lasted(4*ms))
			}
		},
		[]string{"turned-away"},
		[]string{"mariadbd (port 3306) refused 4 logins of 10.6.0.1", "137 B"},
	},
	{
		"a TLS server takes none of the client's versions",
		func(s *stream) {
			for i := range 3 {
				s.end(sec, "nginx", model.Passive, "10.6.0.2:443", fmt.Sprintf("10.6.0.1:%d", 4000+i), model.CauseFIN, graceful, bytes(7, 200), by(model.InitiatorLocal), call(model.CallClose, 0), lasted(5*ms))
			}
		},
		[]string{"turned-away"},
		[]string{"nginx (port 443) refused 3 TLS handshakes", "an alert"},
	},
	{
		"Node over server.maxConnections: closed with the request unread, at once",
		func(s *stream) {
			s.end(sec, "node", model.Passive, "10.6.0.2:3000", "10.6.0.1:4000", model.CauseUnreadData, bytes(0, 27), unread(27), idle(0), heard(ms), by(model.InitiatorLocal), call(model.CallClose, 0), lasted(ms))
		},
		[]string{"turned-away"},
		[]string{"node (port 3000)", "1 connection", "without reading"},
	},
	{
		"a client that waits is killed", // kill -9 of curl
		func(s *stream) {
			s.end(3*sec, "curl", model.Active, "10.6.0.1:4000", "10.6.0.2:8000", model.CauseFIN, graceful, bytes(80, 0), idle(2*sec), spoke(2*sec, 0), by(model.InitiatorLocal), call(model.CallExit, 9), lasted(2010*ms))
		},
		[]string{"gave-up-waiting"},
		[]string{"curl was ended by SIGKILL while 1 request to 10.6.0.2 port 8000 had waited 2s"},
	},
	{
		"a client leaves a long download, and is not on this host", // the request is old, and nothing was idle
		func(s *stream) {
			s.end(60*sec, "nginx", model.Passive, "10.6.0.2:80", "10.6.0.1:4000", model.CausePeerReset, bytes(5_400_000, 81), unacked(30_000), by(model.InitiatorPeer), lasted(59*sec), spoke(0, 58*sec),
				func(t *model.Teardown) {
					t.TCP.Limited.Busy, t.TCP.LastSpeaker = model.Some(57*sec), model.SideLocal
				})
		},
		nil, nil,
	},
	{
		"curl --limit-rate --max-time: the client reads slowly, and leaves",
		func(s *stream) { s.throttled(4*sec, unread(1_500_000), bytes(81, 5_400_000), idle(3600*ms)) },
		[]string{"left-halfway"},
		[]string{"curl closed 1 connection to nginx port 80 in the middle of the answer"},
	},
	{
		"the same of a client elsewhere",
		func(s *stream) {
			s.throttled(4 * sec)
			s.records = s.records[:len(s.records)-1]
		},
		[]string{"left-halfway"},
		[]string{"10.6.0.1 closed 1 connection to nginx port 80 in the middle of the answer (2.8 MB not read)"},
	},
	{
		"the same of a capture, which knows no process",
		func(s *stream) {
			s.throttled(4*sec, unread(1_500_000), bytes(81, 5_400_000), idle(3600*ms))
			for i := range s.records {
				s.records[i].Teardown.Process = model.Process{}
			}
		},
		[]string{"left-halfway"},
		[]string{"10.6.0.1 closed 1 connection to 10.6.0.2 port 80 in the middle of the answer"},
	},
	{
		"a client elsewhere that reads nothing any more, and is ended",
		func(s *stream) {
			s.throttled(4 * sec)
			s.records = s.records[:len(s.records)-1]
			spoke(3900*ms, 6*sec)(&s.records[len(s.records)-1].Teardown)
		},
		[]string{"slow-reader"},
		[]string{"10.6.0.1 does not read what nginx (port 80) sends"},
	},
	{
		"such a client on a busy machine: most of what came still lay there", // curl had read 2 of 8 MB
		func(s *stream) { s.throttled(4*sec, unread(6_000_000), bytes(81, 8_000_000), idle(3600*ms)) },
		[]string{"left-halfway"},
		[]string{"curl closed 1 connection to nginx port 80 in the middle of the answer"},
	},
	{
		"curl --max-time on a busy machine: one of three ends late",
		func(s *stream) {
			for i, late := range []time.Duration{0, 10 * ms, 600 * ms} {
				s.end(time.Duration(4*i)*sec+4*sec, "curl", model.Active, fmt.Sprintf("10.6.0.1:%d", 4000+i), "10.6.0.2:80", model.CauseUnreadData, unread(500_000), bytes(81, 5_400_000), idle(ms),
					func(t *model.Teardown) { t.TCP.LastSpeaker = model.SidePeer }, by(model.InitiatorLocal), call(model.CallClose, 0), lasted(3*sec+late))
			}
		},
		[]string{"left-halfway"},
		[]string{"curl closed 3 connections to 10.6.0.2 port 80", "each after 3s: that is a time limit"},
	},
	{
		"a client that does not read at all, and ends when the server has given it up", // redis client-output-buffer-limit
		func(s *stream) { s.throttled(400*ms, unread(32_768), bytes(13, 32_798), idle(7*sec)) },
		[]string{"slow-reader"},
		[]string{"curl does not read what nginx (port 80) sends"},
	},
}

// throttled is a client that closes with data unread, and its server.
func (s *stream) throttled(limited time.Duration, edits ...edit) {
	s.end(8*sec, "nginx", model.Passive, "10.6.0.2:80", "10.6.0.1:4000", model.CausePeerReset, bytes(5_400_000, 81), unacked(2_800_000), by(model.InitiatorPeer), lasted(7*sec),
		func(t *model.Teardown) {
			t.TCP.Limited = model.Limited{Busy: model.Some(4100 * ms), Receiver: model.Some(limited)}
		})
	s.end(8*sec, "curl", model.Active, "10.6.0.1:4000", "10.6.0.2:80", model.CauseUnreadData, append(edits,
		func(t *model.Teardown) { t.TCP.LastSpeaker = model.SidePeer }, by(model.InitiatorLocal), call(model.CallClose, 0), lasted(7*sec))...)
}
