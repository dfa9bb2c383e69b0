package record

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/closetrace/closetrace/model"
)

// fence is a block of commands of docs/queries.md.
type fence struct{ language, text string }

func documentedQueries(t *testing.T) (list []fence) {
	page, err := os.ReadFile("../../docs/queries.md")
	if err != nil {
		t.Fatal(err)
	}
	parts := strings.Split(string(page), "```")
	for i := 1; i < len(parts); i += 2 {
		language, text, _ := strings.Cut(parts[i], "\n")
		list = append(list, fence{language, strings.TrimSpace(text)})
	}
	return list
}

func queriesOf(t *testing.T, language string) (list []string) {
	for _, f := range documentedQueries(t) {
		if f.language == language {
			list = append(list, f.text)
		}
	}
	return list
}

// queryFolder holds the golden recording under the names of the page.
func queryFolder(t *testing.T) string {
	folder := t.TempDir()
	data, err := os.ReadFile(golden)
	if err == nil {
		err = os.WriteFile(filepath.Join(folder, "incident.jsonl"), data, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	w, err := Create(filepath.Join(folder, "incident.jsonl.zst"), Options{})
	if err != nil {
		t.Fatal(err)
	}
	write(t, w, read(t, golden)...)
	closeWriter(t, w)
	return folder
}

// shell runs a command in folder and returns the lines of its output.
func shell(t *testing.T, folder, command string, env ...string) []string {
	t.Helper()
	c := exec.Command("bash", "-euo", "pipefail", "-c", command)
	c.Dir, c.Env = folder, append(os.Environ(), env...)
	var problems strings.Builder
	c.Stderr = &problems
	out, err := c.Output()
	if err != nil {
		t.Fatalf("%v: %s\n%s", err, problems.String(), command)
	}
	return strings.Split(strings.TrimSpace(string(out)), "\n")
}

// TestJqQueries compares what jq says with the records.
func TestJqQueries(t *testing.T) {
	need(t, "programs", "bash", "jq", "zstdcat")
	folder := queryFolder(t)
	list := read(t, golden)
	queries := queriesOf(t, "sh")
	want := []func(*testing.T, []string){
		func(t *testing.T, got []string) {
			count := map[string]int{}
			for _, e := range teardowns(list) {
				count[e.Verdict.String()+" "+e.Cause.String()]++
			}
			same(t, got, counted(count))
		},
		func(t *testing.T, got []string) {
			lost := map[string]uint64{}
			for _, e := range teardowns(list) {
				name := e.Process.Name
				if name == "" {
					name = "(not known)"
				}
				lost[name] += e.TCP.Bytes.Unacked.Or(0) + e.TCP.Bytes.Unread.Or(0)
			}
			n := 0
			for _, bytes := range lost {
				if bytes > 0 {
					n++
				}
			}
			if len(got) != n {
				t.Errorf("got %d processes, want %d", len(got), n)
			}
		},
		func(t *testing.T, got []string) {
			n := 0
			for i := range list {
				if list[i].Teardown.CloseBlocked.Or(0) > 100*time.Millisecond {
					n++
				}
			}
			if len(got) != n {
				t.Errorf("got %d closes, want %d", len(got), n)
			}
		},
		func(t *testing.T, got []string) {
			n := 0
			for _, e := range teardowns(list) {
				if e.Confidence == model.Inferred {
					n++
				}
			}
			if len(got) != n {
				t.Errorf("got %d ends, want %d", len(got), n)
			}
		},
		func(t *testing.T, got []string) {
			if last := got[len(got)-1]; !strings.Contains(last, `"reason":"duration"`) || len(got) != 2 {
				t.Errorf("got %s, want the loss and the stop line", got)
			}
		},
		func(t *testing.T, got []string) {
			kinds := map[string]map[model.Kind]bool{}
			for i := range list {
				if id := list[i].Teardown.ID; id != "" {
					if kinds[id] == nil {
						kinds[id] = map[model.Kind]bool{}
					}
					kinds[id][list[i].Kind] = true
				}
			}
			n := 0
			for _, k := range kinds {
				if k[model.KindTeardown] && k[model.KindOutcome] {
					n++
				}
			}
			if len(got) != n || !strings.Contains(strings.Join(got, "\n"), `"was":"linger-timeout","became":"graceful"`) {
				t.Errorf("got %s, want %d, with the linger timeout that was drained later", got, n)
			}
		},
		func(t *testing.T, got []string) {
			count := map[string]int{}
			for _, e := range teardowns(list) {
				if e.Verdict == model.Abortive {
					count[e.Cause.String()]++
				}
			}
			same(t, got, counted(count))
		},
	}
	if len(queries) != len(want) {
		t.Fatalf("docs/queries.md has %d queries with jq, the test knows %d", len(queries), len(want))
	}
	for i, query := range queries {
		t.Run(fmt.Sprint(i+1), func(t *testing.T) { want[i](t, shell(t, folder, query)) })
	}
}

func teardowns(list []model.Record) (ends []*model.Teardown) {
	for i := range list {
		if list[i].Kind == model.KindTeardown {
			ends = append(ends, &list[i].Teardown)
		}
	}
	return ends
}

func counted(count map[string]int) (lines []string) {
	for name, n := range count {
		lines = append(lines, fmt.Sprintf("%d %s", n, name))
	}
	return lines
}

func same(t *testing.T, got, want []string) {
	t.Helper()
	for i := range got {
		got[i] = strings.Join(strings.Fields(got[i]), " ")
	}
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}
