package tui

import (
	"context"
	"errors"
	"net/netip"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/closetrace/closetrace/internal/lab"
	"github.com/closetrace/closetrace/model"
	"github.com/closetrace/closetrace/tracer"
)

// TestStoriesOfTheLab plays the lab's scenarios, traces them, and checks the story of
// every end against what the system calls returned and what was on the wire.
func TestStoriesOfTheLab(t *testing.T) {
	source, err := tracer.Open(tracer.Options{})
	switch {
	case errors.Is(err, os.ErrPermission) && !strings.Contains(os.Getenv("CLOSETRACE_REQUIRE"), "bpf"):
		t.Skipf("needs root to trace: %v", err)
	case err != nil:
		t.Fatal(err)
	}
	defer source.Close()
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	var results []lab.Result
	done := make(chan error, 1)
	scenarios := slices.DeleteFunc(lab.Scenarios(), func(s lab.Scenario) bool {
		return !slices.Contains([]string{"graceful", "fin-wait2", "late-data", "linger", "linger-zero", "unread", "descriptor", "peer-reset", "disconnect"}, s.Group)
	})
	go func() {
		defer stop()
		var err error
		results, err = lab.Run(t.Context(), scenarios, 8)
		done <- err
	}()
	var records []model.Record
	for r, err := range model.Judged(source.Events(ctx)) {
		if err != nil {
			t.Fatal(err)
		}
		records = append(records, r)
	}
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	wrong := map[string]bool{} // the facts are: not the story's fault, and found by the tracer's own test
	for _, f := range lab.Compare(results, records) {
		wrong[f.Scenario] = wrong[f.Scenario] || f.Kind != lab.Absent
	}
	told := 0
	for i := range results {
		if r := &results[i]; r.Skipped == "" && r.Error == "" && !wrong[r.Name] {
			t.Run(r.Name, func(t *testing.T) { told += checkLabStories(t, r, records) })
		}
	}
	if told < 80 {
		t.Errorf("the stories of %d ends were checked, want most of the lab's", told)
	}
}

// checkLabStories checks the stories of the ends of one scenario whose tuple was used once.
func checkLabStories(t *testing.T, result *lab.Result, records []model.Record) (told int) {
	same := func(e model.Endpoint, want netip.AddrPort) bool {
		return e.Address.Unmap() == want.Addr() && e.Port == want.Port()
	}
	for i := range result.Ends {
		end := &result.Ends[i]
		var mine []*model.Record
		for j := range records {
			n := &records[j].Teardown.Network
			if n.NetNS == result.NetNS && same(n.Local, end.Local) && same(n.Peer, end.Peer) {
				mine = append(mine, &records[j])
			}
		}
		teardowns := slices.DeleteFunc(slices.Clone(mine), func(r *model.Record) bool { return r.Kind != model.KindTeardown })
		if len(teardowns) != 1 {
			continue
		}
		for _, r := range mine {
			if want := &end.Truth; r.Kind == model.KindTeardown {
				checkStory(t, r, labTruth(want, want, &r.Teardown))
				told++
			} else if r.Kind == model.KindOutcome && want.Outcome != nil {
				checkStory(t, r, labTruth(want, want.Outcome, &r.Teardown))
			}
		}
	}
	return told
}

// labTruth is the truth of an end or of its outcome. The states are the kernel's own.
func labTruth(end, ending *lab.Truth, d *model.Teardown) *truth {
	h := &truth{
		fin: ending.FIN, path: d.TCP.Path, call: end.Call, signal: end.Signal,
		owner: end.Owner.PID, closer: end.Closer.PID, unacked: ending.Unacked, unread: ending.Unread,
	}
	if end.Call == model.CallUnknown { // closed after its end, or by a call that the script does not know
		h.call, h.closer = d.Closer.Call, d.Closer.PID
	}
	return h
}
