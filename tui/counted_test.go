package tui

import (
	"strings"
	"testing"

	"github.com/closetrace/closetrace/model"
)

// TestOnlyCounted: ends that were only counted are a line of text, and are in the counts by
// verdict, cause and process.
func TestOnlyCounted(t *testing.T) {
	r := model.Record{Kind: model.KindCounts, Counted: model.Counted{Ends: 12345, Sent: 5000, Received: 700}}
	r.Teardown.Time, r.Teardown.TCP.Role, r.Teardown.Network.Local.Port = 1795195380123456789, model.Passive, 443
	r.Teardown.Process = model.Process{Name: "ngi\x1bnx", PID: 812}
	want := `ngi\x1bnx[812] at port 443: 12,345 graceful, only counted; sent 5 kB, received 700 B`
	if got := Line(&r, LineOptions{}); !strings.HasSuffix(got, want) {
		t.Errorf("got %q, want %q at its end", got, want)
	}
	d := newDeck(10)
	d.add(&r)
	r.Counted = model.Counted{TakenBack: 45}
	d.add(&r)
	if n := d.all.counts[model.Graceful]; n != 12300 {
		t.Errorf("%d graceful ends, want 12,300", n)
	}
	for by, want := range map[dimension]int{byCause: 1, byProgram: 1, byProcess: 1, byPeer: 0, byPrefix: 0, byPair: 0} {
		if n := len(d.all.tables[by].groups); n != want {
			t.Errorf("by %s: %d groups, want %d", dimensions[by].noun, n, want)
		}
	}
}

// TestOnlyCountedInARow: a row has the ends that were only counted when it is opened, as
// the others that it counts; of those that do not count them, none.
func TestOnlyCountedInARow(t *testing.T) {
	end := teardown()
	end.Teardown.Verdict, end.Teardown.Cause = model.Graceful, model.CauseFIN
	end.Teardown.Network.Peer = model.Endpoint{} // not known either
	counts := model.Record{Kind: model.KindCounts, Counted: model.Counted{Ends: 500}}
	counts.Teardown.Time, counts.Teardown.Process = end.Teardown.Time, end.Teardown.Process
	counts.Teardown.Systemd, counts.Teardown.Container, counts.Teardown.K8s = end.Teardown.Systemd, end.Teardown.Container, end.Teardown.K8s
	for view, want := range map[string]string{"3": "501 of 501", "4": "501 of 501", "5": "1 of 501", "7": "1 of 501"} {
		r := newRig(t, 120, 24, []model.Record{end, counts}, nil)
		r.press(view, "enter")
		r.shows(want)
	}
	r := newRig(t, 120, 24, []model.Record{end, counts}, nil)
	r.press("/")
	r.typed("fin")
	r.shows("501 of 501")
	r.press("enter", "a")
	r.shows("0 of 501")
}
