package lab

import (
	"fmt"
	"net/netip"

	"github.com/closetrace/closetrace/model"
)

// Stray is what the kernel answered with RST for a connection that it did not
// have: the truth of a record of [model.KindStray]. How often it did is among the
// packets.
type Stray struct {
	Local netip.AddrPort    `json:"local"`
	Peer  netip.AddrPort    `json:"peer"`
	Why   model.StrayReason `json:"why"`
	// Listener: one answered, as it does not know the connection either.
	Listener bool `json:"listener,omitzero"`
}

// strayField is the field of findings about stray resets.
const strayField = "stray-reset"

// compareStrays checks the records of resets without a connection against the
// truths, and against the wire: none is reported more often than it was sent.
func compareStrays(r *Result, records []model.Record, teardowns []*model.Record) (findings []Finding) {
	add := func(s *Stray, kind FindingKind, want, got string) {
		findings = append(findings, Finding{Scenario: r.Name, End: fmt.Sprintf("%v -> %v", s.Local, s.Peer), Kind: kind, Field: strayField, Want: want, Got: got})
	}
	for i := range r.Strays {
		s := &r.Strays[i]
		end := comparison{end: &End{Local: s.Local, Peer: s.Peer}}
		sent, told := uint64(0), uint64(0)
		for _, p := range r.Packets {
			if p.RST && !p.Forged && p.From == s.Local && p.To == s.Peer {
				sent++
			}
		}
		var id string
		for _, t := range teardowns {
			if end.matches(t) && s.Why == model.StrayEnded {
				id = t.Teardown.ID
			}
		}
		for j := range records {
			record := &records[j]
			if record.Kind != model.KindStray || record.Teardown.Network.NetNS != r.NetNS || !end.matches(record) {
				continue
			}
			told += record.Stray.Count
			if record.Stray.Why != s.Why || record.Teardown.ID != id {
				add(s, Wrong, s.Why.String()+" "+id, record.Stray.Why.String()+" "+record.Teardown.ID)
			}
		}
		switch {
		case told == 0:
			add(s, Absent, s.Why.String(), "")
		case told > sent:
			add(s, Wrong, fmt.Sprint(sent), fmt.Sprint(told))
		}
	}
	return findings
}
