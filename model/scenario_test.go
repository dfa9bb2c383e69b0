package model

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// scenario is one entry of testdata/scenarios; its README describes the form.
type scenario struct {
	name, source, like, reason string
	at                         string // file:line
	facts                      Facts
	want                       wanted
}

// wanted is what a scenario expects of the judgement, apart from the reason.
type wanted struct {
	Verdict    Verdict
	Cause      Cause
	Initiator  Initiator
	Terminator Terminator
	Confidence Confidence
	Rule       string
	Linger     LingerOutcome
	Blocked    Opt[time.Duration]
	Retracts   bool
}

func wantedOf(f *Facts) wanted {
	j := Classify(f)
	return wanted{
		j.Verdict, j.Cause, j.Initiator, j.Terminator, j.Confidence, j.Rule,
		j.LingerOutcome, j.CloseBlocked, Retracts(f, &j),
	}
}

func TestScenarios(t *testing.T) {
	for _, s := range scenarios(t) {
		t.Run(s.name, func(t *testing.T) {
			if got := wantedOf(&s.facts); got != s.want {
				t.Errorf("%s:\n got %+v\nwant %+v", s.at, got, s.want)
			}
			if got := Classify(&s.facts).ConfidenceReason; got != s.reason {
				t.Errorf("%s: got reason %q, want %q", s.at, got, s.reason)
			}
		})
	}
}

// TestScenariosReachEveryLine keeps the table and its tests together: a new
// rule needs a scenario, and one that fails the rule by a single fact.
func TestScenariosReachEveryLine(t *testing.T) {
	decided, missed := map[string]bool{}, map[string]bool{}
	causes, outcomes := map[Cause]bool{}, map[LingerOutcome]bool{}
	terminators, initiators := map[Terminator]bool{}, map[Initiator]bool{}
	all := scenarios(t)
	rule := map[string]string{}
	for _, s := range all {
		rule[s.name] = s.want.Rule
		decided[s.want.Rule] = true
		if s.like != "" && rule[s.like] != s.want.Rule {
			missed[rule[s.like]] = true
		}
		causes[s.want.Cause], outcomes[s.want.Linger] = true, true
		terminators[s.want.Terminator], initiators[s.want.Initiator] = true, true
	}
	for _, r := range Rules() {
		if !decided[r.Name] {
			t.Errorf("rule %q has no scenario", r.Name)
		}
		if !missed[r.Name] && !missedByName(all, r.Name) {
			t.Errorf("rule %q has no near miss", r.Name)
		}
	}
	requireAll(t, "cause", causes, len(causeNames))
	requireAll(t, "linger outcome", outcomes, len(lingerOutcomeNames))
	requireAll(t, "terminator", terminators, len(terminatorNames))
	requireAll(t, "initiator", initiators, len(initiatorNames))
}

// missedByName reports whether a scenario of rule was made from one of another
// rule: the near miss in the other direction.
func missedByName(all []scenario, rule string) bool {
	return slices.ContainsFunc(all, func(s scenario) bool {
		i := slices.IndexFunc(all, func(o scenario) bool { return o.name == s.like })
		return i >= 0 && s.want.Rule == rule && all[i].want.Rule != rule
	})
}

func requireAll[T interface {
	~uint8
	fmt.Stringer
}](t *testing.T, what string, seen map[T]bool, n int,
) {
	t.Helper()
	for v := range T(n) {
		if !seen[v] {
			t.Errorf("%s %q (%d) is in no scenario", what, v, v)
		}
	}
}

// TestRecordedFactsJudgeEqually is what "replay --rejudge" rests on: the facts
// of a line give the verdict of the facts that were written.
func TestRecordedFactsJudgeEqually(t *testing.T) {
	for _, s := range scenarios(t) {
		data, err := json.Marshal(s.facts)
		if err != nil {
			t.Fatalf("%s: %v", s.at, err)
		}
		back := Facts{Time: s.facts.Time} // a line has it beside the facts
		if err := json.Unmarshal(data, &back); err != nil {
			t.Fatalf("%s: decode %s: %v", s.at, data, err)
		}
		if got := wantedOf(&back); got != s.want {
			t.Errorf("%s: after a round trip through\n%s\n got %+v\nwant %+v", s.at, data, got, s.want)
		}
	}
}

func scenarios(t *testing.T) []scenario {
	t.Helper()
	files, err := filepath.Glob("testdata/scenarios/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatalf("no scenarios: %v", err)
	}
	var all []scenario
	for _, file := range files {
		all = readScenarios(t, file, all)
	}
	return all
}

func readScenarios(t *testing.T, file string, all []scenario) []scenario {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(bytes.NewReader(data))
	for n := 1; lines.Scan(); n++ {
		key, value, _ := strings.Cut(lines.Text(), " ")
		at := fmt.Sprintf("%s:%d", filepath.Base(file), n)
		if key == "==" {
			if slices.ContainsFunc(all, func(s scenario) bool { return s.name == value }) {
				t.Fatalf("%s: second scenario %q", at, value)
			}
			all = append(all, scenario{name: value, at: at})
			continue
		}
		if key == "" {
			continue
		}
		if len(all) == 0 {
			t.Fatalf("%s: before the first scenario", at)
		}
		if err := all[len(all)-1].set(all, key, strings.TrimSpace(value)); err != nil {
			t.Fatalf("%s: %v", at, err)
		}
	}
	return all
}

// set applies one line; JSON is merged over what "like" gave.
func (s *scenario) set(all []scenario, key, value string) error {
	switch key {
	case "source":
		s.source = value
	case "like":
		i := slices.IndexFunc(all[:len(all)-1], func(o scenario) bool { return o.name == value })
		if i < 0 {
			return fmt.Errorf("no earlier scenario %q", value)
		}
		s.like, s.facts = value, all[i].facts
	case "time":
		return s.facts.Time.UnmarshalText([]byte(value))
	case "path":
		s.facts.TCP.Path = Path{}
		if value == "none" {
			return nil
		}
		for _, name := range strings.Fields(value) {
			var state State
			if err := state.UnmarshalText([]byte(name)); err != nil {
				return err
			}
			s.facts.TCP.Path.Append(state)
		}
	case "tcp":
		return merge(value, &s.facts.TCP)
	case "linger":
		return merge(value, &s.facts.Linger)
	case "facts":
		return merge(value, &s.facts.Evidence)
	case "want":
		return s.want.parse(value)
	case "reason":
		s.reason = value
	default:
		return fmt.Errorf("unknown line %q", key)
	}
	return nil
}

// merge is strict: a misspelt fact must not pass as an absent one.
func merge(text string, into any) error {
	d := json.NewDecoder(strings.NewReader(text))
	d.DisallowUnknownFields()
	return d.Decode(into)
}

func (w *wanted) parse(value string) error {
	fields := strings.Fields(value)
	if len(fields) < 6 {
		return fmt.Errorf("want: %d words, at least 6 needed", len(fields))
	}
	for i, into := range []interface{ UnmarshalText([]byte) error }{
		&w.Verdict, &w.Cause, &w.Initiator, &w.Terminator, &w.Confidence,
	} {
		if err := into.UnmarshalText([]byte(fields[i])); err != nil {
			return err
		}
	}
	w.Rule = fields[5]
	for _, field := range fields[6:] {
		key, v, _ := strings.Cut(field, "=")
		switch key {
		case "linger":
			if err := w.Linger.UnmarshalText([]byte(v)); err != nil {
				return err
			}
		case "blocked":
			d, err := time.ParseDuration(v)
			if err != nil {
				return err
			}
			w.Blocked = Some(d)
		case "retracts":
			w.Retracts = true
		default:
			return fmt.Errorf("want: unknown word %q", field)
		}
	}
	return nil
}
