package beside

import (
	"net/netip"

	"github.com/closetrace/closetrace/model"
)

// maxHost bounds the addresses and the fingerprints that are kept of a host.
const maxHost = 200_000

// Host is whose ends a recording tells of: its addresses, learned from the local
// endpoints, and the fingerprints of its connections, which address translation leaves
// as they are.
type Host struct {
	addresses map[netip.Addr]bool
	prints    map[print]bool
}

type print struct {
	of   model.Fingerprint
	role model.Role
}

// NewHost returns a host of which nothing is known yet.
func NewHost() *Host {
	return &Host{map[netip.Addr]bool{}, map[print]bool{}}
}

// Add learns from a record of the host.
func (h *Host) Add(r *model.Record) {
	if r.Kind != model.KindTeardown {
		return
	}
	t := &r.Teardown
	if a := t.Network.Local.Address; len(h.addresses) < maxHost && a.IsValid() && !a.IsUnspecified() {
		h.addresses[a.Unmap()] = true
	}
	if p := t.TCP.Fingerprint; p != 0 && len(h.prints) < maxHost {
		h.prints[print{p, t.TCP.Role}] = true
	}
}

// has reports whether an end of a capture is this host's. Of a host that nothing was
// learned of all are.
func (h *Host) has(t *model.Teardown) bool {
	return h == nil || len(h.addresses) == 0 || h.addresses[t.Network.Local.Address.Unmap()] ||
		t.TCP.Fingerprint != 0 && h.prints[print{t.TCP.Fingerprint, t.TCP.Role}]
}
