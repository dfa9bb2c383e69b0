package model_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/closetrace/closetrace/model"
)

// TestFilterFails: what an expression fails on does not match, and is counted.
func TestFilterFails(t *testing.T) {
	for source, reason := range map[string]string{
		`process.pid % 0 == 1`:                "integer divide by zero",
		`[80, 443][process.pid] == 443`:       "index out of range",
		`[1, 2][5] == network.peer.port`:      "index out of range",
		`process.name matches process.name+1`: "",
	} {
		f, err := model.CompileFilter(source)
		if reason == "" {
			if !errors.Is(err, model.ErrFilter) {
				t.Errorf("%s: compiled: %v", source, err)
			}
			continue
		}
		if err != nil {
			t.Errorf("%s: %v", source, err)
			continue
		}
		if err := f.Failed(); err != nil {
			t.Errorf("%s: failed before it ran: %v", source, err)
		}
		for range 3 {
			if f.Match(filterRecord()) {
				t.Errorf("%s: matches", source)
			}
		}
		err = f.Failed()
		if !errors.Is(err, model.ErrFilterFailed) || !strings.Contains(err.Error(), " on 3 records") ||
			!strings.Contains(err.Error(), reason) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: got %v, want 3 failures with %q in one line", source, err, reason)
		}
	}
}

// TestFilterBounds: no expression takes long or much memory.
func TestFilterBounds(t *testing.T) {
	for _, source := range []string{
		`any(1..9999, any(1..9999, # == -1))`,
		`any(1..9999, any(1..9999, any(1..9999, # == -1)))`,
		`any(1..1000000, # == process.pid)`,
		`any(1..9223372036854775807, # == process.pid)`,
		`any(1..process.pid, # == 5)`,
		`any(process.pid..5, # == 5)`,
		`any(1..20001, true)`,
		`any(1..6148914691236517206, # > 0)`, // three nodes: 2 more than 2^64
		`len(reduce(1..99, #acc + #acc, "ab")) > 5`,
		`len(repeat("a", 1000000000)) > 5`,
		`len(replace(process.name, "", process.name)) > 5`,
		`let a = process.name + process.name; let b = a + a; b == ""`,
		`len(join(map(1..9999, process.command_line))) > 5`,
		`len(toJSON(process.name)) > 5`,
		strings.Repeat(`any(1..999, # == 1) || `, 60) + "false",
	} {
		if _, err := model.CompileFilter(source); !errors.Is(err, model.ErrFilter) {
			t.Errorf("%.60s: got %v, want that it is refused", source, err)
		}
	}
	for _, source := range []string{
		`network.peer.port in 1..65535`,
		`any([80, 443], # == network.local.port)`,
		`any(["a", "b"], process.name startsWith #)`,
		`count(filter(1..99, # > 5), # == process.pid) == 0`,
		`let pid = process.pid + 1; pid > 0 && upper(process.name) != ""`,
		`all(1..3000, # != process.pid)`,
		`any(1..20000, true)`,
		`1.5 + process.pid > 2 + 0.5`,
	} {
		f, err := model.CompileFilter(source)
		if err != nil {
			t.Errorf("%s: %v", source, err)
			continue
		}
		start := time.Now()
		f.Match(filterRecord())
		if took := time.Since(start); took > 100*time.Millisecond {
			t.Errorf("%s took %v", source, took)
		}
	}
}

// TestLoopInALoop: a short one, which would take no long time, is refused for what it is.
func TestLoopInALoop(t *testing.T) {
	for _, source := range []string{`any(1..3, any(1..3, # == 1))`, `any(1..3, any(1..3, # == 1) && # == 2)`, `any(1..3, # == 2 && any(1..3, # == 1))`} {
		if _, err := model.CompileFilter(source); err == nil || !strings.Contains(err.Error(), "any has a loop in a loop") {
			t.Errorf("%s: got %v", source, err)
		}
	}
}
