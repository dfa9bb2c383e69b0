package main

import (
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func TestCollect(t *testing.T) {
	const events = `{"Action":"run","Package":"github.com/closetrace/closetrace/tracer","Test":"TestLab"}
{"Action":"run","Package":"github.com/closetrace/closetrace/tracer","Test":"TestLab/fentry"}
{"Action":"output","Package":"github.com/closetrace/closetrace/tracer","Test":"TestLab/fentry","Output":"wrong\n"}
{"Action":"fail","Package":"github.com/closetrace/closetrace/tracer","Test":"TestLab/fentry"}
{"Action":"fail","Package":"github.com/closetrace/closetrace/tracer","Test":"TestLab"}
{"Action":"run","Package":"github.com/closetrace/closetrace/tracer","Test":"TestOther"}
{"Action":"pass","Package":"github.com/closetrace/closetrace/tracer","Test":"TestOther"}
{"Action":"fail","Package":"github.com/closetrace/closetrace/tracer"}
{"Action":"run","Package":"github.com/closetrace/closetrace/tui","Test":"TestHangs"}
{"Action":"fail","Package":"github.com/closetrace/closetrace/tui"}
{"Action":"fail","Package":"github.com/closetrace/closetrace/model","FailedBuild":"model"}
`
	var text strings.Builder
	o := collect(strings.NewReader(events), &text)
	if want := []test{{"tracer", "TestLab"}}; !slices.Equal(o.failed, want) {
		t.Errorf("failed tests: got %v, want %v", o.failed, want)
	}
	if want := []string{module + "tui", module + "model"}; !slices.Equal(o.broken, want) {
		t.Errorf("broken packages: got %v, want %v", o.broken, want)
	}
	if text.String() != "wrong\n" {
		t.Errorf("output: got %q", &text)
	}
}

func TestCollectDiedAfterAFailure(t *testing.T) {
	const events = `{"Action":"run","Package":"p","Test":"TestA"}
{"Action":"fail","Package":"p","Test":"TestA"}
{"Action":"run","Package":"p","Test":"TestB"}
{"Action":"fail","Package":"p"}
`
	if o := collect(strings.NewReader(events), io.Discard); !slices.Equal(o.broken, []string{"p"}) {
		t.Errorf("a package that panics after a failed test is not broken: %+v", o)
	}
}

func TestRetest(t *testing.T) {
	lab := test{"tracer", "TestLab"}
	q := quarantine{lab: "a reason"}
	for _, tt := range []struct {
		name string
		runs []outcome
		want bool
		used int
	}{
		{"all pass", []outcome{{}}, true, 1},
		{"quarantined, passes at once", []outcome{{failed: []test{lab}}, {}}, true, 2},
		{"quarantined, passes at the third run", []outcome{{failed: []test{lab}}, {failed: []test{lab}}, {}}, true, 3},
		{"quarantined, never passes", []outcome{{failed: []test{lab}}, {failed: []test{lab}}, {failed: []test{lab}}}, false, 3},
		{"not quarantined", []outcome{{failed: []test{{"model", "TestRules"}}}}, false, 1},
		{"one of each: no second run hides the other", []outcome{{failed: []test{{"model", "TestRules"}, lab}}}, false, 1},
		{"does not build", []outcome{{broken: []string{"model"}}}, false, 1},
		{"breaks when it runs again", []outcome{{failed: []test{lab}}, {broken: []string{"tracer"}}, {broken: []string{"tracer"}}}, false, 3},
	} {
		used := 0
		run := func([]string, io.Writer) outcome {
			used++
			return tt.runs[min(used, len(tt.runs))-1]
		}
		if got := retest(nil, q, 3, run, io.Discard); got != tt.want || used != tt.used {
			t.Errorf("%s: got %v after %d runs, want %v after %d", tt.name, got, used, tt.want, tt.used)
		}
	}
}

func TestOnly(t *testing.T) {
	for args, want := range map[string]string{
		"go test -p 1 -timeout 20m ./...":                    "go test -p 1 -timeout 20m -count=1 -run ^TestLab$ ./tracer",
		"go test -run TestLab/fentry -exec x ./tracer ./bpf": "go test -exec x -count=1 -run ^TestLab$/fentry ./tracer",
		"go test -run=TestLab|TestFlood ./tracer":            "go test -count=1 -run ^TestLab$ ./tracer",
	} {
		if got := strings.Join(only(strings.Fields(args), test{"tracer", "TestLab"}), " "); got != want {
			t.Errorf("%s\ngot  %s\nwant %s", args, got, want)
		}
	}
}

func TestQuarantine(t *testing.T) {
	q, err := readQuarantine(strings.NewReader(list))
	if err != nil || len(q) == 0 {
		t.Fatalf("quarantine.txt: %d tests, %v", len(q), err)
	}
	if _, err := readQuarantine(strings.NewReader("tracer TestLab\n")); err == nil {
		t.Error("a line without a reason is accepted")
	}
}

// A test that was renamed or deleted leaves the list.
func TestQuarantinedTestsExist(t *testing.T) {
	q, err := readQuarantine(strings.NewReader(list))
	if err != nil {
		t.Fatal(err)
	}
	for entry := range q {
		files, _ := filepath.Glob(filepath.Join("../..", entry.pkg, "*_test.go"))
		if !slices.ContainsFunc(files, func(name string) bool {
			text, _ := os.ReadFile(name)
			return strings.Contains(string(text), "\nfunc "+entry.name+"(")
		}) {
			t.Errorf("%s %s is quarantined and does not exist", entry.pkg, entry.name)
		}
	}
}
