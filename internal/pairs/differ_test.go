package pairs

import (
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/closetrace/closetrace/model"
)

// TestDiffer: what two stories must not say of one connection; it does not matter whose is first.
func TestDiffer(t *testing.T) {
	yes, no := model.Some(true), model.Some(false)
	const reset, fin, late = model.CausePeerReset, model.CauseFIN, model.CauseRetransmitTimeout
	for _, c := range []struct {
		what string
		a, b End
		want string
	}{
		{"both closed", End{Cause: fin, Verdict: model.Graceful, RSTSent: no}, End{Cause: fin, Verdict: model.Graceful, RSTSent: no}, ""},
		{"one reset the other", End{Cause: reset, RSTSent: no}, End{Cause: model.CauseUnreadData, RSTSent: yes}, ""},
		{"it is not known whether it did", End{Cause: reset, RSTSent: no}, End{Cause: fin, Verdict: model.Graceful}, ""},
		{"it closed", End{Cause: reset}, End{Cause: fin, Verdict: model.Graceful, RSTSent: no}, "one was reset"},
		{"it refused, and was open", End{Cause: model.CauseRefused}, End{Cause: fin, Verdict: model.Graceful, RSTSent: no}, "one was reset"},
		{"both were reset", End{Cause: reset, RSTSent: no}, End{Cause: reset, RSTSent: no}, "both were reset"},
		{"both, one may have sent it", End{Cause: reset}, End{Cause: reset, RSTSent: no}, "one was reset"},
		{"it was cut off", End{Cause: reset}, End{Cause: late, RSTSent: no}, "one was reset"},
		{"it ended silently", End{Cause: reset}, End{Cause: model.CauseOrphanDropped, RSTSent: no}, ""},
		{"one was cut off", End{Cause: late}, End{Cause: fin, Verdict: model.Graceful}, "the path was down"},
		{"one was, by keepalive", End{Cause: model.CauseKeepaliveTimeout}, End{Cause: fin, Verdict: model.Graceful}, "the path was down"},
		{"one was, by the user's time", End{Cause: model.CauseUserTimeout}, End{Cause: fin, Verdict: model.Graceful}, "the path was down"},
		{"one never came through", End{Cause: model.CauseConnectTimeout}, End{Cause: fin, Verdict: model.Graceful}, "the path was down"},
		{"both were cut off", End{Cause: late}, End{Cause: model.CauseKeepaliveTimeout}, ""},
		{"a third host sent it", End{Cause: reset, HitBy: 1}, End{Cause: fin}, "a host without this connection"},
	} {
		for _, got := range []string{differ(&c.a, &c.b), differ(&c.b, &c.a)} {
			if (got == "") != (c.want == "") || !strings.Contains(got, c.want) {
				t.Errorf("%s: got %q, want %q", c.what, got, c.want)
			}
		}
	}
	for want, p := range []Pair{
		{Differ: "x", A: End{Verdict: model.Graceful}, B: End{Verdict: model.Graceful}},
		{A: End{Verdict: model.Graceful}, B: End{Verdict: model.Abortive}},
		{A: End{Verdict: model.Graceful}, B: End{Verdict: model.Graceful}},
	} {
		if got := rank(&p); got != want {
			t.Errorf("%+v: rank %d, want %d", p, got, want)
		}
	}
	if got := rank(&Pair{A: End{Verdict: model.Silent}, B: End{Verdict: model.Graceful}}); got != 1 {
		t.Errorf("the first was not graceful: rank %d", got)
	}
}

// TestOther has what may be the other end of a connection of the first recording.
func TestOther(t *testing.T) {
	const at = model.Time(1e18)
	local, peer := netip.MustParseAddrPort("10.0.0.1:4000"), netip.MustParseAddrPort("10.0.0.2:80")
	loop := netip.MustParseAddrPort("127.0.0.1:80")
	for what, c := range map[string]struct {
		edit      func(e, o *End)
		elsewhere bool
		want      bool
	}{
		"all fits":                         {func(*End, *End) {}, true, true},
		"ten minutes later":                {func(_, o *End) { o.Time = at.Add(apart) }, true, true},
		"more than that":                   {func(_, o *End) { o.Time = at.Add(apart + 1) }, true, false},
		"more than that, with fingerprint": {func(e, o *End) { o.Time, e.fingerprint, o.fingerprint = at.Add(apart+1), 7, 7 }, true, true},
		"another fingerprint":              {func(e, o *End) { e.fingerprint, o.fingerprint = 7, 8 }, true, false},
		"one without":                      {func(e, _ *End) { e.fingerprint = 7 }, true, true},
		"of one recording":                 {func(_, o *End) { o.File = 0 }, true, false},
		"of one recording, then":           {func(_, o *End) { o.File = 0 }, false, true},
		"the same end":                     {func(_, o *End) { o.File, o.ID = 0, "e" }, false, false},
		"the same end, elsewhere":          {func(_, o *End) { o.Local, o.Peer = local, peer }, true, false},
		"only its own address is the same": {func(_, o *End) { o.Local = local }, true, true},
		"another host's loopback":          {func(e, o *End) { e.Peer, o.Local = loop, loop }, true, false},
		"its own loopback":                 {func(e, o *End) { e.Peer, o.Local, o.File = loop, loop, 0 }, false, true},
	} {
		j := New()
		j.ends = []End{{File: 0, ID: "e", Time: at, Local: local, Peer: peer}, {File: 1, ID: "o", Time: at, Local: peer, Peer: local}}
		c.edit(&j.ends[0], &j.ends[1])
		if got := j.other(0, []int{1}, make([]bool, 2), c.elsewhere); (got == 1) != c.want {
			t.Errorf("%s: got %d", what, got)
		}
		if got := j.other(0, []int{1}, []bool{false, true}, c.elsewhere); got != -1 {
			t.Errorf("%s: it has another already, got %d", what, got)
		}
	}
	j := New()
	for i, after := range []time.Duration{0, -3 * time.Second, 2 * time.Second, 2 * time.Second, 9 * time.Second} {
		j.ends = append(j.ends, End{File: min(i, 1), ID: string(rune('a' + i)), Time: at.Add(after), Local: peer, Peer: local})
	}
	j.ends[0].Local, j.ends[0].Peer = local, peer
	if got := j.other(0, []int{1, 2, 3, 4}, make([]bool, 5), true); got != 2 {
		t.Errorf("got %d, want the nearest, of two the first", got)
	}
}

// TestOffsets: only pairs with the first recording, which tell of the clocks.
func TestOffsets(t *testing.T) {
	const s = time.Second
	at := func(file int, after time.Duration) End { return End{File: file, Time: model.Time(1e18).Add(after)} }
	cut := at(1, 99*s)
	cut.Cause = model.CauseKeepaliveTimeout
	r := Result{Offsets: make([]model.Opt[time.Duration], 4), Pairs: []Pair{
		{A: at(0, 0), B: at(1, 3*s)},
		{A: at(1, 5*s), B: at(0, 0)},
		{A: at(0, 0), B: at(1, 4*s)},
		{A: at(0, 0), B: at(1, 99*s), Differ: "x"},
		{A: at(0, 0), B: cut},
		{A: cut, B: at(0, 0)},
		{A: at(2, 0), B: at(1, 99*s)},
		{A: at(0, 0), B: at(0, 99*s)},
		{A: at(3, -7*s), B: at(0, 0)},
	}}
	r.offsets()
	if !r.Offsets[1].Is(4*s) || r.Offsets[0].Known() || r.Offsets[2].Known() || !r.Offsets[3].Is(-7*s) {
		t.Errorf("got %v", r.Offsets)
	}
}
