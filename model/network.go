package model

import "encoding/json"

// Type returns "ipv4" or "ipv6" (OpenTelemetry network.type), or "" when no
// address is known.
func (n Network) Type() string {
	switch a := n.Local.Address; {
	case !a.IsValid() && !n.Peer.Address.IsValid():
		return ""
	case a.Is4(), !a.IsValid() && n.Peer.Address.Is4():
		return "ipv4"
	default:
		return "ipv6"
	}
}

// Loopback reports whether the connection stays on this host as far as its
// addresses tell.
func (n Network) Loopback() bool {
	return n.Local.Address.IsLoopback() && n.Peer.Address.IsLoopback() ||
		n.Local.Address.IsValid() && n.Local.Address == n.Peer.Address
}

// Reversed returns the tuple as the other end sees it.
func (n Network) Reversed() Network {
	n.Local, n.Peer = n.Peer, n.Local
	return n
}

// networkFields is Network without its methods.
type networkFields Network

// MarshalJSON implements [json.Marshaler].
func (n Network) MarshalJSON() ([]byte, error) {
	return json.Marshal(struct {
		Type string `json:"type,omitzero"`
		networkFields
	}{n.Type(), networkFields(n)})
}

// UnmarshalJSON implements [json.Unmarshaler]; IPv4-mapped addresses become IPv4.
func (n *Network) UnmarshalJSON(data []byte) error {
	*n = Network{}
	if err := json.Unmarshal(data, (*networkFields)(n)); err != nil {
		return err
	}
	n.Local.Address = n.Local.Address.Unmap()
	n.Peer.Address = n.Peer.Address.Unmap()
	return nil
}
