package model

import (
	"encoding/json"
	"math/rand/v2"
	"net/netip"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestRulesAreNamed(t *testing.T) {
	names := map[string]bool{"no-rule-holds": true}
	for _, r := range Rules() {
		if names[r.Name] {
			t.Errorf("second rule named %q", r.Name)
		}
		names[r.Name] = true
		if r.Name == "" || r.When() == "" || len(r.Needs) == 0 {
			t.Errorf("rule %q: no name, condition in words or condition", r.Name)
		}
	}
}

func TestRulesAreACopy(t *testing.T) {
	Rules()[0].Name = "changed"
	if got := Rules()[0].Name; got == "changed" {
		t.Error("a caller can change the table")
	}
}

func TestClassifyPropertiesOnRandomFacts(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	seen := map[string]bool{}
	for range 200_000 {
		f := randomFacts(random)
		requireProperties(t, &f)
		seen[Classify(&f).Rule] = true
		if t.Failed() {
			t.Fatalf("facts: %+v", f)
		}
	}
	for _, r := range Rules() {
		if !seen[r.Name] {
			t.Errorf("random facts never reach rule %q: the generator is too narrow", r.Name)
		}
	}
}

// requireProperties checks what holds for every judgement, whatever the facts.
func requireProperties(t *testing.T, f *Facts) {
	t.Helper()
	before := *f
	before.Evidence.Events = slices.Clone(f.Evidence.Events)
	j := Classify(f)
	if !reflect.DeepEqual(*f, before) {
		t.Error("Classify changed its facts")
	}
	if cause := causeOf(f); cause != j.Cause {
		t.Errorf("causeOf = %v, Classify has %v", cause, j.Cause)
	}
	if again := Classify(f); again != j {
		t.Errorf("second call gave %+v, first %+v", again, j)
	}
	requireConsistent(t, f, j)
	requireBlind(t, f, j)

	lossy := *f
	lossy.Evidence.Gap = true
	l := Classify(&lossy)
	if l.Confidence != Inferred {
		t.Errorf("with a gap: got confidence %v, want inferred", l.Confidence)
	}
	if l.Verdict != j.Verdict || l.Cause != j.Cause || l.Rule != j.Rule {
		t.Errorf("a gap changed the verdict from %+v to %+v", j, l)
	}
}

func requireConsistent(t *testing.T, f *Facts, j Judgement) {
	t.Helper()
	var r Rule // all unknown if none holds
	for _, rule := range Rules() {
		if rule.Name == j.Rule {
			r = rule
		}
	}
	verdict, terminator := r.Verdict, r.Terminator
	if verdict == Abortive && j.Verdict == FailedOpen {
		verdict = FailedOpen
	}
	if terminator == TerminatorUnknown && verdict == Graceful {
		terminator = closedBy(j.Initiator)
	}
	if j.Verdict != verdict || j.Cause != r.Cause || j.Terminator != terminator {
		t.Errorf("rule %q gave %v, %v by %v; want %v, %v by %v",
			j.Rule, j.Verdict, j.Cause, j.Terminator, verdict, r.Cause, terminator)
	}
	if (j.Confidence == Certain) != (j.ConfidenceReason == "") || j.Confidence == ConfidenceUnknown {
		t.Errorf("confidence %v with reason %q", j.Confidence, j.ConfidenceReason)
	}
	if (j.Verdict == VerdictUnknown) != (j.Rule == "no-rule-holds") {
		t.Errorf("verdict %v with rule %q", j.Verdict, j.Rule)
	}
	if d, ok := j.CloseBlocked.Get(); ok && d < 0 && f.Evidence.Wait.Returned.Or(0) >= 0 && f.Evidence.Wait.Left.Or(0) >= 0 {
		t.Errorf("close() blocked for %v", d)
	}
}

// requireBlind checks that nothing outside of TCP, Linger and Evidence matters:
// a verdict may not depend on who the process is or on the clock.
func requireBlind(t *testing.T, f *Facts, j Judgement) {
	t.Helper()
	other := *f
	other.Time, other.StartTime, other.Duration, other.ID = 1, 2, Some(time.Second), "x"
	other.Network.Local = Endpoint{netip.MustParseAddr("192.0.2.1"), 443}
	other.Process = Process{PID: 1, Name: "\x1b[2J", Source: OwnerUse}
	other.Closer = Closer{PID: 1, Call: CallExit, Signal: 9}
	other.Container, other.K8s.Pod, other.Cgroup.Path = Container{ID: "c"}, Pod{UID: "u"}, "/x"
	other.TCP.Role, other.TCP.Loopback, other.TCP.Preexisting = Passive, true, true
	other.Evidence.Events = append(other.Evidence.Events, EventRef{ID: 1039})
	if got := Classify(&other); got != j {
		t.Errorf("process, network or time changed the judgement from %+v to %+v", j, got)
	}
}

// TestObservationsHaveNoOrder: a source may see the platform's announcements in any
// order (two providers, several CPUs), the verdict is the same.
func TestObservationsHaveNoOrder(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 4))
	for range 2_000 {
		f := randomFacts(random)
		var want Observations
		order := random.Perm(NumObservations)[:random.IntN(5)]
		for _, n := range order {
			want.Add(Observation(n))
		}
		f.Evidence.Announced = want
		j := Classify(&f)
		slices.Reverse(order)
		f.Evidence.Announced = 0
		for _, n := range order {
			f.Evidence.Announced.Add(Observation(n))
			f.Evidence.Announced.Add(Observation(n)) // seen twice
		}
		if got := Classify(&f); got != j {
			t.Fatalf("observations %v: got %+v, in reversed order %+v", order, j, got)
		}
	}
}

// TestSamplesOfALingerWaitHaveNoOrder: the wait is a set of samples. What is
// added later may make an outcome known, and the earliest decisive sample wins.
func TestSamplesOfALingerWaitHaveNoOrder(t *testing.T) {
	f := Facts{Linger: Linger{On: Some(true), Seconds: Some(3)}}
	add := []func(*LingerWait){
		func(w *LingerWait) { w.Began = true },
		func(w *LingerWait) { w.Orphaned = Some(400 * time.Millisecond) },
		func(w *LingerWait) { w.Left, w.LeftDead = Some(9*time.Second), true },
		func(w *LingerWait) { w.TimerExpired = true },
	}
	random := rand.New(rand.NewPCG(5, 6))
	for range 100 {
		f.Evidence.Wait = LingerWait{}
		for _, i := range random.Perm(len(add)) {
			add[i](&f.Evidence.Wait)
		}
		if got := Classify(&f).LingerOutcome; got != LingerInterrupted {
			t.Fatalf("got outcome %v, want interrupted: an orphan after 0.4 of 3 s", got)
		}
	}
}

func FuzzClassify(f *testing.F) {
	f.Add([]byte(`{"id":"a","network":{},"tcp":{"path":["ESTABLISHED","CLOSE"]},"facts":{"owned":true}}`))
	f.Add([]byte(`{"tcp":{"path":["FIN_WAIT1"]},"linger":{"on":true,"seconds":-1},"facts":{"linger_wait":{"began":true,"timer_expired":true}}}`))
	f.Add([]byte(`{"facts":{"notices":["abort","refused"],"events":[{"provider":"p","id":1039,"reason":2}]}}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		var facts Facts
		if json.Unmarshal(data, &facts) != nil {
			return
		}
		requireProperties(t, &facts)
		again, err := json.Marshal(facts)
		if err != nil {
			t.Fatalf("encode what was decoded: %v", err)
		}
		var back Facts
		if err := json.Unmarshal(again, &back); err != nil {
			t.Fatalf("decode what was encoded: %v\n%s", err, again)
		}
		if got, want := Classify(&back), Classify(&facts); got != want {
			t.Errorf("got %+v after a round trip through %s, want %+v", got, again, want)
		}
	})
}

// randomFacts picks each fact on its own: most combinations never happen, and
// none may harm. The choice is narrow enough to reach every rule.
func randomFacts(r *rand.Rand) Facts {
	var f Facts
	for range r.IntN(5) {
		f.TCP.Path.Append(State(r.IntN(len(stateNames) + 1)))
	}
	f.TCP.Error = strings.Fields("- - - ETIMEDOUT ECONNRESET ECONNABORTED EHOSTUNREACH EPIPE x")[r.IntN(9)]
	f.TCP.Error = strings.TrimPrefix(f.TCP.Error, "-")
	f.TCP.FIN = FIN{randomOpt(r, true, false), randomOpt(r, true, false)}
	f.TCP.RST = RST{Sent: randomOpt(r, true, false)}
	f.TCP.Bytes.Unread = randomOpt[uint64](r, 0, 1, 1<<63)
	f.Linger = Linger{On: randomOpt(r, true, false), Seconds: randomOpt(r, 0, 1, 3, -1, 1<<62)}
	f.Evidence = randomEvidence(r)
	return f
}

func randomEvidence(r *rand.Rand) Evidence {
	e := Evidence{
		Owned: randomOpt(r, true, false), Dead: randomOpt(r, true, false),
		Descriptor: Holder(r.IntN(len(holderNames) + 1)), Shutdown: randomOpt[uint8](r, 0, 2, 3, 255),
		FINAcked:          randomOpt(r, true, false),
		RSTReceivedBefore: r.IntN(4) == 0, RSTSentBefore: r.IntN(4) == 0, RSTSentAfter: r.IntN(4) == 0,
		RSTReplyAfter: r.IntN(4) == 0, RSTReplyTimeWait: r.IntN(20) == 0, RSTFlag: randomOpt(r, true, false),
		RSTHere:          r.IntN(4) == 0,
		PeerOpen:         r.IntN(8) == 0,
		NoPort:           r.IntN(16) == 0,
		TimerRetransmits: randomOpt[uint32](r, 0, 3), TimerProbes: randomOpt[uint32](r, 0, 3), WindowOpen: r.IntN(4) == 0,
		UserTimeout: randomOpt(r, 0, time.Second), Linger2: randomOpt[int32](r, 0, -1),
		Repair: r.IntN(8) == 0, MPTCP: r.IntN(8) == 0, Wait: randomWait(r),
		AbortReason: AbortReason(r.IntN(len(abortReasonNames))), AbortInClose: randomOpt(r, true, false),
		Gap: r.IntN(8) == 0, Later: r.IntN(4) == 0,
	}
	if r.IntN(3) == 0 {
		for range 1 + r.IntN(3) {
			e.Announced.Add(Observation(r.IntN(NumObservations)))
		}
	}
	return e
}

func randomWait(r *rand.Rand) LingerWait {
	at := func() Opt[time.Duration] {
		return randomOpt(r, 0, 400*time.Millisecond, 2985*time.Millisecond, 3*time.Second, 9*time.Second, -time.Second)
	}
	return LingerWait{
		Began: r.IntN(2) == 0, Exiting: r.IntN(8) == 0, Left: at(), LeftDead: r.IntN(2) == 0,
		LeftOwned: r.IntN(2) == 0, Waiting: at(), Orphaned: at(), Returned: at(), TimerExpired: r.IntN(4) == 0,
	}
}

func randomOpt[T comparable](r *rand.Rand, values ...T) Opt[T] {
	i := r.IntN(len(values) + 1)
	if i == len(values) {
		return Opt[T]{}
	}
	return Some(values[i])
}
