package sockets

import (
	"context"
	"encoding/json"
	"net/netip"
	"os"
	"slices"
	"testing"
	"time"

	"github.com/closetrace/closetrace/internal/lab"
	"github.com/closetrace/closetrace/model"
	"github.com/closetrace/closetrace/tracer"
)

func TestMain(m *testing.M) {
	lab.MainObserved(foretell)
	os.Exit(m.Run())
}

// foretold is a prediction on its way from a process of the lab.
type foretold struct {
	Effect uint8
	Cause  model.Cause
	Bytes  uint64
	Wait   time.Duration
	Unsure bool
	Text   string
	Error  string
}

// foretell predicts what closing would do to a connection end. It runs in the
// process of a scenario.
func foretell(local, peer netip.AddrPort) string {
	options := Options{Scope: Everything}
	if holders, err := tracer.OpenHolders(); err == nil { // else as without BPF
		defer holders.Close()
		options.Held = readerOf(holders)
	}
	f := foretold{Error: "not listed"}
	all, err := List(context.Background(), options)
	if err != nil {
		f.Error = err.Error()
	}
	for i := range all {
		if c := &all[i]; c.Network.Local.AddrPort() == local && c.Network.Peer.AddrPort() == peer {
			p := c.OnClose
			f = foretold{uint8(p.Effect), p.Cause, p.Bytes, p.Wait, p.Unsure, p.String(), ""}
		}
	}
	text, err := json.Marshal(f)
	if err != nil {
		return err.Error()
	}
	return string(text)
}

// TestPredictionsInTheLab: for every scenario in which a descriptor is closed,
// what was predicted just before is what happened, by the lab's own truth.
func TestPredictionsInTheLab(t *testing.T) {
	needRoot(t)
	results, err := lab.Run(t.Context(), lab.Scenarios(), 2)
	must(t, err)
	seen, closings := map[string]int{}, 0
	for i := range results {
		r := &results[i]
		if r.Skipped != "" || r.Error != "" {
			t.Logf("%s: %s%s", r.Name, r.Skipped, r.Error)
			continue
		}
		for j := range r.Ends {
			e := &r.Ends[j]
			if e.Observed == "" {
				continue
			}
			closings++
			var f foretold
			if err := json.Unmarshal([]byte(e.Observed), &f); err != nil {
				t.Errorf("%s %s: %v: %s", r.Name, e.Label, err, e.Observed)
				continue
			}
			seen[Effect(f.Effect).String()]++
			if r.Group == "mptcp" && Effect(f.Effect) == EffectUnknown {
				continue // nothing is foretold of MPTCP
			}
			if wrong := f.compare(&e.Truth); wrong != "" {
				t.Errorf("%s %s: predicted %q%s; %s; truth %v %v linger %v call %v", r.Name, e.Label, f.Text, f.Error, wrong,
					e.Truth.Verdict, e.Truth.Cause, e.Truth.Linger, e.Truth.Call)
			}
		}
	}
	t.Logf("%d scenarios, %d closings, predicted %v", len(results), closings, seen)
	if closings < 150 {
		t.Errorf("%d closings were predicted, want 150 at least", closings)
	}
}

// afterFIN are the ends of a connection whose close sent a FIN: what the peer,
// the network or time made of it later, no call of this side.
var afterFIN = []model.Cause{
	model.CauseFIN, model.CauseFinWait2Timeout, model.CausePeerReset, model.CauseRetransmitTimeout, model.CauseDataAfterClose,
	model.CauseZeroWindowTimeout, model.CauseUserTimeout, model.CauseKeepaliveTimeout, model.CauseDestroyed, model.CauseOrphanOrMemoryLimit,
	model.CauseOrphanDropped,
}

// compare returns what of the prediction did not come true.
func (f *foretold) compare(truth *lab.Truth) string {
	waits := truth.Linger != model.LingerUnknown && truth.Linger != model.LingerSkipped
	switch {
	case f.Error != "" || f.Unsure:
		return "no sure prediction"
	case waits != (Effect(f.Effect) == EffectBlock) && truth.Call != model.CallExit:
		return "close() waited or did not"
	}
	switch Effect(f.Effect) {
	case EffectReset:
		return f.compareReset(truth)
	case EffectBlock:
		return f.compareWait(truth)
	case EffectFIN, EffectDrain, EffectFinish:
		if f.Cause == model.CauseLinger2Timeout && truth.Cause != f.Cause {
			return "another cause"
		}
		if f.Cause == model.CauseUnknown && truth.Verdict != model.Graceful && !slices.Contains(afterFIN, truth.Cause) {
			return "no FIN was the last word of this side"
		}
	case EffectSilent, EffectGiveUp:
		if truth.RST.Sent.Or(false) || f.Cause != model.CauseUnknown && f.Cause != truth.Cause {
			return "it did not end in silence"
		}
	default:
		return "the close ended something"
	}
	return ""
}

func (f *foretold) compareReset(truth *lab.Truth) string {
	lost, known := truth.Unread.Get()
	if f.Cause == model.CauseLingerZero {
		lost, known = truth.Unacked.Get()
	}
	switch {
	case truth.Cause != f.Cause:
		return "another cause"
	case known && lost != f.Bytes:
		return "other losses"
	}
	return ""
}

func (f *foretold) compareWait(truth *lab.Truth) string {
	blocked, known := truth.Blocked.Get()
	switch {
	case truth.Linger == model.LingerExpired && blocked < f.Wait-10*time.Millisecond:
		return "it waited less"
	case known && blocked-f.Wait > 10*time.Second: // on a slow machine
		return "it waited longer"
	}
	return ""
}
