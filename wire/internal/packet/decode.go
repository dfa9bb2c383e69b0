package packet

// Kind is what a packet turned out to be.
type Kind uint8

// The kinds, in the order in which they are listed.
const (
	TCP         Kind = iota // a segment
	ICMPError               // about a segment that did not arrive
	Other                   // another protocol: UDP, ARP, ...
	Fragment                // of a larger packet: not put together
	Short                   // too little was captured of it
	Malformed               // lengths that contradict each other
	Wireless                // IEEE 802.11: not read
	UnknownLink             // a link layer that is not read
	Kinds                   // how many there are
)

// maxLayers bounds tags, tunnels and extension headers.
const maxLayers = 16

// Decoder decodes packets. It is for one goroutine.
type Decoder struct {
	layers int
	// Process is the owner that the packet's header names (Apple's pktap).
	Process Process
	// Interface is the number of the interface that the packet's header names (Linux
	// cooked v2), or 1 for what came in and 2 for what goes out (v1); 0 if it says neither.
	Interface uint32
	// Inner is the segment that an ICMP error is about, Numbered whether its sequence number
	// was captured; Type and Code are those of the error.
	Inner      Segment
	Numbered   bool
	Type, Code uint8
}

// Process is an owner; unknown if the PID is 0.
type Process struct {
	PID  int
	Name string
}

// Decode finds the segment in a packet of a link type, which has so many bytes on the
// wire. s is filled only if the result is [TCP].
func (d *Decoder) Decode(link uint16, b []byte, length int, s *Segment) Kind {
	d.layers, d.Process, d.Interface = 0, Process{}, 0
	return d.link(link, b, max(length, len(b)), s)
}

// deeper reports whether one more layer may be looked at.
func (d *Decoder) deeper() bool {
	d.layers++
	return d.layers <= maxLayers
}

// after cuts n bytes off that were looked at; ok is false if they were not captured.
func after(b []byte, length, n int) (rest []byte, restLength int, ok bool) {
	if n > len(b) || n > length {
		return nil, 0, false
	}
	return b[n:], length - n, true
}
