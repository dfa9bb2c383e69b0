package findings_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/closetrace/closetrace/model"
)

// left is a client that closes as a small answer comes, which is lost. It had said so much.
func left(s *stream, port int, said uint64) {
	for i := range 5 {
		at, client, server := time.Duration(12+i)*sec, fmt.Sprintf("10.6.0.1:%d", 4000+i), fmt.Sprintf("10.6.0.2:%d", port)
		s.end(at, "app", model.Active, client, server, model.CauseDataAfterClose, bytes(said, 1001), idle(0), spoke(ms, 10*sec), by(model.InitiatorLocal), call(model.CallClose, 0), lasted(10*sec))
		s.end(at+ms, "imap-login", model.Passive, server, client, model.CausePeerReset, bytes(1001, said), unacked(55), gotFIN, spoke(10*sec, ms), by(model.InitiatorPeer), lasted(10*sec))
	}
}

// goodnight is of an FTP server that says 421 to what is idle, and closes. What the client says next comes so
// much later.
func goodnight(s *stream, port int, later time.Duration) {
	for i := range 4 {
		x := s.end(time.Duration(6+6*i)*sec, "vsftpd", model.Passive, fmt.Sprintf("10.6.0.2:%d", port), fmt.Sprintf("10.6.0.1:%d", 4000+i), model.CauseFIN, graceful, bytes(198, 36), idle(0), spoke(12*ms, 4028*ms),
			by(model.InitiatorLocal), call(model.CallShutdown, 0), lasted(4171*ms))
		x.TCP.LastSpeaker, x.Evidence.FirstFIN = model.SideLocal, x.Time.Add(-12*ms)
		s.outcome(time.Duration(6+6*i)*sec+later, x, model.CauseDataAfterClose, "late-data-in-time-wait")
	}
}

// closes are stories of what a few bytes are that come when a connection has been closed.
var closes = []story{
	{
		"an IMAP client gives up IDLE and closes as the answer comes", // in clear: 74 bytes are no TLS
		func(s *stream) { left(s, 143, 74) },
		nil, nil,
	},
	{
		"the same, and the client said more: it may be TLS",
		func(s *stream) { left(s, 8444, 800) },
		[]string{"tls-close-notify"},
		[]string{"5 connections between app and imap-login"},
	},
	{
		"the same at a port of TLS, in a session of few bytes",
		func(s *stream) { left(s, 993, 140) },
		[]string{"tls-close-notify"},
		[]string{"5 connections between app and imap-login"},
	},
	{
		"an FTP server says 421 and closes, and its clients' next commands come 2 s later", // their ends are elsewhere
		func(s *stream) { goodnight(s, 21, 2*sec) },
		[]string{"keepalive-race", "idle-timeout"},
		[]string{"vsftpd (port 21) closes connections after 4.02s of idleness, and 4 requests or farewells of 10.6.0.1 came too late"},
	},
	{
		"the same, and the clients answer 421 by QUIT at once",
		func(s *stream) { goodnight(s, 21, 20*ms) },
		[]string{"idle-timeout"},
		[]string{"vsftpd (port 21) closes connections with a farewell"},
	},
	{
		"a server elsewhere than at such a port answers after 4 s and closes, and more comes later", // it was not idle
		func(s *stream) { goodnight(s, 8000, 2*sec) },
		nil, nil,
	},
}

// TestCloseNotifyElsewhere: at a port that is not TLS's, what has the size of a close_notify may be an answer.
func TestCloseNotifyElsewhere(t *testing.T) {
	for port, want := range map[int]model.Confidence{8444: model.Inferred, 993: model.Certain} {
		s := &stream{}
		left(s, port, 800)
		if r := found(t, s.records); len(r.Findings) != 1 || r.Findings[0].Confidence != want {
			t.Errorf("port %d: %+v", port, r.Findings)
		}
	}
}
