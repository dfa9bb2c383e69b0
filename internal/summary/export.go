package summary

import (
	"net/netip"
	"time"

	"github.com/closetrace/closetrace/internal/human"
	"github.com/closetrace/closetrace/model"
)

// Export is a Summary as JSON. Its names are a contract, like those of a
// recording; what is not known is absent.
type Export struct {
	First        model.Time        `json:"first,omitzero"`
	Last         model.Time        `json:"last,omitzero"`
	Tool         model.Tool        `json:"tool,omitzero"`
	Host         model.Host        `json:"host,omitzero"`
	OS           model.OS          `json:"os,omitzero"`
	Backend      string            `json:"backend,omitzero"`
	Filter       string            `json:"filter,omitzero"`
	Chosen       string            `json:"chosen,omitzero"` // of what was recorded
	Recordings   int               `json:"recordings"`
	Stopped      int               `json:"stopped"`
	Teardowns    uint64            `json:"teardowns"`
	OnlyCounted  int64             `json:"only_counted,omitzero"` // teardowns without a line
	Inferred     uint64            `json:"inferred"`
	Retracted    uint64            `json:"retracted"`
	Amended      uint64            `json:"amended"`
	CloseFailed  uint64            `json:"close_failed"`
	Verdicts     map[string]uint64 `json:"verdicts"`
	AbortedBy    AbortedBy         `json:"aborted_by"`
	Causes       []CauseCount      `json:"causes"`
	Later        map[string]uint64 `json:"later_outcomes,omitempty"`
	BytesLost    uint64            `json:"bytes_lost"`
	EndsThatLost uint64            `json:"ends_that_lost"`
	Duration     *Quantiles        `json:"duration_ns,omitempty"`
	Blocked      *Quantiles        `json:"close_blocked_ns,omitempty"`
	Processes    []Group           `json:"processes"`
	Peers        []Group           `json:"peers"`
	Aborted      []Group           `json:"aborted"`
	EventsLost   uint64            `json:"events_lost"`
	EventsWhere  map[string]uint64 `json:"events_lost_where,omitempty"`
	Approximate  bool              `json:"approximate"`
}

// AbortedBy is how many abortive ends were the doing of the application here, of the
// peer, and of this host's kernel, the network or an administrator.
type AbortedBy struct {
	Us     uint64 `json:"us"`
	Peer   uint64 `json:"peer"`
	Kernel uint64 `json:"kernel"`
}

func abortedBy(t *Tally) AbortedBy {
	return AbortedBy{t.Aborts[model.DoerUs], t.Aborts[model.DoerPeer], t.Aborts[model.DoerKernel]}
}

// words are the three numbers in a cell.
func (a AbortedBy) words() string {
	if a == (AbortedBy{}) {
		return "0"
	}
	return human.ShortCount(a.Us) + "/" + human.ShortCount(a.Peer) + "/" + human.ShortCount(a.Kernel)
}

// CauseCount is what ended for one cause.
type CauseCount struct {
	Cause     model.Cause       `json:"cause"`
	Teardowns uint64            `json:"teardowns"`
	Verdicts  map[string]uint64 `json:"verdicts"`
	BytesLost uint64            `json:"bytes_lost"`
}

// Group is what ended for one process, peer or pair of them.
type Group struct {
	Process string `json:"process,omitzero"`
	Peer    string `json:"peer,omitzero"`
	// Role is active where the process connected, and Port then the peer's;
	// passive where it accepted, and Port then its own.
	Role model.Role `json:"role,omitzero"`
	Port uint16     `json:"port,omitzero"`
	// Teardowns is at most Over too high.
	Teardowns  uint64            `json:"teardowns"`
	Over       uint64            `json:"over,omitzero"`
	Verdicts   map[string]uint64 `json:"verdicts"`
	AbortedBy  AbortedBy         `json:"aborted_by"`
	BytesLost  uint64            `json:"bytes_lost"`
	BytesMoved uint64            `json:"bytes_moved"`
}

// Quantiles are of durations, in nanoseconds, to within 2 %; max is exact.
type Quantiles struct {
	Count uint64        `json:"count"`
	P50   time.Duration `json:"p50"`
	P90   time.Duration `json:"p90"`
	P99   time.Duration `json:"p99"`
	P999  time.Duration `json:"p999"`
	Max   time.Duration `json:"max"`
}

// Export returns s with at most top of each kind of group.
func (s *Summary) Export(top int) *Export {
	return &Export{
		First: s.First, Last: s.Last,
		Tool: s.Start.Tool, Host: s.Start.Host, OS: s.Start.OS, Backend: s.Start.Backend, Filter: s.Start.Filter, Chosen: s.Chosen,
		Recordings: s.Recordings, Stopped: s.Stopped,
		Teardowns: s.Total.Total(), OnlyCounted: s.OnlyCounted, Inferred: s.Inferred, Retracted: s.Retracted, Amended: s.Amended, CloseFailed: s.CloseFailed,
		Verdicts: verdictMap(&s.Total), AbortedBy: abortedBy(&s.Total), Causes: s.CauseList(), Later: causeMap(&s.Later),
		BytesLost: s.Total.Lost, EndsThatLost: s.Lossy,
		Duration: quantiles(&s.Duration), Blocked: quantiles(&s.Blocked),
		Processes: s.Processes(top), Peers: s.Peers(top), Aborted: s.Aborted(top),
		EventsLost: s.Lost.Total(), EventsWhere: s.Events,
		Approximate: s.processes.evicted || s.peers.evicted || s.talks.evicted,
	}
}

// CauseList returns the causes that occurred, the most frequent first.
func (s *Summary) CauseList() []CauseCount {
	list := []CauseCount{}
	for i := range s.Causes {
		if n := s.Causes[i].Total(); n > 0 {
			list = append(list, CauseCount{model.Cause(i), n, verdictMap(&s.Causes[i]), s.Causes[i].Lost})
		}
	}
	sortBy(list, func(c CauseCount) (uint64, string) { return c.Teardowns, c.Cause.String() })
	return list
}

// Processes returns the processes with the most teardowns, Peers the peers, and
// Aborted the pairs with the most teardowns that were abortive or linger
// timeouts.
func (s *Summary) Processes(top int) []Group {
	return groups(s.processes, top, func(name string) string { return name },
		func(name string) Group { return Group{Process: name} })
}

// Peers returns the peers with the most teardowns.
func (s *Summary) Peers(top int) []Group {
	return groups(s.peers, top, netip.Addr.String, func(a netip.Addr) Group { return Group{Peer: address(a)} })
}

// Aborted returns who talked to whom in connections that were aborted.
func (s *Summary) Aborted(top int) []Group {
	return groups(s.talks, top, func(t Talk) string { return t.Process + "\x00" + t.Peer.String() }, func(t Talk) Group {
		return Group{Process: t.Process, Peer: address(t.Peer), Port: t.Port, Role: t.Role}
	})
}

func groups[K comparable](t *topK[K], top int, name func(K) string, group func(K) Group) []Group {
	list := []Group{}
	for _, slot := range t.list(name) {
		if len(list) == top {
			break
		}
		g := group(slot.Key)
		g.Teardowns, g.Over = slot.Count, slot.Over
		g.Verdicts, g.AbortedBy, g.BytesLost, g.BytesMoved = verdictMap(&slot.Tally), abortedBy(&slot.Tally), slot.Tally.Lost, slot.Tally.Moved
		list = append(list, g)
	}
	return list
}

func address(a netip.Addr) string {
	if !a.IsValid() {
		return ""
	}
	return a.String()
}

func verdictMap(t *Tally) map[string]uint64 {
	m := map[string]uint64{}
	for v, n := range t.Verdicts {
		if n > 0 {
			m[model.Verdict(v).String()] = n
		}
	}
	return m
}

func causeMap(counts *[model.NumCauses]uint64) map[string]uint64 {
	m := map[string]uint64{}
	for c, n := range counts {
		if n > 0 {
			m[model.Cause(c).String()] = n
		}
	}
	return m
}

func quantiles(h *Histogram) *Quantiles {
	if h.Count() == 0 {
		return nil
	}
	return &Quantiles{
		Count: h.Count(), P50: h.Quantile(.5), P90: h.Quantile(.9),
		P99: h.Quantile(.99), P999: h.Quantile(.999), Max: h.Max(),
	}
}
