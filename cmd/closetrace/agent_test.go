package main

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/spf13/pflag"
)

// readSettings reads the agent's settings of a command line, a file and an environment.
func readSettings(t *testing.T, args []string, file string, environ map[string]string) (*settings, *agentFlags, error) {
	t.Helper()
	var flags agentFlags
	set := pflag.NewFlagSet("agent", pflag.ContinueOnError)
	flags.flags(set)
	set.StringVar(&flags.config, "config", "", "")
	path := filepath.Join(t.TempDir(), "agent.yaml")
	if file != "" {
		if err := os.WriteFile(path, []byte(file), 0o600); err != nil {
			t.Fatal(err)
		}
		args = append(args, "--config", path)
	}
	if err := set.Parse(args); err != nil {
		t.Fatal(err)
	}
	s := newSettings(set, &flags)
	s.environ = func(name string) (string, bool) { text, ok := environ[name]; return text, ok }
	got, err := s.read()
	return s, got, err
}

func TestAgentSettings(t *testing.T) {
	file := "max-rate: 5\nverdict: [abortive, silent]\nport: 443\nspool-size: 2MB\nall: true\nmetrics-listen: \"9000\"\n"
	environ := map[string]string{"CLOSETRACE_AGENT_MAX_RATE": "6", "CLOSETRACE_AGENT_PORT": "80"}
	_, f, err := readSettings(t, []string{"--port", "8080", "--max-series", "7"}, file, environ)
	if err != nil {
		t.Fatal(err)
	}
	if f.port != 8080 || f.rate != 6 || f.spoolSize != 2_000_000 || !f.all || f.maxSeries != 7 || f.listen != "127.0.0.1:9000" {
		t.Errorf("got %+v", f)
	}
	if strings.Join(f.verdicts, " ") != "abortive silent" {
		t.Errorf("verdicts %q", f.verdicts)
	}
}

func TestAgentSettingsAreChecked(t *testing.T) {
	for file, want := range map[string]string{
		"max-rat: 5":                 `no setting "max-rat"`,
		"config: other.yaml":         `no setting "config"`,
		"max-rate: fast":             "max-rate",
		"max-rate: {a: 1}":           "want a value or a list of values",
		"max-rate:":                  "want a value or a list of values",
		"verdict: [[a]]":             "want a value or a list of values",
		"- a":                        "want a list of NAME: VALUE",
		"max-rate: 1\nmax-rate: 2":   "already defined",
		"all: true\n---\nall: false": "want one document",
		"metrics-listen: \"\"":       "nothing to do",
		"spool-size: 1kB":            "at least 1 MiB",
		"max-rate: -1":               "must not be negative",
		"max-rate: NaN":              "at most a billion",
		"max-rate: inf":              "at most a billion",
		"max-rate: 1e30":             "at most a billion",
		"max-cpu: NaN":               "at most a billion",
		"max-cpu: 1e30":              "at most a billion",
		"max-cpu: -inf":              "must not be negative",
		"a: &a [x]\nb: &b [*a, *a]\nc: [*b, *b, *b]": "no setting",
	} {
		if _, _, err := readSettings(t, nil, file, nil); err == nil || !strings.Contains(err.Error(), want) || exitCode(err) != exitUsage {
			t.Errorf("%q: %v (exit %d), want %q", file, err, exitCode(err), want)
		}
	}
}

// What SIGHUP can't change is reported.
func TestAgentReload(t *testing.T) {
	s, old, err := readSettings(t, []string{"--max-memory", "123456789"}, "process: nginx", nil)
	if err != nil {
		t.Fatal(err)
	}
	write := func(text string) *agentFlags {
		t.Helper()
		if err := os.WriteFile(s.base.config, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		f, err := s.read()
		if err != nil {
			t.Fatal(err)
		}
		return f
	}
	f := write("process: redis\nmax-rate: 3\nverdict: [silent]")
	if f.process != "redis" || f.rate != 3 || len(f.verdicts) != 1 || f.maxMemory != 123456789 || f.unchangeable(old) != "" {
		t.Errorf("got %+v, %q", f, f.unchangeable(old))
	}
	if f = write("max-series: 9"); f.process != "" || f.unchangeable(old) == "" {
		t.Errorf("got %+v, %q", f, f.unchangeable(old))
	}
}

// The files and variables of deploy are settings of this program.
func TestDeployedSettings(t *testing.T) {
	for _, name := range []string{"systemd/agent.yaml", "kubernetes/agent.yaml"} {
		text, err := os.ReadFile("../../deploy/" + name)
		if err != nil {
			t.Fatal(err)
		}
		whole := strings.ReplaceAll("\n"+string(text), "\n#otlp", "\notlp") // commented settings count too
		whole = strings.NewReplacer("\n#max-rate", "\nmax-rate", "\n#filter", "\nfilter").Replace(whole)
		if _, f, err := readSettings(t, nil, whole, nil); err != nil {
			t.Errorf("%s: %v", name, err)
		} else if _, err := f.compile(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	var flags agentFlags
	set := pflag.NewFlagSet("agent", pflag.ContinueOnError)
	flags.flags(set)
	known := map[string]bool{variable("config"): true}
	set.VisitAll(func(f *pflag.Flag) { known[variable(f.Name)] = true })
	for _, name := range []string{"kubernetes/daemonset.yaml", "systemd/closetrace-agent.service"} {
		text, err := os.ReadFile("../../deploy/" + name)
		if err != nil {
			t.Fatal(err)
		}
		for _, word := range regexp.MustCompile(`CLOSETRACE_AGENT_\w+`).FindAllString(string(text), -1) {
			if !known[word] {
				t.Errorf("%s: %s is no setting", name, word)
			}
		}
	}
}
