package main

import (
	"strings"
	"testing"

	"github.com/closetrace/closetrace/internal/findings"
	"github.com/closetrace/closetrace/model"
)

// TestExplainPatterns: every pattern is explained under its name, also where several
// have one name, and where it is that of a cause, which comes first then.
func TestExplainPatterns(t *testing.T) {
	for _, p := range findings.Patterns() {
		var out, errs strings.Builder
		if code := run([]string{"explain", p.Name}, strings.NewReader(""), &out, &errs); code != 0 {
			t.Fatalf("explain %s: exit code %d: %s", p.Name, code, errs.String())
		}
		text := unspaced(out.String()) // lines are broken anywhere
		for _, want := range []string{p.Title + ". Harm: " + p.Harm.String(), p.When, p.Advice, p.Evidence, p.Confidence, p.Alike} {
			if !strings.Contains(text, unspaced(want)) {
				t.Errorf("explain %s lacks %q", p.Name, want)
			}
		}
		var c model.Cause
		if c.UnmarshalText([]byte(p.Name)) == nil && !strings.HasPrefix(text, unspaced(p.Name+": "+model.Explain(c).Title)) {
			t.Errorf("explain %s does not begin with the cause", p.Name)
		}
	}
}

func unspaced(text string) string { return strings.Join(strings.Fields(text), "") }
