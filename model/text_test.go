package model

import (
	"encoding"
	"encoding/json"
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"
)

// textual is what every enumeration of a record implements.
type textual[T any] interface {
	*T
	encoding.TextUnmarshaler
}

func TestEnumerationsRoundTrip(t *testing.T) {
	enumeration[Verdict](t, verdictNames[:])
	enumeration[Cause](t, causeNames[:])
	enumeration[Initiator](t, initiatorNames)
	enumeration[Terminator](t, terminatorNames)
	enumeration[Confidence](t, confidenceNames)
	enumeration[State](t, stateNames)
	enumeration[Role](t, roleNames)
	enumeration[Kind](t, kindNames)
	enumeration[OwnerSource](t, ownerSourceNames)
	enumeration[Call](t, callNames)
	enumeration[LingerOutcome](t, lingerOutcomeNames)
	enumeration[Holder](t, holderNames)
	enumeration[AbortReason](t, abortReasonNames)
}

func enumeration[T interface {
	~uint8
	fmt.Stringer
	encoding.TextMarshaler
}, P textual[T]](t *testing.T, names []string,
) {
	t.Helper()
	seen := map[string]bool{}
	for v := range T(len(names)) {
		text, err := v.MarshalText()
		if err != nil || string(text) != v.String() {
			t.Errorf("%T %d: got %q, %v; want %q", v, v, text, err, v.String())
		}
		if seen[string(text)] {
			t.Errorf("%T: %q names two values", v, text)
		}
		seen[string(text)] = true
		if string(text) != strings.TrimSpace(string(text)) || strings.Contains(string(text), " ") {
			t.Errorf("%T: name %q has a blank", v, text)
		}
		var back T
		if err := P(&back).UnmarshalText(text); err != nil || back != v {
			t.Errorf("%T %q: got %v, %v; want %v", v, text, back, err, v)
		}
	}
	beyond := T(len(names))
	if got, want := beyond.String(), fmt.Sprintf("%d", len(names)); got != want {
		t.Errorf("%T beyond its table: got %q, want %q", beyond, got, want)
	}
	if err := P(new(T)).UnmarshalText([]byte("no such name")); err == nil || !strings.Contains(err.Error(), "no such name") {
		t.Errorf("%T: got error %v for an unknown name, want one that names it", beyond, err)
	}
}

// TestNamesOfTheRecord guards the contract: these words are in files.
func TestNamesOfTheRecord(t *testing.T) {
	for what, c := range map[string]struct {
		got  []string
		want string
	}{
		"verdicts": {verdictNames[:], "unknown graceful abortive linger-timeout failed-open silent"},
		"causes": {causeNames[:], "unknown fin finwait2-timeout unread-data linger-zero disconnect listener-closed " +
			"local-abort data-after-close data-after-shutdown retransmit-timeout user-timeout keepalive-timeout " +
			"zero-window-timeout linger2-timeout orphan-or-memory-limit mptcp-reset system-abort peer-restart " +
			"destroyed peer-reset linger-expired refused connect-timeout connect-cancelled unreachable no-local-port " +
			"tcp-repair orphan-dropped"},
		"initiators":  {initiatorNames, "unknown local peer both none"},
		"terminators": {terminatorNames, "unknown local-app local-kernel peer network admin"},
		"outcomes":    {lingerOutcomeNames[1:], "drained timeout interrupted reset skipped"},
		"kinds":       {kindNames, "unknown start teardown outcome close-failed loss counters stray-reset clock table counts stop"},
		"sides":       {sideNames[1:], "local peer"},
		"calls":       {callNames[1:], "close shutdown exit disconnect destroy"},
		"sources":     {ownerSourceNames[1:], "connect accept use listener iterator closer inode fork"},
	} {
		if got := strings.Join(c.got, " "); got != c.want {
			t.Errorf("%s: got %q, want %q", what, got, c.want)
		}
	}
}

func TestObservationsRoundTrip(t *testing.T) {
	for n := range Observation(NumObservations) {
		var s, back Observations
		s.Add(n)
		data, err := json.Marshal(s)
		if err != nil || string(data) != `["`+n.String()+`"]` {
			t.Errorf("observation %v: got %s, %v", n, data, err)
		}
		back.Add(ObservedDisconnect)
		if err := json.Unmarshal(data, &back); err != nil || back != s {
			t.Errorf("observation %v: got %v, %v; want it alone", n, back, err)
		}
	}
	var s Observations
	for _, bad := range []string{`["no-such"]`, `"abort"`, `[1]`, `{}`} {
		if err := json.Unmarshal([]byte(bad), &s); err == nil {
			t.Errorf("observations %s: got no error", bad)
		}
	}
}

func TestOptIsAbsentUnlessKnown(t *testing.T) {
	type line struct {
		A Opt[int]  `json:"a,omitzero"`
		B Opt[bool] `json:"b,omitzero"`
	}
	for text, want := range map[string]line{
		`{}`:                  {},
		`{"a":0}`:             {A: Some(0)},
		`{"a":7,"b":false}`:   {Some(7), Some(false)},
		`{"a":-1,"b":true}`:   {Some(-1), Some(true)},
		`{"a":null,"b":null}`: {},
	} {
		var got line
		if err := json.Unmarshal([]byte(text), &got); err != nil || got != want {
			t.Errorf("decode %s: got %+v, %v; want %+v", text, got, err, want)
		}
		if strings.Contains(text, "null") {
			continue
		}
		if data, err := json.Marshal(want); err != nil || string(data) != text {
			t.Errorf("encode %+v: got %s, %v; want %s", want, data, err, text)
		}
	}
	if err := json.Unmarshal([]byte(`{"a":"x"}`), &line{}); err == nil {
		t.Error("a string was taken as a number")
	}
	if v, ok := (Opt[int]{}).Get(); ok || v != 0 {
		t.Errorf("unknown: got %d, %t", v, ok)
	}
	if data, _ := json.Marshal(Opt[int]{}); string(data) != "null" {
		t.Errorf("unknown, not left out: got %s, want null", data)
	}
	if (Opt[int]{}).Is(0) || !Some(0).Is(0) || Some(1).Is(0) {
		t.Error("Is: unknown is not 0")
	}
	if got := (Opt[int]{}).Or(5) + Some(2).Or(5); got != 7 {
		t.Errorf("Or: got %d, want 5 + 2", got)
	}
}

func TestPath(t *testing.T) {
	p := PathOf(SynSent, Established, FinWait1, Closed)
	if got, want := p.Last(), FinWait1; got != want {
		t.Errorf("last: got %v, want %v", got, want)
	}
	closed := PathOf(Closed)
	if got := closed.Last(); got != StateUnknown {
		t.Errorf("last of CLOSE alone: got %v, want unknown", got)
	}
	if !p.Before(SynSent, FinWait1) || p.Before(FinWait1, SynSent) || !p.Before(SynSent, Listen) || p.Before(Listen, SynSent) || p.Before(SynSent, SynSent) {
		t.Error("before: order of states is not theirs")
	}
	if !p.Has(Established) || p.Has(Listen) {
		t.Error("has: wrong states")
	}
	if p.Len() != 4 || p.IsZero() || !(Path{}).IsZero() {
		t.Errorf("got length %d of 4 states", p.Len())
	}
	data, err := json.Marshal(p)
	if want := `["SYN_SENT","ESTABLISHED","FIN_WAIT1","CLOSE"]`; err != nil || string(data) != want {
		t.Fatalf("got %s, %v; want %s", data, err, want)
	}
	back := PathOf(Listen)
	if err := json.Unmarshal(data, &back); err != nil || back != p {
		t.Errorf("got %v, %v; want %v", back, err, p)
	}
	if err := json.Unmarshal([]byte(`["ESTABLISHED","NOWHERE"]`), &back); err == nil {
		t.Error("an unknown state was taken")
	}
	if err := json.Unmarshal([]byte(`["`+strings.Repeat(`ESTABLISHED","`, 999)+`CLOSE"]`), &back); err != nil || back.Len() != pathMax {
		t.Errorf("a thousand states: got %d, %v; want the first %d", back.Len(), err, pathMax)
	}
}

func TestTimeHasSixDigits(t *testing.T) {
	at := TimeOf(time.Date(2026, 11, 20, 18, 23, 0, 123456789, time.FixedZone("CET", 3600)))
	if got, want := at.String(), "2026-11-20T17:23:00.123456Z"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	var back Time
	if err := back.UnmarshalText([]byte("2026-11-20T18:23:00.5+01:00")); err != nil || back.String() != "2026-11-20T17:23:00.500000Z" {
		t.Errorf("got %v, %v", back, err)
	}
	if err := back.UnmarshalText([]byte("yesterday")); err == nil {
		t.Error("yesterday is not a time")
	}
	if got := at.Add(time.Second).Sub(at); got != time.Second {
		t.Errorf("got %v, want 1s", got)
	}
}

func TestNetwork(t *testing.T) {
	v4 := Endpoint{netip.MustParseAddr("127.0.0.1"), 80}
	v6 := Endpoint{netip.MustParseAddr("2001:db8::1"), 443}
	far := Endpoint{netip.MustParseAddr("192.0.2.1"), 1}
	for _, c := range []struct {
		n        Network
		kind     string
		loopback bool
	}{
		{Network{}, "", false},
		{Network{Local: v4, Peer: v4}, "ipv4", true},
		{Network{Peer: v4}, "ipv4", false},
		{Network{Local: v6, Peer: v6}, "ipv6", true},
		{Network{Peer: v6}, "ipv6", false},
		{Network{Local: v6}, "ipv6", false},
		{Network{Local: v4}, "ipv4", false},
		{Network{Local: v4, Peer: far}, "ipv4", false},
		{Network{Local: far, Peer: v4}, "ipv4", false},
		{Network{Local: far, Peer: far}, "ipv4", true},
	} {
		if got := c.n.Type(); got != c.kind {
			t.Errorf("%v: got type %q, want %q", c.n, got, c.kind)
		}
		if got := c.n.Loopback(); got != c.loopback {
			t.Errorf("%v: got loopback %t, want %t", c.n, got, c.loopback)
		}
		if got := c.n.Reversed(); got.Local != c.n.Peer || got.Peer != c.n.Local || got.Reversed() != c.n {
			t.Errorf("got %v reversed of %v", got, c.n)
		}
	}
	var n Network
	mapped := `{"local":{"address":"::ffff:10.0.0.5","port":443},"peer":{"address":"10.0.0.9","port":1}}`
	if err := json.Unmarshal([]byte(mapped), &n); err != nil || n.Type() != "ipv4" || n.Local.AddrPort().String() != "10.0.0.5:443" {
		t.Errorf("mapped address: got %v of type %q, %v", n, n.Type(), err)
	}
}

func TestLists(t *testing.T) {
	states := States()
	if len(states) != len(stateNames)-1 || states[0] != Established || states[len(states)-1] != NewSynRecv {
		t.Errorf("got %v, want every state but the unknown one", states)
	}
	for v := range Admin + 1 {
		want := DoerKernel
		switch v {
		case LocalApp:
			want = DoerUs
		case Peer:
			want = DoerPeer
		default:
		}
		if got := v.Doer(); got != want {
			t.Errorf("%v: got %d, want %d", v, got, want)
		}
	}
}
