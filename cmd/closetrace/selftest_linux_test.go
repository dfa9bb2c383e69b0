package main

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/closetrace/closetrace/internal/lab"
)

// TestSelftest checks what doctor --selftest says against its own lines and its exit
// code: every scenario is counted, or there is a reason. TestLab, which knows hosts that
// hide events, shows that verdicts are right; certain ones must be right on such hosts
// too.
func TestSelftest(t *testing.T) {
	needCapabilities(t)
	closetrace := program(t)
	r := runProgram(t, exec.Command(closetrace, "doctor", "--selftest"))
	_, summary, _ := strings.Cut(r.out, ": ")
	var right, possible, ends int
	if _, err := fmt.Sscanf(summary, "%d of %d scenarios judged right, %d connection ends", &right, &possible, &ends); err != nil {
		t.Fatalf("%v in %q, %q", err, r.out, r.errors)
	}
	wrong, unplayed := map[string]bool{}, 0
	for line := range strings.Lines(r.out) {
		fields := strings.Fields(line)
		switch {
		case fields[0] == "WRONG":
			wrong[fields[1]] = true
			if strings.Contains(line, " for certain") {
				t.Error(line)
			}
		case strings.Contains(line, ": not possible here: "):
			unplayed++
		case strings.Contains(line, ": could not be played: "):
			t.Error(line)
		}
	}
	if len(wrong) > 0 {
		t.Logf("what it found wrong: %v", wrong)
	}
	if all := len(lab.Scenarios()); possible+unplayed != all || right+len(wrong) != possible || right < possible*9/10 || ends < 100 {
		t.Errorf("%d of %d right, %d not possible, want %d in all; %d ends\n%s", right, possible, unplayed, all, ends, r.out)
	}
	if (r.code == exitOK) != (len(wrong) == 0) {
		t.Errorf("exit code %d with %d scenarios wrong: %s", r.code, len(wrong), r.errors)
	}
	left, _ := filepath.Glob("/proc/[0-9]*/exe")
	for _, link := range left {
		if exe, err := os.Readlink(link); err == nil && exe == closetrace {
			t.Errorf("%s is left", filepath.Dir(link))
		}
	}
}

// TestSelftestOnce: a scenario that is right when played again is reported, and is not a
// failure; one that was not or could not be played again stays wrong.
func TestSelftestOnce(t *testing.T) {
	finding := lab.Finding{Scenario: "b", End: "a", Kind: lab.Missing}
	for _, test := range []struct {
		name  string
		again played
		line  string
		code  int
	}{
		{"right", played{results: []lab.Result{{Name: "b"}}}, "ONCE   b a: missing\n", exitOK},
		{
			"wrong again",
			played{results: []lab.Result{{Name: "b"}}, findings: []lab.Finding{finding}},
			"WRONG  b a: missing\n", exitMismatch,
		},
		{"not played", played{}, "WRONG  b a: missing\n", exitMismatch},
		{"not possible", played{results: []lab.Result{{Name: "b", Error: "late"}}}, "WRONG  b a: missing\n", exitMismatch},
	} {
		t.Run(test.name, func(t *testing.T) {
			var out bytes.Buffer
			a := &app{stdout: &out}
			first := played{results: []lab.Result{{Name: "a"}, {Name: "b"}}, findings: []lab.Finding{finding}}
			earlier := wrongOnes(first.findings)
			err := a.printSelftest(first.with(test.again), earlier)
			if code := exitCode(err); code != test.code || !strings.HasSuffix(out.String(), test.line) {
				t.Errorf("exit code %d with %q, want %d and %q", code, out.String(), test.code, test.line)
			}
		})
	}
}

// TestSelftestExcusesNothingCertain: a verdict that was certain and wrong is not
// played again, whatever else was wrong with its scenario.
func TestSelftestExcusesNothingCertain(t *testing.T) {
	s := lab.Scenarios()
	inferred := lab.Finding{Kind: lab.Wrong, Field: "verdict"}
	certain := lab.Finding{Kind: lab.Wrong, Field: "verdict", Certain: true}
	again := excusable(map[string][]lab.Finding{
		s[1].Name: {inferred, certain}, s[2].Name: {inferred}, s[3].Name: {certain}, s[4].Name: {{Kind: lab.Missing}},
	})
	if len(again) != 2 || again[0].Name != s[2].Name || again[1].Name != s[4].Name {
		t.Errorf("got %v, want %s and %s", again, s[2].Name, s[4].Name)
	}
}
