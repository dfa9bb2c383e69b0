package findings_test

import (
	"strings"
	"testing"

	"github.com/closetrace/closetrace/internal/findings"
	"github.com/closetrace/closetrace/model"
)

// TestLimitOfASecond: by the kernel's jiffies a second is 996 ms now and then.
func TestLimitOfASecond(t *testing.T) {
	var s stream
	s.end(2*sec, "nginx", model.Passive, "10.6.0.2:80", "10.6.0.1:4000", model.CauseFIN, graceful, bytes(0, 35), idle(996*ms), heard(996*ms), by(model.InitiatorLocal), call(model.CallClose, 0), lasted(sec))
	if all := found(t, s.records).Findings; len(all) != 1 || !strings.Contains(all[0].Advice, "client_header_timeout") {
		t.Errorf("got %+v, want client_header_timeout", all)
	}
}

// TestClientsThatSpokeLast: what may be a client's time limit for answers is neither called harmless
// nor blamed on its pool. If it came at once after the server's words it may be HTTP/2, whose clients
// acknowledge what they get: no alarm.
func TestClientsThatSpokeLast(t *testing.T) {
	for server, harm := range map[string]findings.Harm{"10.9.0.2:8000": findings.Low, "10.9.0.2:443": findings.Low} {
		var s stream
		s.busyPool(server, 0)
		all := found(t, s.records).Findings
		if len(all) != 1 || all[0].Harm != harm || all[0].Confidence != model.Inferred || strings.HasPrefix(all[0].Advice, "Harmless") || strings.Contains(all[0].Advice, "keepalive_timeout") {
			t.Errorf("%s: got %+v, want %v, and neither harmless nor keepalive_timeout", server, all, harm)
		}
	}
}
