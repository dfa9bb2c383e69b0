package findings_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/closetrace/closetrace/model"
)

// TestFullQueue: it began when it was first counted, not when the line before was written, which is
// an hour old. Clients on this host name its port.
func TestFullQueue(t *testing.T) {
	counted := begin.Add(2 * sec)
	var s stream
	s.records = append(s.records, model.Record{Kind: model.KindCounters, Counters: model.Counters{Time: counted, Interval: time.Hour, Counts: map[string]uint64{"TcpExtListenOverflows": 12}}})
	all := found(t, s.records).Findings
	if len(all) != 1 || all[0].First != counted || all[0].Count != 12 || all[0].Share != 0 {
		t.Errorf("got %+v, want one since %v", all, counted)
	}
	s.end(500*ms, "redis-server", model.Passive, "127.0.0.1:6379", "127.0.0.1:3999", model.CauseFIN, graceful, bytes(9, 9), by(model.InitiatorPeer), call(model.CallClose, 0))
	for i := range 4 {
		s.end(3*sec, "python3", model.Active, fmt.Sprintf("127.0.0.1:%d", 4000+i), "127.0.0.1:6379", model.CauseConnectTimeout, failed, lasted(2*sec))
	}
	all = found(t, s.records).Findings
	if len(all) != 1 || all[0].Title != "The accept queue of redis-server (port 6379) was full: 12 overflows counted, 4 attempts to connect had no answer." || all[0].Count != 4 || all[0].Share != 0.8 {
		t.Errorf("got %+v", all)
	}
}

// TestRefusedByWhom: only this host's kernel knows that nobody listens; a firewall's RST looks the same.
func TestRefusedByWhom(t *testing.T) {
	for _, c := range []struct {
		server string
		sure   bool
	}{{"127.0.0.1:5432", true}, {"10.8.9.9:5432", false}} {
		var s stream
		s.stray(0, 0, "127.0.0.1:5432", "127.0.0.1:4000")
		s.records[0].Stray.Why, s.records[0].Stray.Hit = model.StrayNoListener, "b-1"
		for i := range 6 {
			s.end(time.Duration(i)*sec, "app", model.Active, fmt.Sprintf("10.8.1.2:%d", 4000+i), c.server, model.CauseRefused, failed, lasted(ms))
		}
		all := found(t, s.records).Findings
		if len(all) != 1 || strings.Contains(all[0].Title, "firewall") == c.sure {
			t.Errorf("%s: got %+v", c.server, all)
		}
	}
}

// TestAdviceAtTheEnd: what closes a connection is named only if it is known.
func TestAdviceAtTheEnd(t *testing.T) {
	for _, c := range []struct{ story, says, not string }{
		{"redis in protected mode says why it takes nobody from another host, at length", "protected-mode", "probably full"},
		{"redis has maxclients connections: the others get a message, and their request is reset", "maxclients", "protected-mode"},
		{"two clients with one MQTT ID put each other out", "two with one ID", "keep-alive"},
		{"a server's idle timeout, and each client comes back at once", "keep-alive", "one ID"},
		{"sshd's LoginGraceTime: its clients never say anything", "LoginGraceTime", "ClientAlive"},
		{"a firewall drops all but the first attempts", "A firewall or security group", "answered since"},
		{"a server is down for a while, and answers later attempts", "answered since: it was down for a while", "the address is wrong"},
		{"HAProxy's timeout connect is shorter than a SYN waits to be sent again", "before the SYN is sent again", "listens there"},
	} {
		var s stream
		for _, told := range stories() {
			if told.name == c.story {
				told.tell(&s)
			}
		}
		all := found(t, s.records).Findings
		if len(all) != 1 || !strings.Contains(all[0].Advice, c.says) || strings.Contains(all[0].Advice, c.not) {
			t.Errorf("%s: got %+v, want %q and not %q", c.story, all, c.says, c.not)
		}
	}
}
