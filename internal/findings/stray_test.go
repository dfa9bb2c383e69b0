package findings_test

import (
	"slices"
	"testing"

	"github.com/closetrace/closetrace/internal/findings"
	"github.com/closetrace/closetrace/model"
)

// TestStrayReason: a listener whose queue is full answers with a RST without a socket of
// the connection (tcp_abort_on_overflow: tcp_check_req(), embryonic_reset; INVALID_SYN
// since 6.10). That is the other end, not a device between. Without the reason, which
// kernels before 6.10 do not give, it may be.
func TestStrayReason(t *testing.T) {
	for _, c := range []struct {
		reason string
		named  bool
		want   model.Confidence
	}{
		{"NO_SOCKET", true, model.Certain},
		{"", true, model.Inferred},
		{"INVALID_SYN", false, 0},
	} {
		var s stream
		s.end(sec, "nginx", model.Passive, "10.7.2.2:80", "10.7.1.2:4000", model.CausePeerReset, bytes(900000, 80), unacked(5000), noRST)
		s.stray(1900*ms, sec-ms, "10.7.1.2:4000", "10.7.2.2:80")
		s.records[1].Teardown.TCP.RST.Reason = c.reason
		all := found(t, s.records).Findings
		i := slices.IndexFunc(all, func(f findings.Finding) bool { return f.ID == "middlebox-reset" })
		if i >= 0 != c.named || i >= 0 && all[i].Confidence != c.want {
			t.Errorf("reason %q: got %+v, want it named: %v, %v", c.reason, all, c.named, c.want)
		}
	}
}
