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

// kills are stories about processes that end, and about who waits for them.
var kills = []story{
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
