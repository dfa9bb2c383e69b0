package model

import (
	"go/ast"
	"go/parser"
	"go/token"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"
)

// TestRulesReadObservationsOnly: a rule is data, and what judges by it reads of the
// evidence only whether events were lost.
func TestRulesReadObservationsOnly(t *testing.T) {
	for _, field := range reflect.VisibleFields(reflect.TypeFor[Rule]()) {
		if kind := field.Type.Kind(); kind == reflect.Func || kind == reflect.Interface {
			t.Errorf("Rule.%s is code: it could read anything", field.Name)
		}
	}
	for _, file := range []string{"rules.go", "classify.go"} {
		tree, err := parser.ParseFile(token.NewFileSet(), file, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		whole := map[ast.Node]bool{}
		ast.Inspect(tree, func(n ast.Node) bool {
			s, ok := n.(*ast.SelectorExpr)
			if !ok {
				return true
			}
			if inner, ok := s.X.(*ast.SelectorExpr); ok && inner.Sel.Name == "Evidence" {
				whole[inner] = true
				if s.Sel.Name != "Gap" && s.Sel.Name != "Uncounted" {
					t.Errorf("%s reads Evidence.%s, a fact of one platform", file, s.Sel.Name)
				}
			} else if s.Sel.Name == "Evidence" && !whole[s] {
				t.Errorf("%s passes on the whole Evidence", file)
			}
			return true
		})
	}
}

func TestObservationsHaveNamesAndWords(t *testing.T) {
	if NumObservations > 64 {
		t.Errorf("%d observations do not fit into a set", NumObservations)
	}
	seen := map[string]bool{}
	for o := range Observation(NumObservations) {
		if o.String() == "" || o.Words() == "" || seen[o.String()] || seen[o.Words()] {
			t.Errorf("observation %d: name %q and words %q: want both, once", o, o, o.Words())
		}
		seen[o.String()], seen[o.Words()] = true, true
	}
	if o := Observation(NumObservations); !strings.HasPrefix(o.String(), "4") || o.Words() != o.String() {
		t.Errorf("beyond the table: %q, %q, want a number", o, o.Words())
	}
}

// TestEveryRuleHoldsForWhatASourceHandsOver: another source needs no fact of Linux or
// Windows, whatever the end. Its verdict is certain if it saw all, and inferred if it
// concluded something.
func TestEveryRuleHoldsForWhatASourceHandsOver(t *testing.T) {
	for _, r := range Rules() {
		var all Observations
		for _, o := range r.Needs {
			all.Add(o)
		}
		for how, f := range map[Provenance]*Facts{
			Seen: {Evidence: Evidence{Seen: all}}, Announced: {Evidence: Evidence{Announced: all}},
			Concluded: {Evidence: Evidence{Inferred: all}},
		} {
			j, o := Classify(f), Observe(f)
			if j.Rule != r.Name {
				t.Errorf("%s, %v: decided by %s", r.Name, how, j.Rule)
			}
			if how == Seen && j.Confidence != Certain || how == Concluded && j.Confidence != Inferred {
				t.Errorf("%s, %v: %v: %s", r.Name, how, j.Confidence, j.ConfidenceReason)
			}
			for _, n := range r.Needs {
				if got := o.How(n); got != how && (how != Announced || got != Concluded) {
					t.Errorf("%s: %v is known as %v, want %v", r.Name, n, got, how)
				}
			}
		}
	}
	if none := Observe(&Facts{}); none.How(ObservedAbort) != NotObserved {
		t.Error("an abort was observed in nothing")
	}
}

// TestObserveLeavesNothingOut: what is not looked for without trouble is not shown then;
// of the troubles each alone is enough.
func TestObserveLeavesNothingOut(t *testing.T) {
	r := rand.New(rand.NewPCG(31, 32))
	calm := 0
	for range 100_000 {
		f := randomFacts(r)
		e := &f.Evidence
		if r.IntN(2) == 0 {
			f.TCP.Error, e.SoftError, e.Announced, e.NoPort, e.MPTCP = "", "", 0, false, false
			for _, reset := range []*bool{&e.RSTReceivedBefore, &e.RSTSentBefore, &e.RSTSentAfter, &e.RSTReplyAfter, &e.RSTReplyTimeWait} {
				*reset = *reset && r.IntN(6) == 0
			}
			e.Repair = e.Repair && r.IntN(6) == 0
			for _, plain := range []func(){
				func() { e.Dead = Some(true) }, func() { e.AbortReason = AbortUnknown }, func() { e.Linger2 = Opt[int32]{} },
				func() { f.Linger.On = Some(false) }, func() { f.TCP.Bytes.Unread = Some[uint64](0) },
			} {
				if r.IntN(6) != 0 {
					plain()
				}
			}
		}
		all := raw{&f, f.TCP.Path.Last()}
		if !inTrouble(all) {
			calm++
		}
		var want Observations
		for o := range observationTable {
			if shown := observationTable[o].shown; shown != nil && shown(all) {
				want.Add(Observation(o))
			}
		}
		if got := Observe(&f); got.shown != want {
			t.Fatalf("got %b, want %b, of %+v", got.shown, want, f)
		}
	}
	if calm < 1000 {
		t.Errorf("%d ends had no trouble, want more", calm)
	}
}

// TestRulesWithoutTrouble: the rules that are tried for an end without trouble decide as
// all do.
func TestRulesWithoutTrouble(t *testing.T) {
	r := rand.New(rand.NewPCG(33, 34))
	for range 100_000 {
		o := Observed{all: Observations(r.Uint64() & r.Uint64() & r.Uint64())}
		if r.IntN(2) == 0 {
			o.all &^= needTrouble
		}
		var want *Rule
		for i := range rules {
			if !slices.ContainsFunc(rules[i].Needs, func(n Observation) bool { return !o.Has(n) }) {
				want = &rules[i]
				break
			}
		}
		if got := firstRule(&o); got != want {
			t.Fatalf("of %b: got %v, want %v", o.all, got, want)
		}
	}
}
