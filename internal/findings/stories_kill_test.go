package findings_test

import (
	"fmt"
	"time"

	"github.com/closetrace/closetrace/model"
)

// stoppedBy is of an end whose process got a signal of systemd, and closed by itself.
func stoppedBy(signal int) edit {
	return func(t *model.Teardown) {
		t.Signalled = model.Signalled{Number: signal, Time: t.Time.Add(-ms), PID: 1, Name: "systemd"}
	}
}

// refusedChecks are health checks of a proxy that fail.
func (s *stream) refusedChecks(process string, n int, every time.Duration) {
	for i := range n {
		s.end(time.Duration(i+1)*every, process, model.Active, fmt.Sprintf("10.8.1.2:%d", 4000+i), "10.8.9.9:80", model.CauseRefused, failed, lasted(ms))
	}
}

// backends are stories about proxies whose backends refuse.
var backends = []story{
	{
		"a health check is refused every 2 s, and a client that never spoke is closed",
		func(s *stream) {
			s.refusedChecks("haproxy", 40, 2*sec)
			s.end(70300*ms, "haproxy", model.Passive, "10.8.1.2:80", "10.0.0.9:4000", model.CauseFIN, graceful, bytes(0, 0), by(model.InitiatorLocal), call(model.CallClose, 0), lasted(60*sec))
			s.end(60300*ms, "haproxy", model.Passive, "10.8.1.2:80", "10.0.0.9:4001", model.CauseFIN, graceful, bytes(0, 0), by(model.InitiatorLocal), call(model.CallClose, 0), lasted(700*ms))
		},
		[]string{"refused-loop"},
		[]string{"haproxy was refused by 10.8.9.9:80 40 times"},
	},
	{
		"HAProxy tries its backend four times, a second apart, and closes its client",
		func(s *stream) {
			s.refusedChecks("haproxy", 4, sec)
			s.end(4001*ms, "haproxy", model.Passive, "10.8.1.2:80", "10.0.0.9:4000", model.CauseFIN, graceful, bytes(0, 80), heard(3001*ms), by(model.InitiatorLocal), call(model.CallClose, 0), lasted(3003*ms))
		},
		[]string{"upstream-refused", "refused-loop"},
		[]string{"haproxy (port 80) accepted 1 connection of 10.0.0.9, but its own attempt to connect to 10.8.9.9:80 failed"},
	},
	{
		"a proxy tries two backends that do not answer, 2 s each, and closes its client",
		func(s *stream) {
			for i, backend := range []string{"10.8.9.9:80", "10.8.9.8:80"} {
				s.end(time.Duration(i+1)*2*sec, "nginx", model.Active, fmt.Sprintf("10.8.1.2:%d", 4000+i), backend, model.CauseConnectCancelled, failed, lasted(2*sec), func(t *model.Teardown) { t.TCP.Retransmits = model.Some[uint32](1) })
			}
			s.end(4001*ms, "nginx", model.Passive, "10.8.1.2:80", "10.0.0.9:4000", model.CauseFIN, graceful, bytes(0, 80), heard(4*sec), by(model.InitiatorLocal), call(model.CallClose, 0), lasted(4002*ms))
		},
		[]string{"upstream-refused", "path-dead", "path-dead"},
		[]string{"nginx (port 80) accepted 1 connection of 10.0.0.9, but its own attempt to connect to 10.8.9.8:80 failed"},
	},
	{
		"a client asks its proxy every 2 s, and each time the backend refuses",
		func(s *stream) {
			s.refusedChecks("docker-proxy", 5, 2*sec)
			for i := range 5 {
				s.end(time.Duration(i+1)*2*sec+ms, "docker-proxy", model.Passive, "10.8.1.2:80", fmt.Sprintf("10.0.0.9:%d", 4000+i), model.CauseUnreadData, bytes(0, 80), unread(80), by(model.InitiatorLocal), call(model.CallClose, 0), lasted(3*ms))
			}
		},
		[]string{"upstream-refused", "refused-loop"},
		[]string{"docker-proxy (port 80) accepted 5 connections"},
	},
	{
		"Envoy's upstream resets, and it passes that on to its clients, whatever they did",
		func(s *stream) {
			for i := range 3 {
				at := time.Duration(i+1) * sec
				s.end(at, "envoy", model.Active, fmt.Sprintf("10.8.1.2:%d", 4000+i), "10.8.9.9:8080", model.CausePeerReset, bytes(80, uint64(200*i)), by(model.InitiatorPeer), lasted(200*ms), spoke(0, 100*ms))
				s.end(at+2*ms, "envoy", model.Passive, "10.8.1.2:80", fmt.Sprintf("10.0.0.9:%d", 4000+i), model.CauseLingerZero, bytes(uint64(200*i), 80), idle(time.Duration(i)*900*ms), by(model.InitiatorLocal), call(model.CallClose, 0), lasted(400*ms))
			}
		},
		[]string{"abort-on-close"},
		[]string{"envoy (port 80) reset 3 connections with 10.0.0.9 at the moment at which its own to 10.8.9.9:8080 had been reset"},
	},
	{
		"the same proxy resets clients by itself, while others of its connections are reset now and then",
		func(s *stream) {
			for i := range 3 {
				at := time.Duration(i+1) * sec
				s.end(at, "envoy", model.Active, fmt.Sprintf("10.8.1.2:%d", 4000+i), "10.8.9.9:8080", model.CausePeerReset, bytes(80, 300), by(model.InitiatorPeer), lasted(200*ms), spoke(100*ms, 0))
				s.end(at+300*ms, "envoy", model.Passive, "10.8.1.2:80", fmt.Sprintf("10.0.0.9:%d", 4000+i), model.CauseLingerZero, bytes(300, 80), idle(0), by(model.InitiatorLocal), call(model.CallClose, 0), lasted(400*ms))
			}
		},
		[]string{"abort-on-close"},
		[]string{"envoy (port 80) ended 3 connections with 10.0.0.9 by RST: it set SO_LINGER"},
	},
}

// kills are stories about processes that end, and about who waits for them.
var kills = []story{
	{
		"the OOM killer ends a server whose clients are idle",
		func(s *stream) {
			for i := range 5 {
				s.end(sec+time.Duration(i)*ms, "api", model.Passive, "10.0.0.1:80", fmt.Sprintf("10.0.0.2:%d", 4000+i), model.CauseFIN, graceful, bytes(100, 100), spoke(60*sec, 61*sec), idle(60*sec),
					by(model.InitiatorLocal), call(model.CallExit, 9), path(model.SynRecv, model.Established, model.FinWait1), func(t *model.Teardown) { t.Closer.OOM = model.Some(true) })
			}
		},
		[]string{"process-restart"},
		[]string{"api (port 80) was killed by the OOM killer (SIGKILL): 5 connections ended with it."},
	},
	{
		"systemd stops a server of logs, which never answers",
		func(s *stream) {
			for i := range 5 {
				s.end(4000*sec, "rsyslogd", model.Passive, "10.0.0.1:514", fmt.Sprintf("10.0.0.2:%d", 4000+i), model.CauseFIN, graceful, bytes(0, 50_000), heard(2*sec),
					by(model.InitiatorLocal), call(model.CallClose, 0), lasted(time.Hour), path(model.SynRecv, model.Established, model.FinWait1), stoppedBy(15))
			}
		},
		[]string{"process-restart"},
		[]string{"rsyslogd (port 514) ended by SIGTERM from systemd[1]: 5 connections"},
	},
	{
		"the same 5 s after its clients have connected",
		func(s *stream) { s.publishers("rsyslogd", 514, 0, 40) },
		[]string{"process-restart"},
		[]string{"rsyslogd (port 514) ended by SIGTERM from systemd[1]: 5 connections"},
	},
	{
		"systemd stops an MQTT broker, whose clients publish with QoS 0 and were only greeted",
		func(s *stream) { s.publishers("mosquitto", 1883, 4, 40) },
		[]string{"process-restart"},
		[]string{"mosquitto (port 1883) ended by SIGTERM from systemd[1]: 5 connections"},
	},
	{
		"redis-cli says SHUTDOWN, which has no answer, while a replica acknowledges what it gets",
		func(s *stream) {
			for i := range 2 {
				s.end(20*sec, "redis-server", model.Passive, "10.0.0.1:6379", fmt.Sprintf("10.0.0.2:%d", 4000+i), model.CauseFIN, graceful, bytes(uint64(400*i), uint64(30+713*i)),
					by(model.InitiatorLocal), call(model.CallExit, 0), lasted(10*sec), heard(4*ms))
			}
		},
		nil, nil,
	},
	{
		"systemd stops Redis, whose replica has acknowledged what it got",
		func(s *stream) {
			s.end(20*sec, "redis-server", model.Passive, "10.0.0.1:6379", "10.0.0.2:4000", model.CauseFIN, graceful, bytes(401, 743),
				by(model.InitiatorLocal), call(model.CallExit, 0), lasted(10*sec), spoke(10*sec, 4*ms), stoppedBy(15))
		},
		nil, nil,
	},
	{
		"systemd stops Redis with a request unread",
		func(s *stream) {
			s.end(20*sec, "redis-server", model.Passive, "10.0.0.1:6379", "10.0.0.2:4000", model.CauseUnreadData, bytes(401, 743), unread(30),
				by(model.InitiatorLocal), call(model.CallExit, 0), lasted(10*sec), spoke(10*sec, 4*ms), stoppedBy(15))
		},
		[]string{"process-killed"},
		[]string{"redis-server"},
	},
	{
		"systemd stops an MQTT broker, whose subscribers acknowledge each message at once",
		func(s *stream) {
			for i := range 5 {
				s.end(20*sec, "mosquitto", model.Passive, "10.0.0.1:1883", fmt.Sprintf("10.0.0.2:%d", 4000+i), model.CauseFIN, graceful, bytes(5000, 900),
					by(model.InitiatorLocal), call(model.CallClose, 0), lasted(10*sec), path(model.SynRecv, model.Established, model.FinWait1), spoke(11*ms, 10*ms), stoppedBy(15))
			}
		},
		[]string{"process-restart"},
		[]string{"mosquitto"},
	},
	{
		"a server is stopped in the middle of requests that answers each by a few bytes",
		func(s *stream) { s.publishers("memcached", 11211, 200, 40) },
		[]string{"process-killed"},
		[]string{"memcached (port 11211) was ended by SIGTERM from systemd[1] with 5 requests unanswered"},
	},
	{
		"a server is stopped whose client has sent one long request in a few segments",
		func(s *stream) { s.publishers("api", 80, 0, 5) },
		[]string{"process-killed"},
		[]string{"5 requests unanswered"},
	},
	{
		"a worker is stopped with a request that came 3 s after the connect",
		func(s *stream) {
			s.end(20*sec, "api", model.Passive, "10.0.0.1:80", "10.0.0.2:4000", model.CauseFIN, graceful, bytes(0, 80), heard(2*sec),
				by(model.InitiatorLocal), call(model.CallClose, 0), lasted(5*sec), stoppedBy(15))
		},
		[]string{"process-killed"},
		[]string{"1 request unanswered"},
	},
	{
		"xinetd starts clustercheck for each check, which answers, reads nothing and ends",
		func(s *stream) { s.clusterchecks(133, spoke(0, 20*ms)) },
		nil, nil,
	},
	{
		"such a program has not answered the second request",
		func(s *stream) { s.clusterchecks(133, spoke(20*ms, 0)) },
		[]string{"process-killed"},
		[]string{"3 requests unanswered"},
	},
	{
		"such a program answers in the middle of an upload",
		func(s *stream) { s.clusterchecks(70_000, spoke(0, 20*ms)) },
		[]string{"process-killed"},
		[]string{"clustercheck"},
	},
	{
		"the same, and it crashes",
		func(s *stream) {
			for i := range 5 {
				s.end(4000*sec, "rsyslogd", model.Passive, "10.0.0.1:514", fmt.Sprintf("10.0.0.2:%d", 4000+i), model.CauseFIN, graceful, bytes(0, 50_000), heard(2*sec),
					by(model.InitiatorLocal), call(model.CallExit, 11), lasted(time.Hour))
			}
		},
		[]string{"process-killed"},
		[]string{"rsyslogd (port 514) was ended by SIGSEGV with 5 connections on which the client had spoken last"},
	},
	{
		"a server is stopped that has just taken an upload of 9 s",
		func(s *stream) {
			s.end(20*sec, "api", model.Passive, "10.0.0.1:80", "10.0.0.2:4000", model.CauseFIN, graceful, bytes(0, 9_000_000), heard(2*sec),
				by(model.InitiatorLocal), call(model.CallClose, 0), lasted(11*sec), stoppedBy(15))
		},
		[]string{"process-killed"},
		[]string{"1 request unanswered"},
	},
}

// publishers are clients of a server that is stopped, 5 s after they have connected and a second after their
// last message.
func (s *stream) publishers(process string, port int, sent, segments uint64) {
	for i := range 5 {
		s.end(20*sec, process, model.Passive, fmt.Sprintf("10.0.0.1:%d", port), fmt.Sprintf("10.0.0.2:%d", 4000+i), model.CauseFIN, graceful, bytes(sent, 17*segments),
			by(model.InitiatorLocal), call(model.CallClose, 0), lasted(5*sec), path(model.SynRecv, model.Established, model.FinWait1), heard(sec), stoppedBy(15),
			func(t *model.Teardown) {
				t.TCP.Segments.In = model.Some(segments)
				if sent > 0 {
					t.TCP.LastSent = t.StartTime.Add(ms)
				}
			})
	}
}

func (s *stream) clusterchecks(left uint64, edits ...edit) {
	for i := range 3 {
		s.end(time.Duration(2*i+1)*sec, "clustercheck", model.Passive, "10.0.0.1:9200", fmt.Sprintf("10.0.0.2:%d", 4000+i), model.CauseUnreadData, append(edits, bytes(191, left), unread(left),
			by(model.InitiatorLocal), call(model.CallExit, 0), lasted(40*ms), func(t *model.Teardown) { t.Process.PID, t.Closer.PID = 300+i, 300+i })...)
	}
}
