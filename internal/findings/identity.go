package findings

import (
	"net/netip"

	"github.com/closetrace/closetrace/model"
)

// Identity is what remains the same of a finding while it grows: its title, numbers, filter
// and even its peer, which is a number of peers when there are several, do not. Two findings
// of one report never have the same.
type Identity struct {
	pattern string
	group   key          // of a finding that is made of a group
	process string       // of one that is not, if that does not become known later
	network netip.Prefix // of ends at one moment, with their cause
	cause   model.Cause
	once    int64 // what another recording has not: their moment, or a process's ID
}

// Identity returns what f can be known by; nothing if no engine has made it.
func (f *Finding) Identity() Identity { return f.identity }

// same reports whether f and o are the same finding of two recordings. A process that is not
// part of the identity, as it is not always known, must not contradict.
func (f *Finding) same(o *Finding) bool {
	a, b := f.identity, o.identity
	if a.pattern == "" || b.pattern == "" { // read from a file, which does not have it
		return f.ID == o.ID && f.Process == o.Process && f.Peer == o.Peer
	}
	a.once, b.once = 0, 0
	return a == b && (f.Process == o.Process || f.Process == "" || o.Process == "")
}
