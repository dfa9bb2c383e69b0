package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/closetrace/closetrace/model"
)

// teardownsFile writes a recording of teardowns: what each has beside its time.
func teardownsFile(t *testing.T, name string, rest ...string) string {
	t.Helper()
	var text strings.Builder
	at := model.TimeOf(time.Date(2026, 11, 20, 17, 23, 1, 0, time.UTC))
	for n, r := range rest {
		fmt.Fprintf(&text, `{"kind":"teardown","schema":"closetrace/1","time":"%v","time_unix_nano":"%d","id":"%d",%s,"facts":{}}`+"\n", at, at, n, r)
	}
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(text.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// A filter that matches one end of a connection shows both: the other is what explains it.
func TestJoinChoosesConnections(t *testing.T) {
	const network = `"network":{"type":"ipv4","local":{"address":"10.0.0.5","port":%d},"peer":{"address":"10.0.0.9","port":443}}`
	const reset, closed = `"verdict":"abortive","cause":"peer-reset","tcp":{"rst":{"sent":false,"received":true}}`, `"verdict":"graceful","cause":"fin","tcp":{"rst":{"sent":false}}`
	const peer = `"network":{"type":"ipv4","local":{"address":"10.0.0.9","port":443},"peer":{"address":"10.0.0.5","port":%d}}`
	client := teardownsFile(t, "client.jsonl", fmt.Sprintf(network, 4001)+","+reset, fmt.Sprintf(network, 4002)+","+closed)
	server := teardownsFile(t, "server.jsonl", fmt.Sprintf(peer, 4001)+","+closed, fmt.Sprintf(peer, 4002)+","+closed)
	for _, choice := range [][]string{{"--verdict", "abortive"}, {"--cause", "peer-reset"}} {
		var out, errs bytes.Buffer
		if code := run(append([]string{"join", client, server}, choice...), nil, &out, &errs); code != 0 {
			t.Fatalf("exit %d: %s", code, errs.String())
		}
		if want := "1 connection with both ends, 1 with stories that differ; 0 ends, not graceful, without the other\n"; !strings.HasPrefix(out.String(), want) {
			t.Errorf("%v: got %s, want %s", choice, out.String(), want)
		}
	}
}

// Of two captures each connection is there once, also of those with an end of --local: the
// other end is in either capture.
func TestJoinTwoCaptures(t *testing.T) {
	const folder = "../../wire/testdata/"
	for local, want := range map[string]string{
		"":                    "4 connections with both ends, 0 with stories that differ; 2 ends, not graceful, without the other\n",
		"--local=10.1.0.2":    "4 connections with both ends, 0 with stories that differ; 2 ends, not graceful, without the other\n",
		"--local=10.2.0.2":    "4 connections with both ends, 0 with stories that differ; 0 ends, not graceful, without the other\n",
		"--local=10.3.0.0/16": "0 connections with both ends, 0 with stories that differ; 0 ends, not graceful, without the other\n",
	} {
		args := []string{"join", folder + "device-client.pcap", folder + "device-server.pcap", local}
		if local == "" {
			args = args[:3]
		}
		var out, errs bytes.Buffer
		if code := run(args, nil, &out, &errs); code != 0 || !strings.HasPrefix(out.String(), want) {
			t.Errorf("%s: exit %d, got %s%s, want %s", local, code, out.String(), errs.String(), want)
		}
	}
}
