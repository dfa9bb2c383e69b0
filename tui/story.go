package tui

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/charmbracelet/x/ansi"

	"github.com/closetrace/closetrace/internal/safetext"
	"github.com/closetrace/closetrace/model"

	"github.com/closetrace/closetrace/internal/human"
)

// story describes everything that is known about one end. Its parts write lines.
type story struct {
	rec     *model.Record
	related related
	explain model.Explanation // what the cause means and what to check next
	pal     *palette
	g       *glyphs
	zone    *time.Location
	width   int
	lines   []string
}

// tell returns the story in lines of at most width columns.
func (s *story) tell() []string {
	t := &s.rec.Teardown
	s.headline()
	if s.rec.Kind == model.KindStray {
		s.stray()
		s.heading("WHO")
		s.who(&t.Facts)
		return s.cut()
	}
	s.timeline()
	s.heading("WHO")
	s.who(&t.Facts)
	s.heading("DATA")
	s.data(t)
	s.heading("TCP")
	s.tcp(&t.TCP)
	s.otherEnd()
	s.later()
	s.heading("WHAT IT MEANS")
	s.explained()
	s.heading("EVIDENCE")
	s.evidence(t)
	return s.cut()
}

// cut returns the lines, none of them wider than there is room.
func (s *story) cut() []string {
	for i := range s.lines {
		s.lines[i] = ansi.Truncate(s.lines[i], s.width, s.g.dots)
	}
	return s.lines
}

func (s *story) line(text string) { s.lines = append(s.lines, text) }

func (s *story) heading(title string) {
	s.line("")
	s.line(s.pal.strong.Styled(title))
}

// field writes a name and a value, unless there is none.
func (s *story) field(name, value string) {
	if value == "" {
		return
	}
	indent := 2 + fieldWidth
	for i, part := range strings.Split(ansi.Wrap(value, max(s.width-indent, 8), ""), "\n") {
		if i > 0 {
			name = ""
		}
		s.line("  " + s.pal.faint.Styled(left(name, fieldWidth-1, s.g.dots)) + " " + part)
	}
}

// fieldWidth is the width of the names of fields.
const fieldWidth = 19

func (s *story) headline() {
	t := &s.rec.Teardown
	style := s.pal.of(t.Verdict)
	switch s.rec.Kind {
	case model.KindCloseFailed:
		s.line(s.pal.strong.Styled(s.g.warning+" close failed: "+safetext.Escape(s.rec.Error)) + "  the socket is still open")
	case model.KindStray:
		s.line(s.pal.strong.Styled(s.g.warning + " stray reset: " + strayReason(s.rec)))
	default:
		s.line(style.Styled(s.g.of(t.Verdict)+" "+t.Verdict.String()+": "+t.Cause.String()) + "  " + confidenceWord(&t.Judgement))
	}
	s.line(processWord(&t.Facts, s.width, s.g) + "  " + endpointWord(t.Network.Local, 0, s.g) + " " + s.g.arrow + " " +
		endpointWord(t.Network.Peer, 0, s.g))
}

func confidenceWord(j *model.Judgement) string {
	if j.Confidence == model.Inferred {
		return "inferred (~): " + safetext.Escape(j.ConfidenceReason)
	}
	return j.Confidence.String()
}

func (s *story) who(f *model.Facts) {
	p, c := &f.Process, &f.Closer
	owner := ""
	if p.PID != 0 || p.Name != "" {
		owner = processWord(f, 1<<10, s.g)
		if p.Source != model.OwnerUnknown {
			owner += ", known from " + p.Source.String()
		}
	}
	s.field("owner", owner)
	s.field("program", safetext.Escape(p.Executable.Path))
	s.field("command", safetext.Escape(p.CommandLine))
	if id, known := p.User.ID.Get(); known {
		s.field("user", strings.TrimSpace(safetext.Escape(p.User.Name)+" "+strconv.FormatUint(uint64(id), 10)))
	}
	if f.Acceptor.PID != 0 {
		s.field("accepted by", human.Process(f.Acceptor.Name, f.Acceptor.PID))
	}
	closer := ""
	if c.PID != 0 || c.Name != "" {
		closer = fmt.Sprintf("%s[%d/%d]", safetext.Escape(c.Name), c.PID, c.TID)
	}
	if call := c.Call.String(); call != "" {
		closer = strings.TrimSpace(closer + " by " + call)
	}
	if c.Signal != 0 {
		closer += fmt.Sprintf(", killed by signal %d (%s)", c.Signal, model.SignalName(c.Signal))
	}
	if c.OOM.Is(true) {
		closer += ", by the OOM killer"
	}
	s.field("closer", closer)
	if told := f.Signalled; told.Number != 0 {
		s.field("told to end", fmt.Sprintf("%s from %s", model.SignalName(told.Number), safetext.Escape(told.Sender())))
	}
	s.field("container", claimed(f, safetext.Escape(strings.TrimSpace(f.Container.Name+" "+f.Container.ID+" "+f.Container.Runtime))))
	s.field("pod", safetext.Escape(strings.Trim(f.K8s.Namespace.Name+"/"+f.K8s.Pod.Name+" "+f.K8s.Pod.UID, "/ ")))
	s.field("unit", safetext.Escape(f.Systemd.Unit))
	s.field("service", safetext.Escape(f.Process.Service))
	s.field("cgroup", safetext.Escape(f.Cgroup.Path))
}

func (s *story) data(t *model.Teardown) {
	b := &t.TCP.Bytes
	s.field("sent", knownSize(b.Sent)+suffix(b.Sent, " acknowledged by the peer"))
	s.field("received", knownSize(b.Received))
	s.field("unacked", knownSize(b.Unacked)+suffix(b.Unacked, s.unackedWord(t)))
	s.field("unsent", knownSize(b.Unsent)+suffix(b.Unsent, s.unsentWord(t)))
	s.field("unread", knownSize(b.Unread)+suffix(b.Unread, " received and never read"))
	linger := human.Linger(&t.Linger)
	if outcome := t.LingerOutcome; t.Linger.On.Is(true) && outcome != model.LingerUnknown {
		linger += ", outcome: " + outcome.String()
	}
	s.field("SO_LINGER", linger)
	s.field("close blocked", human.Known(t.CloseBlocked, human.Duration))
}

// unackedWord says what is known of bytes that were not acknowledged. Whether they were
// lost is not known: the peer may have read them, and only its acknowledgement be
// missing.
func (s *story) unackedWord(t *model.Teardown) string {
	if o := s.related.outcome; o != nil {
		if left, known := o.Teardown.TCP.Bytes.Unacked.Get(); known && left == 0 {
			return " not acknowledged then; all of it was later"
		} else if known {
			return " not acknowledged then, and " + human.Bytes(left) + " never"
		}
	}
	if t.Verdict == model.LingerTimeout {
		return " not acknowledged when close() stopped waiting; the kernel goes on sending"
	}
	if o := s.related.otherEnd; o != nil && s.otherEndGot(&o.Teardown, t) {
		return " never acknowledged; the other end had received all that left"
	}
	return " never acknowledged: the peer may not have it"
}

// otherEndGot reports whether the other end's own count says that all that left arrived.
func (s *story) otherEndGot(other, t *model.Teardown) bool {
	got, known := other.TCP.Bytes.Received.Get()
	sent, sentKnown := t.TCP.Bytes.Sent.Get()
	unsent, unsentKnown := t.TCP.Bytes.Unsent.Get()
	return known && sentKnown && unsentKnown && got >= sent+t.TCP.Bytes.Unacked.Or(0)-unsent
}

func (s *story) unsentWord(t *model.Teardown) string {
	if s.related.outcome != nil || t.Verdict == model.LingerTimeout {
		return " of it had not left then"
	}
	return " of it never left"
}

func knownSize(n model.Opt[uint64]) string {
	v, known := n.Get()
	switch {
	case !known:
		return ""
	case v < 1000:
		return human.Bytes(v)
	default:
		return human.Count(v) + " B (" + human.Bytes(v) + ")"
	}
}

func suffix(n model.Opt[uint64], text string) string {
	if n.Or(0) == 0 {
		return ""
	}
	return text
}

func (s *story) tcp(t *model.TCP) {
	if t.Role != model.RoleUnknown {
		s.field("role", t.Role.String())
	}
	var states []string
	for _, state := range t.Path.States() {
		states = append(states, state.String())
	}
	s.field("states", strings.Join(states, " "+s.g.arrow+" "))
	s.field("FIN", sides(t.FIN.Sent, t.FIN.Received))
	reset := sides(t.RST.Sent, t.RST.Received)
	if t.RST.Reason != "" {
		reset = strings.TrimSpace(reset + " reason " + safetext.Escape(t.RST.Reason))
	}
	s.field("RST", reset)
	s.field("socket error", safetext.Escape(t.Error))
	if n, known := t.Retransmits.Get(); known {
		s.field("retransmits", strconv.FormatUint(uint64(n), 10))
	}
	s.field("round trip", human.Known(t.SRTT, human.Duration))
	if wait, known := t.TimeWait.Get(); known {
		s.field("TIME_WAIT", map[bool]string{true: "yes", false: "no"}[wait])
	}
	for _, member := range unsaid(*t) {
		s.field(member[0], member[1])
	}
}

// sides says in which directions something was seen.
func sides(sent, received model.Opt[bool]) string {
	var parts []string
	for _, side := range []struct {
		known model.Opt[bool]
		name  string
	}{{sent, "sent"}, {received, "received"}} {
		if v, known := side.known.Get(); known && v {
			parts = append(parts, side.name)
		} else if known {
			parts = append(parts, "not "+side.name)
		}
	}
	return strings.Join(parts, ", ")
}

func (s *story) otherEnd() {
	o, f := s.related.otherEnd, &s.rec.Teardown.Facts
	if o == nil && f.PeerEnd == "" {
		return
	}
	s.heading("THE OTHER END IS ON THIS HOST")
	if o == nil { // it is no longer kept, or was filtered out
		s.field("cause", s.rec.Teardown.PeerCause.String())
		s.field("process", human.Process(f.PeerProcess.Name, f.PeerProcess.PID))
		s.field("in", safetext.Escape(model.PlaceName(&f.PeerProcess.K8s, &f.PeerProcess.Container)))
		s.field("id", safetext.Escape(f.PeerEnd))
		return
	}
	t := &o.Teardown
	s.field("ended", clockWord(t.Time, s.zone, 6))
	s.field("verdict", s.pal.of(t.Verdict).Styled(verdictWord(&t.Judgement, s.g)+": "+t.Cause.String()))
	s.field("by", byWord(&t.Judgement))
	s.field("process", processWord(&t.Facts, 1<<10, s.g))
	s.field("losses", lossesWord(t))
}

func (s *story) later() {
	o := s.related.outcome
	if o == nil {
		return
	}
	s.heading("LATER")
	t := &o.Teardown
	what := "how it ended after close() gave up"
	if o.Retracts {
		what = "the verdict above is taken back"
	}
	s.field(clockWord(t.Time, s.zone, 3), what)
	s.field("verdict", s.pal.of(t.Verdict).Styled(verdictWord(&t.Judgement, s.g)+": "+t.Cause.String()))
	s.field("why", safetext.Escape(t.ConfidenceReason))
	s.field("losses", lossesWord(t))
}

func (s *story) evidence(t *model.Teardown) {
	if s.rec.Kind != model.KindCloseFailed {
		s.field("rule", safetext.Escape(t.Rule))
		for _, r := range model.Rules() {
			if r.Name == t.Rule {
				s.field("which holds if", r.When())
			}
		}
		s.field("confidence", confidenceWord(&t.Judgement))
		s.field("began/ended by", byWord(&t.Judgement))
	}
	for _, fact := range factsOf(&t.Evidence) {
		s.field(fact[0], fact[1])
	}
	if n := t.Network.NetNS; n != 0 {
		s.field("net namespace", strconv.FormatUint(uint64(n), 10))
	}
	s.field("id", safetext.Escape(t.ID))
}
