package record

import (
	"encoding/json"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/closetrace/closetrace/model"
)

const clickHouseConfig = `<yandex><logger><level>error</level><log>%[1]s/log</log><errorlog>%[1]s/err</errorlog></logger>
<tcp_port>%[2]d</tcp_port><listen_host>127.0.0.1</listen_host><path>%[1]s/data/</path><tmp_path>%[1]s/tmp/</tmp_path>
<users_config>users.xml</users_config><default_profile>default</default_profile><default_database>default</default_database>
<mark_cache_size>10000000</mark_cache_size></yandex>`

const clickHouseUsers = `<yandex><profiles><default/></profiles><users><default><password></password><networks><ip>127.0.0.1</ip></networks>
<profile>default</profile><quota>default</quota></default></users><quotas><default/></quotas></yandex>`

// startClickHouse starts a server on a loopback port and waits until it answers.
func startClickHouse(t *testing.T, folder string) (port int) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	port = l.Addr().(*net.TCPAddr).Port
	l.Close()
	config := filepath.Join(folder, "config.xml")
	for name, text := range map[string]string{"config.xml": fmt.Sprintf(clickHouseConfig, folder, port), "users.xml": clickHouseUsers} {
		if err := os.WriteFile(filepath.Join(folder, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	server := exec.Command("clickhouse-server", "--config-file="+config)
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { server.Process.Kill(); server.Wait() })
	for deadline := time.Now().Add(60 * time.Second); time.Now().Before(deadline); time.Sleep(100 * time.Millisecond) {
		if exec.Command("clickhouse-client", "--port", fmt.Sprint(port), "--query", "SELECT 1").Run() == nil {
			return port
		}
	}
	t.Fatal("clickhouse-server does not answer")
	return 0
}

// clickHouse starts a server, and returns a PATH with a client that asks it.
func clickHouse(t *testing.T, folder string) (path string) {
	t.Helper()
	port := startClickHouse(t, folder)
	bin := filepath.Join(folder, "bin")
	client, _ := exec.LookPath("clickhouse-client")
	script := fmt.Sprintf("#!/bin/sh\nexec %s --port %d \"$@\"\n", client, port)
	if err := os.Mkdir(bin, 0o700); err == nil {
		err = os.WriteFile(filepath.Join(bin, "clickhouse-client"), []byte(script), 0o700)
		if err != nil {
			t.Fatal(err)
		}
	}
	return "PATH=" + bin + ":" + os.Getenv("PATH")
}

// TestClickHouseQueries starts a server of its own.
func TestClickHouseQueries(t *testing.T) {
	need(t, "clickhouse", "bash", "jq", "clickhouse-client", "clickhouse-server")
	folder := queryFolder(t)
	path := clickHouse(t, folder)
	queries := queriesOf(t, "clickhouse")
	if len(queries) != 2 || len(queriesOf(t, "insert")) != 1 {
		t.Fatal("docs/queries.md has other queries with ClickHouse than the test knows")
	}
	shell(t, folder, `clickhouse-client --query "$QUERY"`, path, "QUERY="+queries[0])
	shell(t, folder, queriesOf(t, "insert")[0], path)
	count := map[string]int{}
	for _, e := range teardowns(read(t, golden)) {
		if e.Verdict != model.Graceful {
			count[e.Cause.String()]++
		}
	}
	got := map[string]int{}
	for _, line := range shell(t, folder, `clickhouse-client --query "$QUERY FORMAT JSONEachRow"`, path, "QUERY="+queries[1]) {
		var row struct {
			Cause string
			Ends  json.Number
		}
		if err := json.Unmarshal([]byte(strings.Replace(line, `"ends":"`, `"ends":`, 1)), &row); err != nil {
			var quoted struct{ Cause, Ends string }
			if err := json.Unmarshal([]byte(line), &quoted); err != nil {
				t.Fatal(err, line)
			}
			row.Cause, row.Ends = quoted.Cause, json.Number(quoted.Ends)
		}
		n, _ := row.Ends.Int64()
		got[row.Cause] += int(n)
	}
	same(t, counted(got), counted(count))
}

// TestFleetInClickHouse joins both ends over three hosts, as docs/fleet.md has it.
func TestFleetInClickHouse(t *testing.T) {
	need(t, "clickhouse", "bash", "jq", "zstdcat", "clickhouse-client", "clickhouse-server")
	folder := threeHosts(t)
	path := clickHouse(t, folder)
	queries, insert := fleetQueries(t, "clickhouse"), fleetQueries(t, "insert")
	if len(queries) != 2 || len(insert) != 1 {
		t.Fatal("docs/fleet.md has other queries with ClickHouse than the test knows")
	}
	shell(t, folder, `clickhouse-client --query "$QUERY"`, path, "QUERY="+queries[0])
	shell(t, folder, insert[0], path)
	same(t, shell(t, folder, `clickhouse-client --query "$QUERY"`, path, "QUERY="+queries[1]), []string{"db web1 5", "db web2 1"})
}
