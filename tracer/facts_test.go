//go:build linux

package tracer

import (
	"testing"

	"github.com/closetrace/closetrace/bpf"
	"github.com/closetrace/closetrace/model"
)

// TestWipedBytes: of a refused connection whose end was not shown, what connect() left in
// the socket is not counted as data. Measured on 6.18: nothing was ever sent.
func TestWipedBytes(t *testing.T) {
	e := bpf.TraceEnd{Unsent: 1, Unacked: 2, Flags: bpf.TraceFlagFLAG_ACTIVE | bpf.TraceFlagFLAG_UNTRACKED | bpf.TraceFlagFLAG_ENDED}
	var b model.Bytes
	if volume(&b, &e, model.SynSent); b.Unacked.Known() || b.Unsent.Known() {
		t.Errorf("without a peer: %v unacked, %v unsent, want unknown", b.Unacked, b.Unsent)
	}
	e.PeerPort = 80
	if volume(&b, &e, model.SynSent); !b.Unacked.Is(2) || !b.Unsent.Is(1) {
		t.Errorf("with a peer: %v unacked, %v unsent, want 2 and 1", b.Unacked, b.Unsent)
	}
}
