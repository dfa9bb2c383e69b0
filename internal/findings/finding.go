package findings

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/closetrace/closetrace/model"
)

// Harm says how bad a finding is.
type Harm uint8

const (
	Benign Harm = iota // looks bad and is not
	Low                // worth knowing
	Medium             // costs time or resources
	High               // requests or data are lost
)

var harmNames = []string{Benign: "benign", Low: "low", Medium: "medium", High: "high"}

// String returns the name used in files and on screens.
func (h Harm) String() string { return harmNames[h] }

// MarshalText implements [encoding.TextMarshaler].
func (h Harm) MarshalText() ([]byte, error) { return []byte(h.String()), nil }

// UnmarshalText implements [encoding.TextUnmarshaler].
func (h *Harm) UnmarshalText(text []byte) error {
	i := slices.Index(harmNames, string(text))
	if i < 0 {
		return fmt.Errorf("harm %.20q: want one of %s", text, strings.Join(harmNames, ", "))
	}
	*h = Harm(i)
	return nil
}

// Finding is one pattern that was found: what is going on, who does it, since when,
// and what to change.
type Finding struct {
	// ID is the name of the pattern; several findings may have it.
	ID string `json:"id"`
	// Title is the finding in one sentence, with its numbers.
	Title      string           `json:"title"`
	Harm       Harm             `json:"harm"`
	Confidence model.Confidence `json:"confidence"`
	// Count is how many connections; Share is their part of all, from 0 to 1.
	Count uint64     `json:"count"`
	Share float64    `json:"share"`
	First model.Time `json:"first_time"`
	Last  model.Time `json:"last_time"`
	// Ongoing: the last of them is so recent that more are to be expected.
	Ongoing bool   `json:"ongoing"`
	Process string `json:"process"`
	Peer    string `json:"peer"`
	// Numbers are those of the sentence, under the names of the record's fields where
	// there is one.
	Numbers map[string]int64 `json:"numbers"`
	// Evidence are ids of some of its ends, the first ones.
	Evidence []string `json:"evidence"`
	Advice   string   `json:"advice"`
	// Filter selects its ends; "" if no expression can.
	Filter string `json:"filter"`

	rank     int
	identity Identity
}

// Report is what an engine has found so far.
type Report struct {
	Findings []Finding `json:"findings"`
	// Connections is how many were looked at, Lost how many events the source dropped.
	Connections uint64 `json:"connections"`
	// Counted are further ends, which had nothing to say and were only counted.
	Counted uint64 `json:"only_counted,omitzero"`
	Lost    uint64 `json:"lost_events"`
	// Untracked counts connections that found no place in the engine's memory.
	Untracked uint64 `json:"untracked,omitzero"`
}

// Worst returns the most harmful findings, at most n and none that is benign or low.
func (r *Report) Worst(n int) []Finding {
	end := 0
	for end < len(r.Findings) && end < n && r.Findings[end].Harm >= Medium {
		end++
	}
	return r.Findings[:end]
}

// Report returns what was found among all that was added, the most harmful first. An end
// that waits for its other end is not in it until the stream's stop record, or until
// [Engine.Advance].
func (e *Engine) Report() *Report {
	r := &Report{Findings: []Finding{}, Connections: e.total, Counted: e.ordinary, Lost: e.lost, Untracked: e.untracked}
	e.cover()
	for _, g := range e.groups {
		if f, ok := e.finding(g); ok && !g.covered {
			r.Findings = append(r.Findings, f)
		}
	}
	r.Findings = append(r.Findings, slices.Concat(e.overflows(), e.flooded(), e.leaking())...)
	for i := range e.moments.worst {
		if m := &e.moments.worst[i]; m.n >= crowd && !e.overflowed(m) && !e.onlyChecks(m) {
			r.Findings = append(r.Findings, e.massEnd(m))
		}
	}
	onceKilled(r.Findings)
	slices.SortFunc(r.Findings, func(a, b Finding) int {
		return cmp.Or(cmp.Compare(b.Harm, a.Harm), cmp.Compare(b.Count, a.Count), cmp.Compare(a.rank, b.rank),
			cmp.Compare(a.Process, b.Process), cmp.Compare(a.Peer, b.Peer), cmp.Compare(a.Filter, b.Filter))
	})
	return r
}

// onceKilled lowers process-restart of a server of which process-killed has said already
// that requests were unanswered.
func onceKilled(list []Finding) {
	for i := range list {
		f := &list[i]
		if f.ID == "process-restart" && slices.ContainsFunc(list, func(k Finding) bool { return k.ID == "process-killed" && k.Filter == f.Filter }) {
			f.Harm = Low
		}
	}
}

// finding makes the finding of group g; false if it has none.
func (e *Engine) finding(g *group) (Finding, bool) {
	p := &patterns[g.key.pattern]
	if g.count < max(p.least, 1) {
		return Finding{}, false
	}
	f := Finding{
		ID: p.Name, Harm: p.Harm, Confidence: model.Certain, Count: g.count, First: g.first, Last: g.last,
		Process: g.key.process, Peer: g.peerName(), Numbers: map[string]int64{},
		Evidence: slices.Clone(g.evidence), Advice: p.Advice, Filter: g.filter(p), rank: int(g.key.pattern),
		identity: Identity{pattern: p.Name, group: g.key},
	}
	if g.inferred {
		f.Confidence = model.Inferred
	}
	if !p.say(e, g, &f) {
		return Finding{}, false
	}
	e.complete(&f)
	return f, true
}

// complete adds what every finding has.
func (e *Engine) complete(f *Finding) {
	f.Share = float64(f.Count) / float64(max(e.total+e.ordinary, f.Count, 1))
	quiet := 5 * time.Second
	if f.Count > 1 {
		quiet = max(quiet, 3*f.Last.Sub(f.First)/time.Duration(whole(f.Count-1)))
	}
	f.Ongoing = f.Count > 1 && e.newest.Sub(f.Last) <= quiet
	if e.lost > 0 {
		f.Confidence = model.Inferred
		f.Numbers["lost_events"] = whole(e.lost)
		f.Title += fmt.Sprintf(" (%s lost meanwhile: there may be more.)", plural(e.lost, "event was", "events were"))
	}
}

func (g *group) peerName() string {
	switch {
	case g.key.peer.IsValid():
		return address(g.key.peer)
	case len(g.peers) == 1:
		return address(g.peers[0].address)
	case g.morePeers:
		return fmt.Sprintf("more than %d peers", maxPeers)
	case len(g.peers) > 1:
		return fmt.Sprintf("%d peers", len(g.peers))
	}
	return ""
}

func (g *group) filter(p *Pattern) string {
	var parts []string
	if g.key.process != "" && len(g.key.process) < maxText {
		parts = append(parts, "process.name == "+strconv.Quote(g.key.process))
	}
	if g.key.port != 0 && g.key.passive {
		parts = append(parts, fmt.Sprintf("network.local.port == %d", g.key.port))
	} else if g.key.port != 0 {
		parts = append(parts, fmt.Sprintf("network.peer.port == %d", g.key.port))
	}
	if g.key.peer.IsValid() {
		parts = append(parts, fmt.Sprintf("network.peer.address == %q", address(g.key.peer)))
	}
	if p.Filter != "true" {
		parts = append(parts, p.Filter)
	}
	return strings.Join(parts, " && ")
}

// Compare returns the findings that only after has, and those that only before has: the
// same pattern of the same process and port is the same finding, however many peers meet it.
func Compare(before, after *Report) (appeared, gone []Finding) {
	return without(after.Findings, before.Findings), without(before.Findings, after.Findings)
}

func without(list, other []Finding) []Finding {
	rest := []Finding{}
	for i := range list {
		if !slices.ContainsFunc(other, func(o Finding) bool { return list[i].same(&o) }) {
			rest = append(rest, list[i])
		}
	}
	return rest
}
