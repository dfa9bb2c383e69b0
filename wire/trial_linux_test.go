package wire_test

import (
	"cmp"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/closetrace/closetrace/model"
	"github.com/closetrace/closetrace/wire"
)

// trialConnections names how many connections TestTrial makes, if not 240.
const trialConnections = "CLOSETRACE_TRIAL"

// TestTrial makes connections of two hosts with a router between them that loses, delays,
// reorders and doubles segments, and captures them in four ways. What the
// captures say for certain must be what the system calls of that end returned.
func TestTrial(t *testing.T) {
	n := 240
	if text := os.Getenv(trialConnections); text != "" {
		n, _ = strconv.Atoi(text)
	}
	s := newTrial(t)
	captures := map[string]func() string{
		"client":       s.capture("client", "any", "tcp or icmp"),
		"server":       s.capture("server", "wire0", "tcp or icmp"),
		"without SYNs": s.capture("server", "wire0", "tcp[tcpflags] & tcp-syn == 0"),
		"router":       s.router.file,
	}
	truths := s.run(n)
	for name, done := range captures {
		t.Run(name, func(t *testing.T) { checkTrial(t, done(), truths) })
	}
}

// truth is what an end's system calls returned.
type truth struct {
	plan        plan
	local, peer netip.AddrPort
	began, over time.Time
	// err is what the last read or write returned: nil is the end of what the peer sent.
	err error
	// first: it closed or shut down before it had read the end of what the peer sent.
	first bool
	// reset: its own close was a RST.
	reset bool
}

// got is whether the end received a RST.
func (x *truth) got() bool { return isReset(x.err) }

func checkTrial(t *testing.T, path string, truths []truth) {
	t.Helper()
	records := read(t, path, wire.Options{})
	byEnd := map[[2]netip.AddrPort][]*truth{}
	for i := range truths {
		k := [2]netip.AddrPort{truths[i].local, truths[i].peer}
		byEnd[k] = append(byEnd[k], &truths[i])
	}
	for _, all := range byEnd {
		slices.SortFunc(all, func(a, b *truth) int { return a.began.Compare(b.began) })
	}
	counts, said := map[string]int{}, map[*truth]bool{}
	for i := range records {
		r := &records[i].Teardown
		at := r.Time
		if r.StartTime != 0 {
			at = r.StartTime
		}
		x := truthAt(byEnd[[2]netip.AddrPort{r.Network.Local.AddrPort(), r.Network.Peer.AddrPort()}], at.Go())
		if x == nil {
			counts["of no connection"]++
			continue
		}
		said[x] = true
		counts[r.Confidence.String()]++
		counts[fmt.Sprintf("%v %v (%v)", r.Verdict, r.Cause, r.Confidence)]++
		if wrong := x.contradicts(r); wrong != "" && r.Confidence == model.Certain {
			t.Errorf("%s %v of %v (%s) at %v, from %v to %v: certain and wrong: %s, %s by %s: %s", x.plan, records[i].Kind, x.local, r.ID, r.Time, x.began.UTC(), x.over.UTC(), r.Verdict, r.Cause, r.Terminator, wrong)
		} else if wrong != "" {
			counts["inferred and wrong"]++
		}
	}
	keys := make([]string, 0, len(counts))
	for k := range counts {
		keys = append(keys, k)
	}
	slices.SortFunc(keys, func(a, b string) int { return cmp.Compare(counts[b], counts[a]) })
	for i, k := range keys {
		keys[i] = fmt.Sprintf("%d %s", counts[k], k)
	}
	t.Logf("%d ends, %d of them told: %s", len(truths), len(said), strings.Join(keys, ", "))
	if least := len(truths) / 2; len(said) < least || counts["certain"] < len(truths)/6 {
		t.Errorf("%d of %d ends are told, %d for certain: the test shows little", len(said), len(truths), counts["certain"])
	}
}

// truthAt returns the last that had begun at a time.
func truthAt(all []*truth, at time.Time) (found *truth) {
	for _, x := range all {
		if !at.Before(x.began) {
			found = x
		}
	}
	return found
}

// contradicts says what is wrong in a judgement; "" if it may be true.
func (x *truth) contradicts(r *model.Teardown) string {
	const slack = time.Second
	switch {
	case isTimeout(x.err) && r.Time.Go().After(x.over.Add(-slack)):
		return "" // it no longer listened, and closed
	case r.Verdict == model.Graceful && (x.err != nil || x.reset):
		return fmt.Sprintf("the end's calls: %v, own reset %v", x.err, x.reset)
	case r.Verdict == model.Graceful && r.Initiator == model.InitiatorLocal && !x.first, r.Verdict == model.Graceful && r.Initiator == model.InitiatorPeer && x.first:
		return fmt.Sprintf("initiator %v, first %v", r.Initiator, x.first)
	case r.Cause == model.CausePeerReset && !x.got() && !x.reset:
		return fmt.Sprintf("the end's calls: %v", x.err)
	case r.Cause == model.CausePeerReset && x.reset && !x.got():
		return "this end had reset it"
	}
	return ""
}

// capture starts tcpdump in a namespace, and returns what ends it and names its file.
func (s *trial) capture(ns, device, filter string) func() string {
	s.t.Helper()
	path := filepath.Join(s.t.TempDir(), "trial.pcap")
	stop := s.tcpdump(ns, path, "-i", device, "-s", "128", filter)
	return func() string {
		stop()
		return path
	}
}
