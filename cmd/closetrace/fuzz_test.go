package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode"

	"github.com/spf13/pflag"
)

// FuzzSettings: whatever the agent's file has, it is refused in one harmless line and as a
// mistake of the user, or the settings are possible ones; the command line wins.
func FuzzSettings(f *testing.F) {
	for _, text := range []string{
		"max-series: 7\nall: true\n", "verdict: [abortive, failed-open]\nport: 443\n", "spool-size: 1k", "max-cpu: -1", "x: {}", "config: other",
		"a: &a [*a]", "a: &a x\nb: *a", "max-series: &x [1,2]\nport: *x\n", "[[[[", "- x", "max-series: 1\nmax-series: 2", "---\n---\n", "\"max-series\\n\\e[2J\": 1",
		"otlp-endpoint: \"\\e[2J\\n\"", "filter: \"1 ==\"", "? [a]\n: b", "max-series: !!binary aGk=", "metrics-listen: 9470", "max-rate: .nan", "max-rate: .inf",
		"max-memory: 18446744073709551615", "spool-size: 9E", "user: root\nno-sandbox: true", "duration: 1ns", "max-connections: 4294967295", "\ufeffall: yes",
	} {
		f.Add([]byte(text))
	}
	folder := f.TempDir()
	f.Fuzz(func(t *testing.T, text []byte) {
		path := filepath.Join(folder, "agent.yaml")
		if err := os.WriteFile(path, text, 0o600); err != nil {
			t.Fatal(err)
		}
		var flags agentFlags
		set := pflag.NewFlagSet("agent", pflag.ContinueOnError)
		flags.flags(set)
		if err := set.Parse([]string{"--max-series", "77"}); err != nil {
			t.Fatal(err)
		}
		flags.config = path
		s := newSettings(set, &flags)
		s.environ = func(string) (string, bool) { return "", false }
		got, err := s.read()
		if err == nil {
			_, err = got.compile()
		}
		if err != nil {
			said := message(err)
			// A wrong filter is shown with a caret below it.
			if exitCode(err) != exitUsage || len(said) > 3*maxSettings || !strings.Contains(err.Error(), "filter") && strings.ContainsFunc(said, unicode.IsControl) {
				t.Errorf("exit %d: %q", exitCode(err), said)
			}
			return
		}
		if got.maxSeries != 77 || got.rate < 0 || got.maxCPU < 0 || got.spoolSize < 1<<20 || got.config != path {
			t.Errorf("took %+v", got)
		}
	})
}
