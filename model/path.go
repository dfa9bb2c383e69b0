package model

import "encoding/json"

// pathMax is the number of states a Path holds. A connection passes at most
// seven (RFC 9293, figure 5); simultaneous open and the self transitions that
// Linux shows fit as well.
const pathMax = 16

// Path is the sequence of states a connection went through, oldest first. It
// is comparable and needs no allocation; states beyond its room are left out.
type Path struct {
	states [pathMax]State
	n      uint8
}

// PathOf returns the path through states.
func PathOf(states ...State) Path {
	var p Path
	for _, s := range states {
		p.Append(s)
	}
	return p
}

// Append adds s at the end.
func (p *Path) Append(s State) {
	if int(p.n) < pathMax {
		p.states[p.n] = s
		p.n++
	}
}

// Len returns the number of states.
func (p *Path) Len() int { return int(p.n) }

// States returns the states, oldest first.
func (p *Path) States() []State { return p.states[:p.n] }

// Has reports whether s occurs in the path.
func (p *Path) Has(s State) bool { return p.index(s) >= 0 }

// Before reports whether a occurs, and earlier than the first b.
func (p *Path) Before(a, b State) bool {
	i, j := p.index(a), p.index(b)
	return i >= 0 && (j < 0 || i < j)
}

// Last returns the state the connection was in before it ended: the last one
// that is not CLOSE, or StateUnknown.
func (p *Path) Last() State {
	for i := int(p.n) - 1; i >= 0; i-- {
		if p.states[i] != Closed {
			return p.states[i]
		}
	}
	return StateUnknown
}

func (p *Path) index(s State) int {
	for i := range int(p.n) {
		if p.states[i] == s {
			return i
		}
	}
	return -1
}

// IsZero reports whether nothing of the path is known.
func (p Path) IsZero() bool { return p.n == 0 }

// MarshalJSON implements [json.Marshaler]: a list of state names.
func (p Path) MarshalJSON() ([]byte, error) { return json.Marshal(p.states[:p.n]) }

// UnmarshalJSON implements [json.Unmarshaler].
func (p *Path) UnmarshalJSON(data []byte) error {
	var states []State
	if err := json.Unmarshal(data, &states); err != nil {
		return err
	}
	*p = PathOf(states...)
	return nil
}
