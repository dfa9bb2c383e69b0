package wire

import (
	"fmt"
	"net/netip"
	"strings"

	"github.com/closetrace/closetrace/wire/internal/packet"
)

// Stats says what was in a capture.
type Stats struct {
	// Packets and Bytes were read.
	Packets, Bytes uint64
	// Kinds are the packets by what they turned out to be.
	Kinds [packet.Kinds]uint64
	// Link is a link type that is not read.
	Link uint16
	// Open connections had not ended when the capture did, those apart of which it has one
	// direction only. Lost ones made room for
	// others. Strays are RSTs for connections that are not in the capture.
	Open, Lost, Strays uint64
	// Stray is from where to where the first of those went.
	Stray [2]netip.AddrPort
	// Halved are connections of which it has one direction only.
	Halved uint64
	// FINs are segments with that flag, Plain those with none of SYN, FIN and RST.
	FINs, Plain uint64
	// Dropped are segments of which the capture says so.
	Dropped uint64
	// Missed are packets that the capture lost, as its own count says (pcapng).
	Missed uint64
	// Elsewhere are ends that are not of the local addresses.
	Elsewhere uint64
}

// Skipped says in words what could not be read; nothing if everything was.
func (s *Stats) Skipped() []string {
	var said []string
	say := func(kind packet.Kind, format string, args ...any) {
		if n := s.Kinds[kind]; n > 0 {
			said = append(said, fmt.Sprintf("%d packets "+format, append([]any{n}, args...)...))
		}
	}
	say(packet.Fragment, "are fragments, which are not put together")
	say(packet.Short, "were captured too short; tcpdump --snapshot-length 128 is enough")
	say(packet.Malformed, "have lengths that contradict each other")
	say(packet.Wireless, "are IEEE 802.11, which is not read: capture on the access point's wired side, or on the host itself")
	say(packet.UnknownLink, "are of link type %d, which is not read: capture on an Ethernet interface, or on any", s.Link)
	return said
}

// Remarks are what there is to say of the capture, a line each. Call it when Events has
// ended.
func (f *File) Remarks() []string {
	s := f.Stats()
	said := s.Skipped()
	switch {
	case s.Packets == 0:
		said = append(said, "the capture has no packets")
	case s.Segments() == 0:
		said = append(said, fmt.Sprintf("no TCP among %d packets", s.Packets))
	case s.Lost > 0:
		said = append(said, fmt.Sprintf("%d connections were given up before they ended: there were too many at a time; see --max-connections", s.Lost))
	}
	if s.Halved > 0 {
		said = append(said, fmt.Sprintf("of %d connections the capture has one direction only: if they ended well, they are not reported", s.Halved))
	}
	if s.Open > 0 {
		said = append(said, notEnded(s.Open))
	}
	if s.FINs > 0 && s.Plain == 0 { // of which none goes without an acknowledgement
		said = append(said, "the capture has only segments with SYN, FIN or RST: how many bytes were sent, how long it was idle and who spoke last are not known from it")
	}
	said = append(said, f.stillAgain()...)
	if s.Strays > 0 {
		said = append(said, fmt.Sprintf("%s of connections of which nothing else is in the capture, the first from %v to %v", many(s.Strays, "RST"), s.Stray[0], s.Stray[1]))
	}
	if s.Missed > 0 {
		said = append(said, fmt.Sprintf("%d packets were lost by the program that captured, as the file says: what they had is missing here", s.Missed))
	}
	return said
}

func notEnded(n uint64) string {
	if n == 1 {
		return "1 connection had not ended when the capture did: it is not reported"
	}
	return fmt.Sprintf("%d connections had not ended when the capture did: they are not reported", n)
}

func many(n uint64, one string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %ss", n, one)
}

// count counts a segment by its flags.
func (s *Stats) count(seg *packet.Segment) {
	switch {
	case seg.Has(packet.FIN):
		s.FINs++
	case !seg.Has(packet.SYN) && !seg.Has(packet.RST):
		s.Plain++
	}
}

// Segments is how many packets were TCP.
func (s *Stats) Segments() uint64 { return s.Kinds[packet.TCP] }

func contains(text, word string) bool { return strings.Contains(strings.ToLower(text), word) }
