//go:build linux

package tracer_test

import (
	"net/netip"
	"slices"
	"strings"

	"github.com/closetrace/closetrace/internal/lab"
	"github.com/closetrace/closetrace/model"
)

// counters are the kernel's counters of aborts.
var counters = []string{
	"TCPAbortOnClose", "TCPAbortOnData", "TCPAbortOnTimeout", "TCPAbortOnLinger", "TCPAbortOnMemory",
}

// checkWitnesses compares what is reported with the packet capture and the kernel's
// counters of each scenario's namespace. They are independent of the scripts' truths.
func checkWitnesses(run labRun) (found problems) {
	netns := map[uint32]*lab.Result{}
	for i := range run.results {
		if r := &run.results[i]; r.Error == "" && r.Skipped == "" {
			netns[r.NetNS] = r
		}
	}
	for _, p := range pair(run.results, run.records) {
		r := netns[p.teardown.Network.NetNS]
		if p.end.Translated {
			continue
		}
		for _, line := range againstPackets(p, r) {
			found.addf("%s: %s", p.name, line)
		}
	}
	checkFingerprints(run, netns, &found)
	told := map[*lab.Result]map[string]uint64{}
	for i := range run.records {
		r := netns[run.records[i].Teardown.Network.NetNS]
		if name := counterOf(&run.records[i]); name != "" && r != nil && happenedIn(&run.records[i], r) {
			if told[r] == nil {
				told[r] = map[string]uint64{}
			}
			told[r][name]++
		}
	}
	for _, name := range counters {
		counted := uint64(0)
		for _, r := range netns {
			counted += r.Counters[name]
			if told[r][name] != r.Counters[name] {
				found.addf("%s: %s: the kernel counted %d, the records make %d", r.Name, name, r.Counters[name], told[r][name])
			}
		}
		if counted == 0 && name != "TCPAbortOnMemory" { // its scenario changes the whole machine
			found.addf("%s: nothing was counted, the test shows nothing", name)
		}
	}
	return found
}

// checkFingerprints compares the fingerprints with the numbers of the captured SYNs, and
// those of both ends with each other.
func checkFingerprints(run labRun, netns map[uint32]*lab.Result, found *problems) {
	type side struct{ scenario, label string }
	told, compared := map[side]paired{}, 0
	for _, p := range pair(run.results, run.records) {
		r, print := netns[p.teardown.Network.NetNS], p.teardown.TCP.Fingerprint
		if r == nil || print == 0 {
			continue
		}
		out, in := numbers32(r, p.end.Local, p.end.Peer), numbers32(r, p.end.Peer, p.end.Local)
		matches := func(a uint32) bool {
			return slices.ContainsFunc(in, func(b uint32) bool { return print == model.NewFingerprint(a, b) })
		}
		if len(out) > 0 && len(in) > 0 && !slices.ContainsFunc(out, matches) {
			found.addf("%s: fingerprint %v; the SYNs have %x and %x", p.name, print, out, in)
		}
		told[side{r.Name, p.end.Label}] = p
	}
	for at, a := range told {
		b, both := told[side{at.scenario, "b"}]
		if at.label != "a" || !both || len(netns[a.teardown.Network.NetNS].Ends) != 2 {
			continue
		}
		compared++
		if a.teardown.TCP.Fingerprint != b.teardown.TCP.Fingerprint {
			found.addf("%s: fingerprint %v, and %v at the other end", a.name, a.teardown.TCP.Fingerprint, b.teardown.TCP.Fingerprint)
		}
	}
	if compared < 10 {
		found.addf("the fingerprints of %d connections were compared, the test shows nothing", compared)
	}
}

// numbers32 returns the sequence numbers of the SYNs from one address to another.
func numbers32(r *lab.Result, from, to netip.AddrPort) (all []uint32) {
	for _, p := range r.Packets {
		if p.SYN && p.From == from && p.To == to {
			all = append(all, p.Seq)
		}
	}
	return all
}

// happenedIn: the number of the namespace may have been another program's before, whose
// last records come while this run begins.
func happenedIn(record *model.Record, r *lab.Result) bool {
	return record.Time() >= model.TimeOf(r.Start)
}

// wire is what the capture says of one direction.
type wire struct{ fin, rst bool }

func direction(r *lab.Result, from, to netip.AddrPort) (w wire) {
	for _, p := range r.Packets {
		if p.From == from && p.To == to {
			w.fin, w.rst = w.fin || p.FIN, w.rst || p.RST
		}
	}
	return w
}

// againstPackets: a reported FIN or RST was on the wire, and a FIN on the wire is
// reported. Only the capture sees the RST of a host that no longer knows the connection,
// of TIME_WAIT, of a listener, and RSTs that were not accepted (RFC 5961): a RST on the
// wire proves nothing.
func againstPackets(p paired, r *lab.Result) (wrong []string) {
	told := p.teardown
	if p.outcome != nil && told.Verdict == model.LingerTimeout {
		told = *p.outcome // it covers the whole
	}
	out, in := direction(r, p.end.Local, p.end.Peer), direction(r, p.end.Peer, p.end.Local)
	claim := func(what string, told model.Opt[bool], seen bool) {
		if told.Is(true) && !seen {
			wrong = append(wrong, what+" is told and was not on the wire")
		}
	}
	claim("a sent FIN", told.TCP.FIN.Sent, out.fin)
	claim("a received FIN", told.TCP.FIN.Received, in.fin)
	claim("a sent RST", told.TCP.RST.Sent, out.rst)
	claim("a received RST", told.TCP.RST.Received, in.rst)
	if told.TCP.FIN.Sent.Is(false) && out.fin {
		wrong = append(wrong, "a FIN was sent on the wire and is not told")
	}
	if told.TCP.FIN.Received.Is(false) && in.fin && !p.end.Deaf && !isReset(told) {
		wrong = append(wrong, "a FIN was received on the wire and is not told")
	}
	return wrong
}

// isReset: what comes after a reset is not received.
func isReset(t model.Teardown) bool {
	return t.TCP.RST.Sent.Or(false) || t.TCP.RST.Received.Or(false) || strings.HasSuffix(t.Cause.String(), "timeout")
}

// counterOf returns the TcpExt counter that the kernel moves for such an end, or
// nothing; by the functions that count.
func counterOf(r *model.Record) string {
	if r.Kind != model.KindTeardown && r.Kind != model.KindOutcome {
		return ""
	}
	t := &r.Teardown
	lingerZero := t.Linger.On.Is(true) && t.Linger.Seconds.Is(0)
	switch t.Cause {
	case model.CauseUnreadData: // __tcp_close
		if !t.Evidence.MPTCP {
			return "TCPAbortOnClose"
		}
	case model.CauseLingerZero: // __tcp_close, whether a RST leaves or not
		return "TCPAbortOnData"
	case model.CauseConnectCancelled: // the same: SYN_SENT counts too
		if lingerZero && t.Closer.Call == model.CallClose {
			return "TCPAbortOnData"
		}
	case model.CauseDataAfterClose, model.CauseDataAfterShutdown: // tcp_rcv_state_process
		if !t.Evidence.RSTReplyTimeWait { // a minisock counts nothing
			return "TCPAbortOnData"
		}
	case model.CauseLinger2Timeout:
		if t.Evidence.RSTReplyAfter { // tcp_rcv_state_process
			return "TCPAbortOnData"
		}
		return "TCPAbortOnLinger" // __tcp_close
	case model.CauseRetransmitTimeout, model.CauseUserTimeout, model.CauseKeepaliveTimeout,
		model.CauseZeroWindowTimeout, model.CauseConnectTimeout: // tcp_write_err
		return "TCPAbortOnTimeout"
	case model.CauseOrphanOrMemoryLimit: // tcp_out_of_resources, tcp_check_oom
		return "TCPAbortOnMemory"
	default:
	}
	return ""
}
