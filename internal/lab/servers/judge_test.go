//go:build linux

package servers_test

import (
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/closetrace/closetrace/internal/record"
	"github.com/closetrace/closetrace/model"
)

// want is what a server's documentation says of a connection.
type want struct {
	port           uint16 // the server's
	client, server party
	// stories are the ways in which it may end. Where there is more than one
	// the capture chooses: chance decides which it is, never closetrace.
	stories []story
}

// party is a process that the test started.
type party struct {
	pid  int
	name string
	// listener called listen(), if another process did.
	listener int
	// neverAccepted: only the listener can be known.
	neverAccepted bool
}

// story is one way to end.
type story struct {
	// wire is who sent the first FIN and RST of each direction, in that order:
	// "client FIN, server RST".
	wire           string
	client, server end
}

// end is how one end must be reported. The zero value: it has no end, because
// the connection never reached that host.
type end struct {
	cause  model.Cause
	call   model.Call // by which its process ended it; unknown if it did not
	signal int
	// first, if set, is the initiator of an end that the wire does not show.
	first model.Initiator
	// outcome is what becomes known later, after a graceful end.
	outcome model.Cause
	// afterRST: its host sent a RST when the socket was gone.
	afterRST bool
	// unheard: the peer's FIN or RST came when the socket was gone.
	unheard bool
}

// connection is what the capture shows of a connection.
type connection struct {
	client, server netip.AddrPort
	wire           []string
	fin            *segment // the first
	crossed        bool     // each side sent its FIN before it had the other's
	want           *want
	story          *story
}

func (c *connection) add(s *segment) {
	var side string
	switch {
	case s.from == c.client && s.to == c.server:
		side = "client"
	case s.from == c.server && s.to == c.client:
		side = "server"
	default:
		return
	}
	if s.has(flagFIN) {
		if token := side + " FIN"; !slices.Contains(c.wire, token) {
			c.crossed = c.fin != nil && int32(c.fin.next+1-s.ack) > 0
			c.fin = s
			c.wire = append(c.wire, token)
		}
	}
	if token := side + " RST"; s.has(flagRST) && !slices.Contains(c.wire, token) {
		c.wire = append(c.wire, token)
	}
}

func (c *connection) match(t *testing.T, w *want) {
	t.Helper()
	if c.server.Port() != w.port {
		t.Fatalf("captured a connection to port %d, want %d", c.server.Port(), w.port)
	}
	got := strings.Join(c.wire, ", ")
	var wires []string
	for i := range w.stories {
		if w.stories[i].wire == got {
			c.want, c.story = w, &w.stories[i]
			return
		}
		wires = append(wires, w.stories[i].wire)
	}
	t.Errorf("port %d: captured %q, want %q", w.port, got, wires)
}

// expectation is one end of a captured connection.
type expectation struct {
	*connection
	side, other string
	local, peer netip.AddrPort
	party       *party
	end         *end
}

func (c *connection) ends() []expectation {
	return []expectation{
		{c, "client", "server", c.client, c.server, &c.want.client, &c.story.client},
		{c, "server", "client", c.server, c.client, &c.want.server, &c.story.server},
	}
}

// judge compares the end with its record, and returns the other records.
func (e expectation) judge(t *testing.T, records []*model.Record, complete bool) []*model.Record {
	if e.end.cause == model.CauseUnknown {
		return records
	}
	i := slices.IndexFunc(records, func(r *model.Record) bool { return r.Kind == model.KindTeardown && e.matches(r) })
	if i < 0 {
		t.Errorf("%s of %v -> %v: no record", e.side, e.client, e.server)
		return records
	}
	r := records[i]
	errors := append(e.verdict(&r.Teardown), e.wireFacts(&r.Teardown)...)
	errors = append(errors, e.processes(&r.Teardown, complete)...)
	rest := slices.Delete(slices.Clone(records), i, i+1)
	if e.end.outcome != model.CauseUnknown {
		j := slices.IndexFunc(rest, func(o *model.Record) bool {
			return o.Kind == model.KindOutcome && o.Teardown.ID == r.Teardown.ID && o.Teardown.Cause == e.end.outcome
		})
		if j < 0 {
			errors = append(errors, "no outcome "+e.end.outcome.String())
		} else {
			rest = slices.Delete(rest, j, j+1)
		}
	}
	if len(errors) > 0 {
		t.Errorf("%s of %v -> %v (%s):\n\t%s\n%s", e.side, e.client, e.server, e.story.wire,
			strings.Join(errors, "\n\t"), line(r))
	}
	return rest
}

func (e expectation) matches(r *model.Record) bool {
	n := &r.Teardown.Network
	return n.Local.AddrPort() == e.local && n.Peer.AddrPort() == e.peer
}

// line is the record as a file has it.
func line(r *model.Record) string { return string(record.Append(nil, r)) }
