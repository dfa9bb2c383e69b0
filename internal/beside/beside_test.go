package beside_test

import (
	"net/netip"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/closetrace/closetrace/internal/beside"
	"github.com/closetrace/closetrace/model"
)

var begin = model.TimeOf(time.Date(2026, 11, 20, 17, 23, 0, 0, time.UTC))

func end(id string, at time.Duration, local, peer string, verdict model.Verdict, cause model.Cause) model.Teardown {
	l, p := netip.MustParseAddrPort(local), netip.MustParseAddrPort(peer)
	var t model.Teardown
	t.ID, t.Time, t.Verdict, t.Cause = id, begin.Add(at), verdict, cause
	t.Network = model.Network{Local: model.Endpoint{Address: l.Addr(), Port: l.Port()}, Peer: model.Endpoint{Address: p.Addr(), Port: p.Port()}}
	return t
}

func add(c *beside.Capture, t model.Teardown) {
	c.Add(&model.Record{Kind: model.KindTeardown, Teardown: t})
}

// Ends are found by the fingerprint, also behind address translation, or by addresses
// and time; never the other end, or another connection.
func TestBeside(t *testing.T) {
	const a, b, public = "10.0.0.1:4000", "192.0.2.1:443", "203.0.113.9:61000"
	c := beside.New(nil)
	printed := func(t model.Teardown, p model.Fingerprint, role model.Role) model.Teardown {
		t.TCP.Fingerprint, t.TCP.Role = p, role
		return t
	}
	add(c, printed(end("natted-b", 0, b, public, model.Graceful, model.CauseFIN), 7, model.Passive))
	add(c, printed(end("natted-a", 0, public, b, model.Graceful, model.CauseFIN), 7, model.Active))
	add(c, end("early", -time.Minute, a, b, model.Graceful, model.CauseFIN))
	add(c, end("near", time.Second, a, b, model.Graceful, model.CauseFIN))
	for _, x := range []struct {
		host model.Teardown
		want string
	}{
		{printed(end("h", 0, a, b, model.Graceful, model.CauseFIN), 7, model.Active), "natted-a"},
		{end("h", 0, a, b, model.Graceful, model.CauseFIN), "near"},
		{end("h", -50*time.Second, a, b, model.Graceful, model.CauseFIN), "early"},
		{end("h", time.Hour, a, b, model.Graceful, model.CauseFIN), ""},
		{end("h", 0, b, a, model.Graceful, model.CauseFIN), ""},
	} {
		got := ""
		if e := c.Beside(&x.host); e != nil {
			got = e.ID
		}
		if got != x.want {
			t.Errorf("%v: got %q, want %q", x.host.Network, got, x.want)
		}
	}
}

// What the two say differently is named.
func TestDisagree(t *testing.T) {
	of := func(verdict model.Verdict, cause model.Cause, change func(t *model.Teardown)) *model.Teardown {
		e := end("x", 0, "10.0.0.1:4000", "192.0.2.1:443", verdict, cause)
		e.TCP.RST = model.RST{Sent: model.Some(false), Received: model.Some(false)}
		if change != nil {
			change(&e)
		}
		return &e
	}
	gotRST := func(t *model.Teardown) { t.TCP.RST.Received = model.Some(true) }
	sentRST := func(t *model.Teardown) { t.TCP.RST.Sent = model.Some(true) }
	late := func(t *model.Teardown) {
		t.Evidence.Events = []model.EventRef{{Provider: "wire.after-fin-received", Reason: model.Some(uint32(41))}}
	}
	blind := func(t *model.Teardown) {
		t.Evidence.Events = []model.EventRef{{Provider: "wire.blind-rst-received", Reason: model.Some(uint32(1))}}
	}
	between := func(t *model.Teardown) {
		gotRST(t)
		t.Terminator, t.ConfidenceReason = model.NetworkPath, "the RST has TTL 57"
	}
	for _, x := range []struct {
		host, wire *model.Teardown
		want       string
	}{
		{of(model.Abortive, model.CausePeerReset, gotRST), of(model.Graceful, model.CauseFIN, nil), "sent it, or the capture lost it"},
		{of(model.Abortive, model.CausePeerReset, gotRST), of(model.Abortive, model.CausePeerReset, gotRST), ""},
		{of(model.Abortive, model.CausePeerReset, gotRST), of(model.Graceful, model.CauseFIN, blind), ""},
		{of(model.Abortive, model.CausePeerReset, gotRST), of(model.Abortive, model.CausePeerReset, between), "TTL 57"},
		{of(model.Abortive, model.CauseUnreadData, sentRST), of(model.Abortive, model.CauseLocalAbort, sentRST), ""},
		{of(model.Abortive, model.CauseUnreadData, sentRST), of(model.Abortive, model.CauseRetransmitTimeout, nil), "dropped it, or the capture lost it"},
		{of(model.Abortive, model.CauseRetransmitTimeout, nil), of(model.Graceful, model.CauseFIN, nil), "went on answering"},
		{of(model.Abortive, model.CauseRetransmitTimeout, nil), of(model.Abortive, model.CauseRetransmitTimeout, nil), ""},
		{of(model.Graceful, model.CauseFIN, nil), of(model.Graceful, model.CauseFIN, late), "41 bytes came after the FIN"},
		{of(model.Graceful, model.CauseFIN, nil), of(model.Abortive, model.CauseLocalAbort, sentRST), "wire: abortive, local-abort"},
		{of(model.Graceful, model.CauseFIN, nil), of(model.Graceful, model.CauseFIN, nil), ""},
	} {
		got := beside.Disagree(x.host, x.wire)
		if got == "" != (x.want == "") || !strings.Contains(got, x.want) {
			t.Errorf("%v and %v: got %q, want %q", x.host.Cause, x.wire.Cause, got, x.want)
		}
	}
}

// Of a host only its own ends count, also behind address translation, and those that its
// recording lacks are counted.
func TestHost(t *testing.T) {
	const a, b, public = "10.0.0.1:4000", "192.0.2.1:443", "203.0.113.9:61000"
	h := beside.NewHost()
	known := end("h1", 0, a, b, model.Graceful, model.CauseFIN)
	translated := end("h2", 0, a, "192.0.2.2:80", model.Graceful, model.CauseFIN)
	translated.TCP.Fingerprint, translated.TCP.Role = 7, model.Active
	for _, e := range []model.Teardown{known, translated} {
		h.Add(&model.Record{Kind: model.KindTeardown, Teardown: e})
	}
	c := beside.New(h)
	outside := end("w2", 0, public, "192.0.2.2:80", model.Graceful, model.CauseFIN)
	outside.TCP.Fingerprint, outside.TCP.Role = 7, model.Active
	add(c, end("w1", 0, a, b, model.Graceful, model.CauseFIN))
	add(c, outside)
	add(c, end("lacking", 0, "10.0.0.1:4001", b, model.Graceful, model.CauseFIN))
	add(c, end("peer", 0, b, a, model.Graceful, model.CauseFIN))
	if c.Beside(&known) == nil || c.Beside(&translated) == nil || c.Unpaired() != 1 {
		t.Errorf("%v %v, %d ends that the recording lacks, want 1", c.Beside(&known), c.Beside(&translated), c.Unpaired())
	}
	other := end("x", 0, b, a, model.Graceful, model.CauseFIN)
	if c.Beside(&other) != nil {
		t.Error("the peer's end was kept")
	}
}

// A busy pair of hosts that reuses ports has many connections of one tuple.
func TestManyOfOneTuple(t *testing.T) {
	const a, b = "10.0.0.1:4000", "192.0.2.1:443"
	c := beside.New(nil)
	for n := range 200 {
		add(c, end(strconv.Itoa(n), time.Duration(n)*time.Second, a, b, model.Graceful, model.CauseFIN))
	}
	for n := range 200 {
		host := end("h", time.Duration(n)*time.Second, a, b, model.Graceful, model.CauseFIN)
		if e := c.Beside(&host); e == nil || e.ID != strconv.Itoa(n) {
			t.Errorf("%d: got %v", n, e)
		}
	}
}
