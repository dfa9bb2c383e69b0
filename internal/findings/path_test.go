package findings_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/closetrace/closetrace/internal/findings"
	"github.com/closetrace/closetrace/model"
)

// TestNothingAcknowledged: a client that has vanished before the first answer looks like one whose
// path loses large packets, unless it was heard after the answer was sent again.
func TestNothingAcknowledged(t *testing.T) {
	for name, c := range map[string]struct {
		edits []edit
		sure  bool
		says  string
	}{
		"nothing was acknowledged": {[]edit{bytes(0, 400), heard(900 * sec)}, false, "(78 kB lost), or the peer has gone."},
		"it went on asking":        {[]edit{bytes(0, 400), spoke(890*sec, 880*sec)}, true, "(78 kB lost)."},
		"small ones were":          {[]edit{bytes(300, 400), spoke(890*sec, 900*sec)}, false, "(78 kB lost), small ones were, or the peer has gone."},
	} {
		var s stream
		s.end(1000*sec, "nginx", model.Passive, "10.16.2.2:80", "10.16.1.2:4000", model.CauseRetransmitTimeout, append(c.edits, unacked(78000), func(t *model.Teardown) {
			t.TCP.FullSizeAcked, t.TCP.MSS, t.TCP.Retransmits = model.Some(false), model.Some[uint32](1448), model.Some[uint32](15)
			t.TCP.Bytes.Retransmitted = model.Some[uint64](14*1448 + 300)
		})...)
		all := found(t, s.records).Findings
		if len(all) != 1 || all[0].ID != "mtu-black-hole" || (all[0].Confidence == model.Certain) != c.sure || !strings.HasSuffix(all[0].Title, c.says) {
			t.Errorf("%s: got %+v, want %q, sure: %v", name, all, c.says, c.sure)
		}
	}
}

// TestSmallSegmentsAgain: a path that is dead may have as much under way as a large segment has. These
// are real records: messages of 100 bytes, and of 400, which the kernel joins by three.
func TestSmallSegmentsAgain(t *testing.T) {
	for _, c := range []struct{ sent, unacked, retransmitted, retransmits uint64 }{{300, 40000, 500, 5}, {1200, 65712, 6400, 6}} {
		var s stream
		s.end(14*sec, "app", model.Active, "10.16.1.2:4000", "10.16.2.2:9000", model.CauseRetransmitTimeout, bytes(c.sent, 6), unacked(c.unacked), func(t *model.Teardown) {
			t.TCP.FullSizeAcked, t.TCP.MSS = model.Some(false), model.Some[uint32](1448)
			t.TCP.Retransmits, t.TCP.Bytes.Retransmitted = model.Some(uint32(c.retransmits)), model.Some(c.retransmitted)
		})
		if got := ids(found(t, s.records)); !slices.Equal(got, []string{"path-dead"}) {
			t.Errorf("%+v: got %q, want path-dead", c, got)
		}
	}
}

// TestHalfCloseIsConcluded: what is sent by nc -N to another port than those of logs and metrics may have no answer either.
func TestHalfCloseIsConcluded(t *testing.T) {
	var s stream
	s.end(sec, "collector", model.Passive, "127.0.0.1:7003", "127.0.0.1:4000", model.CauseFIN, graceful, bytes(0, 40), gotFIN, by(model.InitiatorPeer), call(model.CallClose, 0))
	s.end(sec, "nc", model.Active, "127.0.0.1:4000", "127.0.0.1:7003", model.CauseFIN, graceful, bytes(40, 0), gotFIN, by(model.InitiatorLocal), call(model.CallShutdown, 0))
	all := found(t, s.records).Findings
	if len(all) != 1 || all[0].Confidence != model.Inferred || !strings.Contains(all[0].Title, "no answers") {
		t.Errorf("got %+v, want it inferred", all)
	}
}

// TestWhoSaysUnreachable: only port unreachable is a firewall's for certain; a router says the others.
func TestWhoSaysUnreachable(t *testing.T) {
	for errno, c := range map[string]struct {
		sure bool
		says string
	}{
		"ECONNREFUSED": {true, "nft list ruleset"}, "EACCES": {true, "nft list ruleset"},
		"ENETUNREACH": {false, "Traceroute ends at it"}, "EHOSTUNREACH": {false, "traceroute ends"}, "": {false, "traceroute ends"},
	} {
		var s stream
		s.end(sec, "curl", model.Active, "10.8.1.2:4000", "10.98.0.1:80", model.CauseUnreachable, failed, lasted(ms), func(t *model.Teardown) { t.Evidence.SoftError = errno })
		all := found(t, s.records).Findings
		if len(all) != 1 || all[0].ID != "firewall-reject" || (all[0].Confidence == model.Certain) != c.sure || !strings.Contains(all[0].Advice, c.says) {
			t.Errorf("%s: got %+v, want %q, sure: %v", errno, all, c.says, c.sure)
		}
	}
}

// TestLoadTestElsewhere: one client ends all its connections at once. If it had opened them at once,
// too, it is done; a load balancer's are of all ages.
func TestLoadTestElsewhere(t *testing.T) {
	for apart, want := range map[time.Duration]findings.Harm{20 * ms: findings.Low, sec: findings.Medium} {
		var s stream
		for i := range 30 {
			age := 50*sec - time.Duration(i)*apart
			if i%5 == 0 { // the server has ended one after keepalive_requests
				age = time.Duration(i+1) * 300 * ms
			}
			s.end(60*sec+time.Duration(i)*ms, "nginx", model.Passive, "10.6.0.2:80", fmt.Sprintf("10.7.0.1:%d", 4000+i), model.CausePeerReset, bytes(60, 9000), unacked(300),
				by(model.InitiatorPeer), lasted(age))
		}
		all := found(t, s.records).Findings
		if len(all) != 1 || all[0].ID != "mass-end" || all[0].Harm != want {
			t.Errorf("opened %v apart: got %+v, want %v", apart, all, want)
		}
	}
}

// TestAttemptsInVain: a few attempts that are given up within a second may be single lost packets; many
// one after the other are not.
func TestAttemptsInVain(t *testing.T) {
	for n, harm := range map[int]findings.Harm{3: findings.Medium, 9: findings.Medium, 10: findings.High} {
		var s stream
		for i := range n {
			s.inVain(time.Duration(i)*sec, fmt.Sprintf("10.6.0.1:%d", 4000+i), "10.6.0.2:8000", 300*ms)
		}
		all := found(t, s.records).Findings
		if len(all) != 1 || all[0].ID != "path-dead" || all[0].Harm != harm || strings.HasPrefix(all[0].Advice, "Its time limit") != (harm == findings.Medium) {
			t.Errorf("%d attempts: got %+v, want path-dead, %v", n, all, harm)
		}
	}
}
