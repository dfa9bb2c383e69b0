package findings_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/closetrace/closetrace/model"
)

// lates are of what looked like a limit, and of processes that got connections of others.
var lates = []story{
	{
		"listeners of a radio leave one by one: no time limit",
		func(s *stream) {
			for i, stayed := range []time.Duration{10070 * ms, 10470 * ms, 10980 * ms, 11380 * ms} {
				s.end(time.Duration(2*i)*sec+20*sec, "player", model.Active, fmt.Sprintf("10.6.0.1:%d", 4000+i), "10.6.0.2:8000", model.CauseUnreadData, unread(900), bytes(120, 160_000), idle(ms),
					spokeLast(model.SidePeer), by(model.InitiatorLocal), call(model.CallClose, 0), lasted(stayed))
			}
		},
		[]string{"left-halfway"},
		[]string{"player closed 4 connections to 10.6.0.2 port 8000 in the middle of the answer (3.6 kB not read)."},
	},
	{
		"dovecot's login process has passed its connections on, and who got them is killed",
		func(s *stream) {
			for i := range 6 {
				e := s.end(10*sec+time.Duration(i)*ms, "imap-login", model.Passive, "10.6.0.2:143", fmt.Sprintf("10.6.0.1:%d", 4000+i), model.CauseFIN, graceful, bytes(900, 90), idle(3*sec),
					spoke(3*sec, 4*sec), path(model.SynRecv, model.Established, model.FinWait1), by(model.InitiatorLocal), call(model.CallExit, 9), lasted(9*sec))
				e.Closer.Name, e.Closer.PID = "imap", 900+i
			}
		},
		[]string{"process-restart"},
		[]string{"imap, to which imap-login (port 143) had passed connections, ended by SIGKILL"},
	},
	{
		"a client aborts downloads by FTP, on a connection on which it only reads",
		func(s *stream) {
			for i := range 4 {
				s.end(time.Duration(3*i)*sec, "ftp", model.Active, fmt.Sprintf("10.6.0.1:%d", 4000+i), "10.6.0.2:40000", model.CauseUnreadData, unread(48_000), bytes(0, 160_000), idle(ms),
					spokeLast(model.SidePeer), by(model.InitiatorLocal), call(model.CallClose, 0), lasted(time.Duration(i+1)*sec))
			}
		},
		[]string{"left-halfway"},
		[]string{"ftp closed 4 connections to 10.6.0.2 port 40000 in the middle of the answer (192 kB not read)."},
	},
	{
		"one close() of a healthy server waits for what is delivered",
		func(s *stream) {
			s.end(10*sec, "vsftpd", model.Passive, "10.6.0.2:20", "10.6.0.1:4000", model.CauseFIN, graceful, bytes(90_000, 0), idle(ms),
				by(model.InitiatorLocal), call(model.CallClose, 0), lasted(sec), func(t *model.Teardown) { t.CloseBlocked = model.Some(207 * time.Millisecond) })
		},
		[]string{"slow-close"},
		[]string{"close() of vsftpd (port 20) waited 207ms"},
	},
}

// TestHarmIsLow: what harms nobody is no alarm.
func TestHarmIsLow(t *testing.T) {
	for _, c := range lates {
		var s stream
		c.tell(&s)
		if list := found(t, s.records).Worst(1); len(list) > 0 {
			t.Errorf("%s: %v: %s", c.name, list[0].Harm, list[0].Title)
		}
	}
}
