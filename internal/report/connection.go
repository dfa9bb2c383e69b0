package report

import (
	"fmt"
	"iter"
	"maps"
	"strings"

	"github.com/closetrace/closetrace/internal/human"
	"github.com/closetrace/closetrace/internal/safetext"
	"github.com/closetrace/closetrace/model"
)

// end is a row of the worst connections. The numbers are for sorting.
type end struct {
	ID                                                                 string
	Time, Verdict, Cause, Process, Connection, Lost, Blocked, Duration string
	Order                                                              int64
	LostBytes                                                          uint64
	BlockedNS, DurationNS                                              int64
	Explanation                                                        string
	Facts                                                              []field
}

// connections lists ends, and says whether they are all that there were.
func (p *page) connections(list []*model.Teardown, all bool) {
	p.WorstHeads = []head{
		{"Time", false, true},
		{"Verdict", false, true},
		{"Cause", false, true},
		{"Process", false, true},
		{"Connection", false, true},
		{"Lost", true, true},
		{"Blocked", true, true},
		{"Duration", true, true},
		{"Details", false, false},
	}
	for _, t := range list {
		p.Worst = append(p.Worst, newEnd(t))
	}
	p.WorstWords = "All ends that were not graceful, lost bytes or whose close() waited; those that lost or waited most first."
	if !all {
		p.WorstWords = fmt.Sprintf("The worst %d of the ends that were not graceful, lost bytes or whose close() waited; those that lost or waited most first. The worst %d of each cause are among them.",
			len(list), shownOfCause)
	}
}

func newEnd(t *model.Teardown) end {
	e := end{
		ID:   safetext.Escape(t.ID),
		Time: t.Time.Go().Format("2006-01-02 15:04:05.000000"), Order: int64(t.Time / 1000),
		Verdict: t.Verdict.String(), Cause: t.Cause.String(),
		Process: human.Process(t.Process.Name, t.Process.PID), Connection: tuple(t),
		LostBytes: t.TCP.Bytes.Lost(), BlockedNS: int64(t.CloseBlocked.Or(-1)), DurationNS: int64(t.Duration.Or(-1)),
		Explanation: model.Explain(t.Cause).Summary,
	}
	if t.TCP.Bytes.Unacked.Known() || t.TCP.Bytes.Unread.Known() {
		e.Lost = human.Bytes(e.LostBytes)
	}
	if d, known := t.CloseBlocked.Get(); known {
		e.Blocked = human.Duration(d)
	}
	if d, known := t.Duration.Get(); known {
		e.Duration = human.Duration(d)
	}
	if note := t.CloseNote(); note != "" {
		e.Process += ", " + safetext.Escape(note)
	}
	if note := t.PeerNote(); note != "" {
		e.Process += ", " + safetext.Escape(note)
	}
	e.facts(t)
	return e
}

func tuple(t *model.Teardown) string {
	arrow := " – "
	switch t.TCP.Role {
	case model.Active:
		arrow = " → "
	case model.Passive:
		arrow = " ← "
	case model.RoleUnknown:
	}
	return human.Endpoint(t.Network.Local) + arrow + human.Endpoint(t.Network.Peer)
}

// facts lists what is known of an end, in the order in which one asks.
func (e *end) facts(t *model.Teardown) {
	add := func(name, value string) {
		if value != "" {
			e.Facts = append(e.Facts, field{name, safetext.Escape(value)})
		}
	}
	add("began by, ended by", t.Initiator.String()+", "+t.Terminator.String())
	add("confidence", strings.TrimSuffix(t.Confidence.String()+": "+t.ConfidenceReason, ": "))
	add("rule", t.Rule)
	var states []string
	for _, s := range t.TCP.Path.States() {
		states = append(states, s.String())
	}
	add("states", strings.Join(states, " → "))
	add("reset's reason", t.TCP.RST.Reason)
	add("error", t.TCP.Error)
	add("bytes when it ended", byteWords(&t.TCP.Bytes))
	if n := t.TCP.Retransmits.Or(0); n > 0 {
		add("retransmitted", fmt.Sprintf("%d segments", n))
	}
	if d, known := t.TCP.SRTT.Get(); known {
		add("round trip", human.Duration(d))
	}
	add("linger", lingerWords(t))
	c := &t.Closer
	if c.Call != model.CallUnknown {
		who := ""
		if c.PID != 0 || c.Name != "" {
			name, number := human.ProcessParts(c.Name, c.PID)
			who = " of " + name + number
		}
		add("closed by", c.Call.String()+who+signal(c.Signal))
	}
	add("program", t.Process.Executable.Path)
	add("command", t.Process.CommandLine)
	add("user", t.Process.User.Name)
	add("owner known by", t.Process.Source.String())
	add("container", strings.TrimSpace(t.Container.Runtime+" "+t.Container.ID))
	add("pod", strings.Trim(t.K8s.Namespace.Name+"/"+t.K8s.Pod.Name, "/"))
	add("unit", t.Systemd.Unit)
	add("service", t.Process.Service)
	add("record", t.ID)
}

func signal(n int) string {
	if n == 0 {
		return ""
	}
	return fmt.Sprintf(" by signal %d (%s)", n, model.SignalName(n))
}

func byteWords(b *model.Bytes) string {
	var parts []string
	for _, part := range []struct {
		o    model.Opt[uint64]
		name string
	}{{b.Sent, "acknowledged"}, {b.Received, "received"}, {b.Unsent, "not sent"}, {b.Unacked, "not acknowledged"}, {b.Unread, "not read"}} {
		if n, known := part.o.Get(); known {
			parts = append(parts, human.Count(n)+" "+part.name)
		}
	}
	return strings.Join(parts, ", ")
}

func lingerWords(t *model.Teardown) string {
	words := human.Linger(&t.Linger)
	if t.Linger.On.Is(true) && t.LingerOutcome != model.LingerUnknown {
		words += ": " + t.LingerOutcome.String()
	}
	return words
}

func keys(m map[string]uint64) iter.Seq[string] { return maps.Keys(m) }
