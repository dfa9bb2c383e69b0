package findings

import (
	"net/netip"
	"testing"

	"github.com/closetrace/closetrace/model"
)

// TestStrangersAreNotJoined: in a network namespace of his own anybody has the addresses of
// others. Across namespaces the source, or both fingerprints, say whose end it is.
func TestStrangersAreNotJoined(t *testing.T) {
	for name, c := range map[string]struct {
		edit func(*model.Teardown)
		want bool
	}{
		"one namespace":              {func(*model.Teardown) {}, true},
		"another one":                {func(o *model.Teardown) { o.Network.NetNS = 2 }, false},
		"another one, by the source": {func(o *model.Teardown) { o.Network.NetNS, o.PeerEnd = 2, "s-1" }, true},
		"another one, by numbers":    {func(o *model.Teardown) { o.Network.NetNS, o.TCP.Fingerprint = 2, 7 }, true},
		"another one, wrong numbers": {func(o *model.Teardown) { o.Network.NetNS, o.TCP.Fingerprint = 2, 8 }, false},
	} {
		victim := model.Record{Kind: model.KindTeardown}
		v := &victim.Teardown
		v.ID, v.Time, v.Network.NetNS, v.TCP.Role, v.TCP.Fingerprint = "s-1", 1e18, 1, model.Active, 7
		v.Network.Local.Address, v.Network.Local.Port = netip.MustParseAddr("10.77.0.5"), 51034
		v.Network.Peer.Address, v.Network.Peer.Port = netip.MustParseAddr("10.77.0.9"), 443
		other := victim
		o := &other.Teardown
		o.ID, o.TCP.Role, o.TCP.Fingerprint = "s-2", model.Passive, 0
		o.Network.Local, o.Network.Peer = v.Network.Peer, v.Network.Local
		c.edit(o)
		e := New()
		e.Add(&victim)
		e.Add(&other)
		if got := e.ring[0].other != nil; got != c.want {
			t.Errorf("%s: joined: %v, want %v", name, got, c.want)
		}
		e.Finish()
		if got := e.Report().Connections; got != map[bool]uint64{true: 1, false: 2}[c.want] {
			t.Errorf("%s: %d connections of two ends, joined: %v", name, got, c.want)
		}
	}
}
