package model

import (
	"encoding/json"
	"fmt"
)

// Observations is a set of [Observation].
type Observations uint64

// Add puts o into the set.
func (s *Observations) Add(o Observation) { *s |= 1 << o }

// Has reports whether o is in the set.
func (s Observations) Has(o Observation) bool { return s&(1<<o) != 0 }

// MarshalJSON implements [json.Marshaler]: a list of names.
func (s Observations) MarshalJSON() ([]byte, error) {
	names := []string{}
	for o := range Observation(NumObservations) {
		if s.Has(o) {
			names = append(names, o.String())
		}
	}
	return json.Marshal(names)
}

// UnmarshalJSON implements [json.Unmarshaler]; like a slice, s is replaced.
func (s *Observations) UnmarshalJSON(data []byte) error {
	var names []string
	if err := json.Unmarshal(data, &names); err != nil {
		return fmt.Errorf("observations: %w", err)
	}
	*s = 0
	for _, name := range names {
		var o Observation
		if err := o.UnmarshalText([]byte(name)); err != nil {
			return err
		}
		s.Add(o)
	}
	return nil
}

// Provenance says how an observation is known.
type Provenance uint8

const (
	NotObserved Provenance = iota
	Concluded              // something of it was not seen
	Announced              // the platform says so
	Seen                   // the source saw it
)

// Observed is what the facts of an end show. It is valid while they do not change.
type Observed struct {
	facts raw
	// shown is what raw facts show, all also what the source handed over.
	shown, all Observations
}

// Observe returns what f shows.
func Observe(f *Facts) Observed {
	r := raw{f, f.TCP.Path.Last()}
	var shown Observations
	for _, line := range shownAlways {
		if line.shown(r) {
			shown |= line.set
		}
	}
	if inTrouble(r) {
		for _, line := range shownInTrouble {
			if line.shown(r) {
				shown |= line.set
			}
		}
	}
	return Observed{r, shown, shown | f.Evidence.Seen | f.Evidence.Announced | f.Evidence.Inferred}
}

// Has reports whether w was observed.
func (o *Observed) Has(w Observation) bool { return o.all.Has(w) }

// showing is how raw facts show an observation.
type showing struct {
	set   Observations
	shown func(raw) bool
}

// shownInTrouble are the lines of the table that need trouble, shownAlways the others:
// most ends have none, and are judged in a third of the time.
var shownAlways, shownInTrouble = func() (always, trouble []showing) {
	for o := range observationTable {
		switch shown := observationTable[o].shown; {
		case shown == nil:
		case needTrouble.Has(Observation(o)):
			trouble = append(trouble, showing{1 << o, shown})
		default:
			always = append(always, showing{1 << o, shown})
		}
	}
	return always, trouble
}()

// needTrouble are observations that raw facts show only if inTrouble.
const needTrouble Observations = 1<<ObservedRSTReceived | 1<<ObservedRefused | 1<<ObservedConnectTimeout |
	1<<ObservedUnreachable | 1<<ObservedRetransmitTimeout | 1<<ObservedKeepaliveTimeout |
	1<<ObservedZeroWindowTimeout | 1<<ObservedUserTimeout | 1<<ObservedDestroyed | 1<<ObservedNeverOpen |
	1<<ObservedResetHere | 1<<ObservedResetBetween | 1<<ObservedAnsweredData | 1<<ObservedNoPort |
	1<<ObservedConnectCancelled | 1<<ObservedStackReset | 1<<ObservedMPTCPReset | 1<<ObservedRSTAfterEnd |
	1<<ObservedStackResetAtEnd | 1<<ObservedLateData | 1<<ObservedLateDataTimeWait |
	1<<ObservedInClose | 1<<ObservedInCall | 1<<ObservedNeverAccepted | 1<<ObservedUnread |
	1<<ObservedLingerZero | 1<<ObservedLingerExpired | 1<<ObservedNoFINWait | 1<<ObservedRepair

// inTrouble: there was an error or a reset, the connection was never open, or more than a
// plain close() was asked for, or the socket still had an owner when it ended.
func inTrouble(f raw) bool {
	e := &f.Evidence
	return f.TCP.Error != "" || e.SoftError != "" || e.Announced != 0 || e.NoPort || e.MPTCP || neverOpen(f) ||
		e.RSTReceivedBefore || e.RSTSentBefore || e.RSTSentAfter || e.RSTReplyAfter || e.RSTReplyTimeWait ||
		e.Dead.Is(false) || e.AbortReason == AbortUnread || closes(f, anyMark)
}

// How returns how w is known.
func (o *Observed) How(w Observation) Provenance {
	switch e := &o.facts.Evidence; {
	case !o.Has(w):
		return NotObserved
	case o.Doubt(w) != "":
		return Concluded
	case e.Announced.Has(w) && !e.Seen.Has(w):
		return Announced
	default:
		return Seen
	}
}

// Doubt says what of w, which was observed, was not seen; nothing if all of it was.
func (o *Observed) Doubt(w Observation) string {
	e, line := &o.facts.Evidence, &observationTable[w]
	if e.Seen.Has(w) {
		return ""
	}
	if e.InferredWhy != "" && e.Inferred.Has(w) && !e.Announced.Has(w) {
		return e.InferredWhy
	}
	if line.doubt != nil {
		if reason := line.doubt(o.facts); reason != "" {
			return reason
		}
	}
	if e.Inferred.Has(w) && !e.Announced.Has(w) && !o.shown.Has(w) {
		return "concluded from what was seen: " + line.words
	}
	return ""
}
