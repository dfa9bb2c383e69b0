package findings_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/closetrace/closetrace/internal/findings"
	"github.com/closetrace/closetrace/model"
)

// TestLastWords: a server of HTTP/2 or WebSocket is stopped: what the client said last, at once
// after the server and seconds ago, may need no answer. Of a crash it is reported as high.
func TestLastWords(t *testing.T) {
	for _, c := range []struct {
		sent, received time.Duration
		signal         int
		harm           findings.Harm
		confidence     model.Confidence
		says           string
	}{
		{5020 * ms, 5 * sec, 15, findings.Medium, model.Inferred, "5 connections on which the client had spoken last, and got no answer"},
		{5020 * ms, 5 * sec, 9, findings.High, model.Inferred, "5 connections on which the client had spoken last"},
		{7 * sec, 5 * sec, 15, findings.High, model.Certain, "5 requests unanswered"},
		{11 * ms, 10 * ms, 15, findings.High, model.Certain, "5 requests unanswered"}, // a busy server
	} {
		var s stream
		for i := range 5 {
			s.end(4000*sec, "node", model.Passive, "10.0.0.1:80", fmt.Sprintf("10.0.0.2:%d", 4000+i), model.CauseFIN, graceful, bytes(5000, 900), spoke(c.sent, c.received),
				by(model.InitiatorLocal), call(model.CallExit, c.signal), lasted(time.Hour))
		}
		all := found(t, s.records).Findings
		if len(all) != 1 || all[0].ID != "process-killed" || all[0].Harm != c.harm || all[0].Confidence != c.confidence || !strings.Contains(all[0].Title, c.says) {
			t.Errorf("last words %v after its own, signal %d: got %+v, want %v, %v, %q", c.sent-c.received, c.signal, all, c.harm, c.confidence, c.says)
		}
	}
}

// TestPings: a server of WebSocket asks each client every 30 s whether it is there, and is stopped. On some of
// the connections that was a moment ago.
func TestPings(t *testing.T) {
	for _, c := range []struct {
		ago  func(i int) time.Duration
		harm findings.Harm
	}{
		{func(i int) time.Duration { return time.Duration(i) * 700 * ms }, findings.Medium},
		{func(i int) time.Duration { return time.Duration(i) * 70 * ms }, findings.High}, // a busy server
	} {
		var s stream
		for i := range 20 {
			s.end(4000*sec, "node", model.Passive, "10.0.0.1:80", fmt.Sprintf("10.0.0.2:%d", 4000+i), model.CauseFIN, graceful, bytes(5000, 900), spoke(c.ago(i)+2*ms, c.ago(i)+ms),
				by(model.InitiatorLocal), call(model.CallExit, 15), lasted(time.Hour))
		}
		all := found(t, s.records).Findings
		if len(all) != 1 || all[0].ID != "process-killed" || all[0].Harm != c.harm || (all[0].Confidence == model.Certain) != (c.harm == findings.High) {
			t.Errorf("got %+v, want %v", all, c.harm)
		}
	}
}

// TestOutOfMemory: a server that runs out of memory is a high finding, also if nobody waits.
func TestOutOfMemory(t *testing.T) {
	for _, c := range []struct {
		oom, counted bool
		harm         findings.Harm
		confidence   model.Confidence
	}{
		{true, false, findings.High, model.Certain}, {false, true, findings.High, model.Inferred}, {false, false, findings.Low, model.Certain},
	} {
		var s stream
		for i := range 3 {
			s.end(sec, "api", model.Passive, "10.0.0.1:80", fmt.Sprintf("10.0.0.2:%d", 4000+i), model.CauseFIN, graceful, bytes(100, 100), spoke(60*sec, 61*sec),
				by(model.InitiatorLocal), call(model.CallExit, 9), path(model.SynRecv, model.Established), func(t *model.Teardown) {
					if c.oom {
						t.Closer.OOM = model.Some(true)
					}
				})
		}
		if c.counted {
			s.counts(sec, map[string]uint64{"VmstatOomKill": 1})
		}
		all := found(t, s.records).Findings
		if len(all) != 1 || all[0].ID != "process-restart" || all[0].Harm != c.harm || all[0].Confidence != c.confidence || strings.Contains(all[0].Title, "OOM") != (c.harm == findings.High) {
			t.Errorf("OOM %v, counted %v: got %+v", c.oom, c.counted, all)
		}
	}
}

// TestStoppedBySystemd: only SIGKILL means that a time limit is over.
func TestStoppedBySystemd(t *testing.T) {
	for signal, late := range map[int]bool{15: false, 9: true} {
		var s stream
		s.end(sec, "api", model.Passive, "10.0.0.1:80", "10.0.0.2:4000", model.CauseUnreadData, bytes(0, 80), unread(80), by(model.InitiatorLocal), call(model.CallExit, signal), stoppedBy(signal))
		all := found(t, s.records).Findings
		if len(all) != 1 || strings.Contains(all[0].Advice, "TimeoutStopSec") != late || !strings.Contains(all[0].Advice, "journalctl -u") {
			t.Errorf("signal %d: got %+v", signal, all)
		}
	}
}

// TestCrashOfPostgreSQL: the postmaster ends all when one process was killed: no reload.
func TestCrashOfPostgreSQL(t *testing.T) {
	var s stream
	for i := range 3 {
		s.end(9*sec, "postgres", model.Passive, "10.6.0.2:5432", fmt.Sprintf("10.6.0.1:%d", 4000+i), model.CauseFIN, graceful, bytes(500, 300), idle(5*sec), spoke(5*sec, 6*sec),
			by(model.InitiatorLocal), call(model.CallExit, 0), path(model.SynRecv, model.Established, model.FinWait1), began(sec, 700+i), told(3))
	}
	all := found(t, s.records).Findings
	if len(all) != 1 || all[0].ID != "process-restart" || !strings.Contains(all[0].Advice, "crashed or was killed") || strings.Contains(all[0].Advice, "reload") {
		t.Errorf("got %+v", all)
	}
}
