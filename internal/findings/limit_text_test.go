package findings_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/closetrace/closetrace/model"
)

// reset is a connection of a client whose server elsewhere closed it at some time after a silence, and
// reset its next request.
func (s *stream) reset(at, quiet, late time.Duration, client string) {
	s.end(at+late, "app", model.Active, client, "10.9.0.2:11211", model.CausePeerReset, bytes(1578, 1593), unacked(518), idle(quiet), spoke(late, late+quiet), by(model.InitiatorPeer), gotFIN, lasted(8*sec),
		func(t *model.Teardown) { t.Evidence.FirstFIN = begin.Add(at) })
}

// TestRaceAdvice: what closes after different times may look at a timeout now and then.
func TestRaceAdvice(t *testing.T) {
	spread := func(process string, most time.Duration) func(*stream) {
		return func(s *stream) {
			for i := range 12 {
				s.closedAt(9*sec+time.Duration(i)*sec, 2*sec+(most-2*sec)/11*time.Duration(i), process, "10.6.0.2:11211", fmt.Sprintf("10.6.0.1:%d", 4000+i))
			}
		}
	}
	for name, c := range map[string]struct {
		tell     func(*stream)
		has, not string
	}{
		"memcached looks now and then":  {spread("memcached", 3950*ms), "probably a timeout of about 2s (-o idle_timeout)", "Raise that limit"},
		"memcached is full":             {spread("memcached", 9*sec), "runs short of connections (-c)", "now and then"},
		"an unknown server":             {spread("app", 3950*ms), "may be a timeout of about 2s at which app", "probably"},
		"nginx, whose timers are exact": {spread("nginx", 3950*ms), "it is not a plain timeout: nginx (port 11211) closes idle connections when it runs short", "now and then"},
		"a client's end alone": {func(s *stream) {
			for i := range 12 {
				s.reset(9*sec+time.Duration(i)*sec, 2100*ms+time.Duration(i)*160*ms, 700*ms, fmt.Sprintf("10.6.0.1:%d", 4000+i))
			}
		}, "may be a timeout of about 2.1s at which 10.9.0.2", "one moment"},
		"the server is stopped: of five it closed two had been idle": {func(s *stream) {
			for i, quiet := range []time.Duration{1152 * ms, 580 * ms, 172 * ms, 140 * ms, 36 * ms} {
				s.reset(9*sec, quiet, time.Duration(100+200*i)*ms, fmt.Sprintf("10.6.0.1:%d", 4000+i))
			}
		}, "All were closed at one moment, whatever their idleness", "is 10.9.0.2 short of connections?"},
		"two that it closed alone": {func(s *stream) {
			s.reset(9*sec, 1152*ms, 300*ms, "10.6.0.1:4000")
			s.reset(9*sec, 580*ms, 300*ms, "10.6.0.1:4001")
		}, "is 10.9.0.2 short of connections?", "at one moment"},
	} {
		var s stream
		c.tell(&s)
		r := found(t, s.records)
		if len(r.Findings) == 0 || r.Findings[0].ID != "keepalive-race" {
			t.Errorf("%s: got %q", name, ids(r))
		} else if text := r.Findings[0].Advice; !strings.Contains(text, c.has) || strings.Contains(text, c.not) {
			t.Errorf("%s: %q has not %q, or has %q", name, text, c.has, c.not)
		}
	}
}

// TestOverflowNamesItsNamespace: a queue that no connection tells of may be of another container.
func TestOverflowNamesItsNamespace(t *testing.T) {
	for _, c := range []struct {
		netns []uint32
		want  string
	}{
		{[]uint32{0}, "117 overflows counted."},
		{[]uint32{77, 77}, "234 overflows counted in network namespace 77."},
		{[]uint32{77, 78}, "234 overflows counted in several network namespaces."},
	} {
		var s stream
		for _, netns := range c.netns {
			s.records = append(s.records, model.Record{Kind: model.KindCounters, Counters: model.Counters{
				Time: begin.Add(sec), Counts: map[string]uint64{"TcpExtListenOverflows": 117}, Network: model.Network{NetNS: netns},
			}})
		}
		if r := found(t, s.records); len(r.Findings) != 1 || !strings.HasSuffix(r.Findings[0].Title, c.want) {
			t.Errorf("got %+v, want %q", r.Findings, c.want)
		}
	}
}

// TestOneRequestIsNoRestart: a moment of closings is one, high and certain, only if several requests met it.
func TestOneRequestIsNoRestart(t *testing.T) {
	for lost, want := range map[int]string{1: "medium", 3: "high"} {
		var s stream
		for i := range 4 {
			s.closedAt(9*sec, time.Duration(i+1)*sec, "app", "10.6.0.2:8000", fmt.Sprintf("10.6.0.1:%d", 4000+i))
			if i >= lost {
				s.records = s.records[:len(s.records)-1]
			}
		}
		r := found(t, s.records)
		if len(r.Findings) == 0 || r.Findings[0].ID != "process-restart" || r.Findings[0].Harm.String() != want {
			t.Errorf("%d lost: got %+v, want a %s one", lost, r.Findings, want)
		}
	}
}
