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

// networkJSON is Network as a line has it.
type networkJSON struct {
	Type  string   `json:"type,omitzero"`
	Local Endpoint `json:"local,omitzero"`
	Peer  Endpoint `json:"peer,omitzero"`
	NetNS uint32   `json:"netns,omitzero"`
}

// MarshalJSON implements [json.Marshaler].
func (n Network) MarshalJSON() ([]byte, error) {
	return json.Marshal(networkJSON{n.Type(), n.Local, n.Peer, n.NetNS})
}

// UnmarshalJSON implements [json.Unmarshaler]; IPv4-mapped addresses become IPv4.
func (n *Network) UnmarshalJSON(data []byte) error {
	var j networkJSON
	if err := json.Unmarshal(data, &j); err != nil {
		return err
	}
	*n = Network{Local: j.Local, Peer: j.Peer, NetNS: j.NetNS}
	n.Local.Address = n.Local.Address.Unmap()
	n.Peer.Address = n.Peer.Address.Unmap()
	return nil
}
