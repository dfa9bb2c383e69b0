package record

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/closetrace/closetrace/model"
)

// duckScript prints the rows of the query in its argument as JSON.
const duckScript = `import { DuckDBInstance } from '@duckdb/node-api';
const c = await (await DuckDBInstance.create(':memory:')).connect();
console.log(JSON.stringify((await c.runAndReadAll(process.argv[2])).getRowObjectsJson()));`

// duck returns the rows of a query over the files of a folder. It needs
// CLOSETRACE_DUCKDB, a folder in which `npm install @duckdb/node-api` was run.
func duck(t *testing.T, folder, query string) (rows []map[string]any) {
	t.Helper()
	modules := os.Getenv("CLOSETRACE_DUCKDB")
	if modules == "" {
		lacking(t, "duckdb", "CLOSETRACE_DUCKDB names no folder with the npm package @duckdb/node-api")
	}
	need(t, "duckdb", "bash", "node")
	if err := os.Symlink(filepath.Join(modules, "node_modules"), filepath.Join(folder, "node_modules")); err != nil && !errors.Is(err, os.ErrExist) {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(folder, "duck.mjs"), []byte(duckScript), 0o600); err != nil {
		t.Fatal(err)
	}
	out := shell(t, folder, `node duck.mjs "$QUERY"`, "QUERY="+query)
	if err := json.Unmarshal([]byte(strings.Join(out, "\n")), &rows); err != nil {
		t.Fatal(err)
	}
	return rows
}

func TestDuckDBQueries(t *testing.T) {
	folder := queryFolder(t)
	var results [][]map[string]any
	for _, query := range queriesOf(t, "sql") {
		results = append(results, duck(t, folder, query))
	}
	if len(results) != 5 {
		t.Fatalf("docs/queries.md has %d queries with DuckDB, the test knows 5", len(results))
	}
	ends := teardowns(read(t, golden))
	count, blocked, pairs := map[string]int{}, map[string]int{}, 0
	for _, e := range ends {
		count[e.Verdict.String()+" "+e.Cause.String()]++
		if e.CloseBlocked.Known() {
			blocked[e.Process.Name]++
		}
		for _, other := range ends {
			if e.TCP.Loopback && other.TCP.Loopback && e.Network == other.Network.Reversed() && e.Network.Local.Port < other.Network.Local.Port {
				pairs++
			}
		}
	}
	var got []string
	for _, row := range results[0] {
		got = append(got, fmt.Sprint(row["ends"], " ", row["verdict"], " ", row["cause"]))
	}
	same(t, got, counted(count))
	if len(results[1]) != len(blocked) {
		t.Errorf("blocked closes: got %v, want %v", results[1], blocked)
	}
	total := 0
	for _, row := range results[2] {
		var n int
		fmt.Sscan(fmt.Sprint(row["ends"]), &n)
		total += n
	}
	if total != len(ends) {
		t.Errorf("per second: got %d ends, want %d", total, len(ends))
	}
	if pairs == 0 || len(results[3]) != pairs {
		t.Errorf("connections within the host: got %d, want %d", len(results[3]), pairs)
	}
	if info, err := os.Stat(filepath.Join(folder, "incident.parquet")); err != nil || info.Size() == 0 {
		t.Errorf("no Parquet file: %v", err)
	}
}

// TestDuckDBQueriesOfUsedPorts: ports that a later connection uses again pair no others, and
// a member that no line has is none.
func TestDuckDBQueriesOfUsedPorts(t *testing.T) {
	var ends []model.Record
	for print := range 3 {
		for _, e := range teardowns(read(t, golden)) {
			if e.TCP.Loopback && e.Process.Name != "" {
				e.TCP.Fingerprint, e.CloseBlocked = model.Fingerprint(print+1), model.Opt[time.Duration]{}
				ends = append(ends, model.Record{Kind: model.KindTeardown, Teardown: *e})
				e.Network = e.Network.Reversed()
				ends = append(ends, model.Record{Kind: model.KindTeardown, Teardown: *e})
				break
			}
		}
	}
	folder := t.TempDir()
	for _, name := range []string{"incident.jsonl", "incident.jsonl.zst"} {
		w, err := Create(filepath.Join(folder, name), Options{})
		if err != nil {
			t.Fatal(err)
		}
		write(t, w, ends...)
		closeWriter(t, w)
	}
	queries := queriesOf(t, "sql")
	if rows := duck(t, folder, queries[1]); len(rows) != 0 {
		t.Errorf("no close() blocked: got %v", rows)
	}
	if rows := duck(t, folder, queries[3]); len(rows) != 3 {
		t.Errorf("got %d pairs of 3 connections: %v", len(rows), rows)
	}
}
