package findings

import (
	"net/netip"
	"testing"
	"time"

	"github.com/closetrace/closetrace/model"
)

// TestAmendEnd: an outcome brings its verdict and what it knows of bytes and resets; the rest
// stays.
func TestAmendEnd(t *testing.T) {
	before := end{id: "a", process: "nginx", pid: 7, sent: 10, unacked: 20, rstOut: true, rstKnown: true, cause: model.CauseFIN, verdict: model.Graceful, rule: "fin-active", time: 1}
	for name, c := range map[string]struct {
		outcome, want end
	}{
		"it knows nothing of bytes": {
			end{time: 5, cause: model.CausePeerReset, verdict: model.Abortive, rule: "peer-reset", inferred: true, sent: unknown, unacked: unknown, process: "other", pid: 9},
			end{id: "a", process: "nginx", pid: 7, sent: 10, unacked: 20, rstOut: true, rstKnown: true, cause: model.CausePeerReset, verdict: model.Abortive, rule: "peer-reset", time: 5, later: true, inferred: true},
		},
		"it knows all": {
			end{time: 5, sent: 0, unacked: 0},
			end{id: "a", process: "nginx", pid: 7, rstOut: true, rstKnown: true, time: 5, later: true},
		},
	} {
		got := before
		if got.amend(&c.outcome); got != c.want {
			t.Errorf("%s: got %+v, want %+v", name, got, c.want)
		}
	}
	nameless := end{inferred: true}
	nameless.amend(&end{process: "nginx", pid: 7, rstOut: true, rstKnown: true})
	if nameless.process != "nginx" || nameless.pid != 7 || !nameless.rstOut || !nameless.rstKnown || nameless.inferred {
		t.Errorf("got %+v, want the process and the reset of the outcome", nameless)
	}
}

// TestSides: the service is at the end that accepted; where nobody saw that, at the lower port.
func TestSides(t *testing.T) {
	for _, c := range []struct {
		role        model.Role
		local, peer uint16
		passive     bool
		port        uint16
	}{
		{model.Passive, 50000, 80, true, 50000},
		{model.Active, 80, 50000, false, 50000},
		{model.RoleUnknown, 80, 50000, true, 80},
		{model.RoleUnknown, 50000, 80, false, 80},
		{model.RoleUnknown, 80, 80, false, 80},
	} {
		a := netip.MustParseAddr("10.0.0.1")
		e := end{role: c.role, local: netip.AddrPortFrom(a, c.local), peer: netip.AddrPortFrom(a, c.peer)}
		if e.passive() != c.passive || e.port() != c.port {
			t.Errorf("%v, %d to %d: passive %v at %d, want %v at %d", c.role, c.local, c.peer, e.passive(), e.port(), c.passive, c.port)
		}
	}
}

func TestLastMessages(t *testing.T) {
	const at = model.Time(1e18)
	for _, c := range []struct {
		what string
		end  end
		want time.Duration
	}{
		{"nothing sent", end{lastReceived: at}, unknown},
		{"nothing received", end{lastSent: at}, unknown},
		{"an answer after a second", end{lastReceived: at, lastSent: at.Add(time.Second), busy: unknown}, time.Second},
		{"a request after a second", end{lastSent: at, lastReceived: at.Add(time.Second), busy: time.Second}, time.Second},
		{"it sent half of that time", end{lastReceived: at, lastSent: at.Add(time.Second), busy: time.Second / 2}, unknown},
		{"it sent for less", end{lastReceived: at, lastSent: at.Add(time.Second), busy: time.Second/2 - 1}, time.Second},
		{"at once", end{lastReceived: at, lastSent: at, busy: time.Second}, 0},
	} {
		if got := c.end.gap(); got != c.want {
			t.Errorf("%s: got %v, want %v", c.what, got, c.want)
		}
	}
	for _, c := range []struct {
		what string
		end  end
		want bool
	}{
		{"the peer spoke last", end{speaker: model.SidePeer, sent: 5}, true},
		{"this end spoke last", end{speaker: model.SideLocal, received: 5}, false},
		{"only the peer spoke", end{received: 5}, true},
		{"nobody spoke", end{}, false},
		{"nothing is known", end{received: unknown, sent: unknown, unacked: unknown}, false},
		{"both spoke", end{received: 5, sent: 5}, false},
		{"both, nothing was acknowledged", end{received: 5, unacked: 5}, false},
		{"both, at some time", end{received: 5, lastSent: at}, false},
	} {
		if got := c.end.unanswered(); got != c.want {
			t.Errorf("%s: unanswered is %v", c.what, got)
		}
	}
	for _, e := range []end{{}, {sent: 5}, {received: 5}, {sent: unknown, received: 5}} {
		if e.exchanged() {
			t.Errorf("%d sent, %d received: want that nothing was exchanged", e.sent, e.received)
		}
	}
}

// TestJoins has what may be two ends of one connection.
func TestJoins(t *testing.T) {
	const at = model.Time(1e18)
	one := end{id: "a", time: at, began: at.Add(-time.Minute), role: model.Active}
	for what, c := range map[string]struct {
		edit func(a, b *end)
		want bool
	}{
		"all fits":                       {func(*end, *end) {}, true},
		"the same end":                   {func(_, b *end) { b.id = "a" }, false},
		"one role":                       {func(_, b *end) { b.role = model.Active }, false},
		"no role is known":               {func(a, b *end) { a.role, b.role = model.RoleUnknown, model.RoleUnknown }, true},
		"ten minutes apart":              {func(_, b *end) { b.time, b.began = at.Add(joinable), at.Add(-time.Minute) }, true},
		"more than that":                 {func(_, b *end) { b.time, b.began = at.Add(joinable+1), at.Add(-time.Minute) }, false},
		"more than that, the other way":  {func(a, _ *end) { a.time = at.Add(joinable + 1) }, false},
		"one number":                     {func(a, b *end) { a.fingerprint, b.fingerprint = 7, 7 }, true},
		"two numbers":                    {func(a, b *end) { a.fingerprint, b.fingerprint = 7, 8 }, false},
		"a number that is not known":     {func(a, _ *end) { a.fingerprint = 7 }, true},
		"one begins when the other ends": {func(_, b *end) { b.began, b.time = at, at.Add(time.Second) }, true},
		"one begins later":               {func(_, b *end) { b.began, b.time = at+1, at.Add(time.Second) }, false},
		"the other begins later":         {func(_, b *end) { b.began, b.time = at.Add(-time.Hour), at.Add(-time.Minute)-1 }, false},
		"later, as far as is known":      {func(_, b *end) { b.began, b.time = 0, at.Add(-time.Minute)-1 }, true},
		"the other, as far as is known":  {func(a, b *end) { a.began, b.began, b.time = 0, at+1, at.Add(time.Second) }, true},
	} {
		a, b := one, one
		b.id, b.role = "b", model.Passive
		c.edit(&a, &b)
		if got := joins(&a, &b); got != c.want {
			t.Errorf("%s: got %v", what, got)
		}
		if got := joins(&b, &a); got != c.want {
			t.Errorf("%s, the other way round: got %v", what, got)
		}
	}
}

// TestBeyondHosts: loopback addresses are of one namespace, whatever the numbers say, and a
// missing name of the other end is no name.
func TestBeyondHosts(t *testing.T) {
	far := netip.MustParseAddrPort("10.0.0.1:80")
	for what, c := range map[string]struct {
		a, b end
		want bool
	}{
		"one namespace":            {end{netns: 1}, end{netns: 1}, true},
		"two":                      {end{netns: 1, local: far}, end{netns: 2, local: far}, false},
		"the source names a":       {end{netns: 1, id: "a"}, end{netns: 2, id: "b", mate: "a"}, true},
		"the source names b":       {end{netns: 1, id: "a", mate: "b"}, end{netns: 2, id: "b"}, true},
		"the source names another": {end{netns: 1, id: "a", mate: "c"}, end{netns: 2, id: "b", mate: "d"}, false},
		"names that are missing":   {end{netns: 1}, end{netns: 2}, false},
		"both numbers":             {end{netns: 1, local: far, fingerprint: 7}, end{netns: 2, local: far, fingerprint: 7}, true},
		"one number":               {end{netns: 1, local: far, fingerprint: 7}, end{netns: 2, local: far}, false},
		"the other number":         {end{netns: 1, local: far}, end{netns: 2, local: far, fingerprint: 7}, false},
		"loopback": {
			end{netns: 1, local: netip.MustParseAddrPort("127.0.0.1:80"), fingerprint: 7}, end{netns: 2, local: netip.MustParseAddrPort("127.0.0.1:50000"), fingerprint: 7}, false,
		},
	} {
		if got := sameHost(&c.a, &c.b); got != c.want {
			t.Errorf("%s: got %v", what, got)
		}
	}
}
