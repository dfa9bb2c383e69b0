//go:build linux

package tracer

import (
	"testing"
	"time"

	"github.com/closetrace/closetrace/bpf"
	"github.com/closetrace/closetrace/model"
)

// TestFingerprintBeyondFourGiB: sequence numbers wrap, and the counters have 64 bits.
func TestFingerprintBeyondFourGiB(t *testing.T) {
	const client, server = 0xfffffff0, 0x00000010
	const sent, received = 9<<32 + 5, 1<<33 + 7
	want := model.NewFingerprint(client, server)
	var wrapped uint32 = client
	wrapped += uint32(sent % (1 << 32))
	active := bpf.TraceEnd{
		Flags: bpf.TraceFlagFLAG_ACTIVE, BytesAcked: sent + 1, SndUna: wrapped + 1,
		BytesReceived: received, RcvNxt: server + 1 + uint32(received%(1<<32)),
	}
	passive := bpf.TraceEnd{
		Flags: bpf.TraceFlagFLAG_PASSIVE, BytesAcked: received, SndUna: active.RcvNxt,
		BytesReceived: sent, RcvNxt: active.SndUna,
	}
	for name, e := range map[string]*bpf.TraceEnd{"active": &active, "passive": &passive} {
		if got := fingerprint(e); got != want {
			t.Errorf("%s: got %v, want %v", name, got, want)
		}
	}
	active.Flags = bpf.TraceFlagFLAG_PREEXISTING
	if got := fingerprint(&active); got != 0 {
		t.Errorf("older than the trace: got %v, want none: whose SYN was counted is not known", got)
	}
}

func TestFullSizeAcked(t *testing.T) {
	for name, c := range map[string]struct {
		acked uint64
		end   bpf.TraceEnd
		want  model.Opt[bool]
	}{
		"three full segments":                   {3 * 1448, bpf.TraceEnd{Mss: 1448, Delivered: 3}, model.Some(true)},
		"one of two must have been full":        {1448 + 1447, bpf.TraceEnd{Mss: 1448, Delivered: 2}, model.Some(true)},
		"two nearly full ones":                  {2 * 1447, bpf.TraceEnd{Mss: 1448, Delivered: 2}, model.Opt[bool]{}},
		"a small answer, then nothing":          {200, bpf.TraceEnd{Mss: 1448, Delivered: 1, Unacked: 78000, Unsent: 63520}, model.Some(false)},
		"nothing of full size was tried":        {200, bpf.TraceEnd{Mss: 1448, Delivered: 1, Unacked: 100}, model.Opt[bool]{}},
		"what is not sent has not been refused": {200, bpf.TraceEnd{Mss: 1448, Delivered: 1, Unacked: 9000, Unsent: 9000}, model.Opt[bool]{}},
	} {
		var tcp model.TCP
		tcp.Bytes.Sent = model.Some(c.acked)
		if got := fullSizeAcked(&tcp, &c.end); got != c.want {
			t.Errorf("%s: got %v, want %v", name, got, c.want)
		}
	}
}

// TestLastWords: a request that was never answered counts from when it was sent first,
// not from its last retransmission; within one jiffy, what was acknowledged last decides.
func TestLastWords(t *testing.T) {
	tr := translator{hertz: 250}
	const second = 250 // jiffies
	for name, c := range map[string]struct {
		end     bpf.TraceEnd
		heard   uint64
		idle    model.Opt[time.Duration]
		speaker model.Side
	}{
		"no data":                   {bpf.TraceEnd{SentAge: second, ReceivedAge: second}, 0, model.Opt[time.Duration]{}, model.SideUnknown},
		"only heard":                {bpf.TraceEnd{SentAge: 9 * second, ReceivedAge: second}, 5, model.Some(time.Second), model.SidePeer},
		"only said":                 {bpf.TraceEnd{SentAge: second, ReceivedAge: 9 * second, BytesSent: 5}, 0, model.Some(time.Second), model.SideLocal},
		"answered":                  {bpf.TraceEnd{SentAge: second, ReceivedAge: 2 * second, BytesSent: 5}, 5, model.Some(time.Second), model.SideLocal},
		"not answered":              {bpf.TraceEnd{SentAge: 3 * second, ReceivedAge: 2 * second, BytesSent: 5, LastWord: 1}, 5, model.Some(2 * time.Second), model.SidePeer},
		"answered in the jiffy":     {bpf.TraceEnd{SentAge: second, ReceivedAge: second, BytesSent: 5, LastWord: 1}, 5, model.Some(time.Second), model.SideLocal},
		"not answered in the jiffy": {bpf.TraceEnd{SentAge: second, ReceivedAge: second, BytesSent: 5}, 5, model.Some(time.Second), model.SidePeer},
		"a dead path":               {bpf.TraceEnd{SentAge: second, StalledMs: 900_000, ReceivedAge: 1300 * second, BytesSent: 5}, 5, model.Some(900 * time.Second), model.SideLocal},
	} {
		var tcp model.TCP
		tcp.Bytes.Received = model.Some(c.heard)
		c.end.Quiet = 1 << 50
		tr.lastWords(&tcp, &c.end)
		if tcp.Idle != c.idle || tcp.LastSpeaker != c.speaker {
			t.Errorf("%s: got idle %v, last speaker %q; want %v, %q", name, tcp.Idle, tcp.LastSpeaker, c.idle, c.speaker)
		}
	}
}
