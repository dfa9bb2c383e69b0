package deploy

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"github.com/closetrace/closetrace/internal/agent"
	"github.com/closetrace/closetrace/internal/findings"
	"github.com/closetrace/closetrace/model"
)

func read(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// tool runs a program, or skips the test if it is not installed and CLOSETRACE_REQUIRE does not have word.
func tool(t *testing.T, word string, args ...string) (output string, err error) {
	t.Helper()
	if _, err := exec.LookPath(args[0]); err != nil {
		if strings.Contains(os.Getenv("CLOSETRACE_REQUIRE"), word) {
			t.Fatal(err)
		}
		t.Skip(err)
	}
	text, err := exec.Command(args[0], args[1:]...).CombinedOutput()
	return string(text), err
}

func expressions() (list []string) {
	for _, row := range Rows() {
		for _, p := range row.Panels {
			for _, q := range p.Queries {
				list = append(list, q.Expr)
			}
		}
	}
	return list
}

func TestDashboardIsFresh(t *testing.T) {
	want, err := Dashboard()
	if err != nil {
		t.Fatal(err)
	}
	if got := read(t, "grafana/closetrace.json"); !bytes.Equal([]byte(got), want) {
		t.Error("grafana/closetrace.json is stale: go generate ./deploy")
	}
}

var (
	metricName = regexp.MustCompile(`\b(closetrace|process)_[a-z_]+`)
	labelValue = regexp.MustCompile(`(finding|verdict)!?="([a-z-]+)"`)
)

// Panels and rules name only what there is, and every metric is on a panel.
func TestNamesExist(t *testing.T) {
	metrics := agent.Metrics()
	shown := map[string]bool{}
	text := strings.Join(expressions(), "\n")
	for where, text := range map[string]string{"panel": text, "rule": read(t, "prometheus/closetrace.rules.yaml"), "test": read(t, "prometheus/closetrace.test.yaml")} {
		for _, name := range metricName.FindAllString(text, -1) {
			base := strings.TrimSuffix(name, "_bucket")
			if !slices.Contains(metrics, base) {
				t.Errorf("%s: no metric %s", where, name)
			}
			shown[base] = shown[base] || where == "panel"
		}
		for _, m := range labelValue.FindAllStringSubmatch(text, -1) {
			var verdict model.Verdict
			if m[1] == "finding" && !slices.Contains(findings.Names(), m[2]) || m[1] == "verdict" && verdict.UnmarshalText([]byte(m[2])) != nil {
				t.Errorf("%s: no %s %q", where, m[1], m[2])
			}
		}
	}
	for _, name := range metrics {
		if strings.HasPrefix(name, "closetrace_") && !shown[name] {
			t.Errorf("%s is on no panel", name)
		}
	}
}

// Prometheus itself reads every expression of the dashboard.
func TestExpressionsAreRead(t *testing.T) {
	var b strings.Builder
	b.WriteString("groups:\n- name: panels\n  rules:\n")
	for i, e := range expressions() {
		e = strings.NewReplacer("$__rate_interval", "5m", "$instance", ".*").Replace(e)
		fmt.Fprintf(&b, "  - {record: panel:%d, expr: %q}\n", i, e)
	}
	path := filepath.Join(t.TempDir(), "panels.yaml")
	if err := os.WriteFile(path, []byte(b.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	if out, err := tool(t, "prometheus", "promtool", "check", "rules", path); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}

func TestRules(t *testing.T) {
	if out, err := tool(t, "prometheus", "promtool", "test", "rules", "prometheus/closetrace.test.yaml"); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}

// Every alert has a test in which it fires and one in which it does not.
func TestEveryRuleIsTested(t *testing.T) {
	var rules struct {
		Groups []struct {
			Rules []struct{ Alert string }
		}
	}
	var tests struct {
		Tests []struct {
			Alerts []struct {
				Name string `yaml:"alertname"`
				Want []any  `yaml:"exp_alerts"`
			} `yaml:"alert_rule_test"`
		}
	}
	for path, into := range map[string]any{"prometheus/closetrace.rules.yaml": &rules, "prometheus/closetrace.test.yaml": &tests} {
		if err := yaml.Unmarshal([]byte(read(t, path)), into); err != nil {
			t.Fatal(err)
		}
	}
	fires, silent := map[string]bool{}, map[string]bool{}
	for _, one := range tests.Tests {
		for _, a := range one.Alerts {
			fires[a.Name] = fires[a.Name] || len(a.Want) > 0
			silent[a.Name] = silent[a.Name] || len(a.Want) == 0
		}
	}
	for _, r := range rules.Groups[0].Rules {
		if r.Alert != "" && (!fires[r.Alert] || !silent[r.Alert]) {
			t.Errorf("%s: fires in a test %t, is silent in one %t", r.Alert, fires[r.Alert], silent[r.Alert])
		}
	}
}

var exposure = regexp.MustCompile(`Overall exposure level for \S+: ([0-9.]+)`)

func TestUnitIsTight(t *testing.T) {
	out, err := tool(t, "systemd", "systemd-analyze", "security", "--offline=true", "--no-pager", "systemd/closetrace-agent.service")
	m := exposure.FindStringSubmatch(out)
	if m == nil {
		t.Fatalf("%v\n%s", err, out)
	}
	if level, err := strconv.ParseFloat(m[1], 64); err != nil || level > 2.0 {
		t.Errorf("exposure %s, want at most 2.0", m[1])
	}
}

// TestUnitsStartAgain: a disk that is full for a minute does not end a unit for good.
func TestUnitsStartAgain(t *testing.T) {
	for _, path := range []string{"systemd/closetrace-agent.service", "../tools/dist/files/closetrace.service"} {
		unit, service, _ := strings.Cut(read(t, path), "\n[Service]\n")
		if !strings.Contains(unit, "\nStartLimitIntervalSec=0\n") || !strings.Contains(service, "\nRestart=on-failure\nRestartSec=10s\n") {
			t.Errorf("%s is not always started again", path)
		}
	}
}
