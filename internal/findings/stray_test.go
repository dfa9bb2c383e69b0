package findings_test

import (
	"slices"
	"strings"
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

// TestStrayOfSomebodyElse: in a network namespace of his own anybody has the addresses of others, and
// resets what they would have. Of another namespace only those count that the source says have hit.
func TestStrayOfSomebodyElse(t *testing.T) {
	for hit, want := range map[string][]string{"": nil, "b-1": {"middlebox-reset"}, "b-7": nil} {
		var s stream
		s.end(sec, "nginx", model.Passive, "10.7.2.2:80", "10.7.1.2:4000", model.CausePeerReset, bytes(900000, 80), unacked(5000), noRST)
		s.stray(1900*ms, sec-ms, "10.7.1.2:4000", "10.7.2.2:80")
		s.records[1].Teardown.Network.NetNS, s.records[1].Stray.Hit = 7, hit
		if got := ids(found(t, s.records)); !slices.Equal(got, want) {
			t.Errorf("hit %q: got %q, want %q", hit, got, want)
		}
	}
	var s stream
	s.stray(0, 0, "10.8.9.9:5432", "10.8.1.2:4000")
	s.records[0].Stray.Why = model.StrayNoListener
	for range 3 {
		s.end(sec, "app", model.Active, "10.8.1.2:4000", "10.8.9.9:5432", model.CauseRefused, failed, lasted(ms))
	}
	if all := found(t, s.records).Findings; len(all) != 1 || !strings.Contains(all[0].Title, "or a firewall rejects") {
		t.Errorf("a refusal that hit nobody: got %+v", all)
	}
}
