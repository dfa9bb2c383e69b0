package summary

import (
	"bytes"
	"net/netip"
	"strings"
	"testing"

	"github.com/closetrace/closetrace/model"
)

// TestWhoAborted: us, the peer, and all else; as an outcome leaves it.
func TestWhoAborted(t *testing.T) {
	s := New()
	end := func(id string, verdict model.Verdict, by model.Terminator) model.Record {
		r := model.Record{Kind: model.KindTeardown, Teardown: model.Teardown{Facts: model.Facts{}}}
		r.Teardown.Time = 1e18
		r.Teardown.ID, r.Teardown.Verdict, r.Teardown.Terminator = id, verdict, by
		r.Teardown.Process.Name = "web"
		r.Teardown.Network.Peer.Address = netip.MustParseAddr("10.0.0.9")
		return r
	}
	for i, r := range []model.Record{
		end("a", model.Abortive, model.LocalApp), end("b", model.Abortive, model.Peer), end("c", model.Abortive, model.Peer),
		end("d", model.Abortive, model.NetworkPath), end("e", model.Graceful, model.Peer), end("f", model.Graceful, model.LocalApp),
	} {
		r.Teardown.Time += model.Time(i)
		s.Add(&r)
	}
	later := end("f", model.Abortive, model.LocalKernel)
	later.Kind = model.KindOutcome
	s.Add(&later)
	want := AbortedBy{Us: 1, Peer: 2, Kernel: 2}
	e := s.Export(5)
	if e.AbortedBy != want || e.Processes[0].AbortedBy != want || e.Peers[0].AbortedBy != want || e.Aborted[0].AbortedBy != want {
		t.Errorf("got %+v, %+v, %+v, %+v; want %+v", e.AbortedBy, e.Processes[0], e.Peers[0], e.Aborted[0], want)
	}
	s.Chosen = "since 17:03"
	var out bytes.Buffer
	if err := s.Text(&out, TextOptions{}); err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{"1/2/2", "us/peer/kern", "shown is only since 17:03"} {
		if !strings.Contains(out.String(), text) {
			t.Errorf("no %q in\n%s", text, &out)
		}
	}
}
