package record

import (
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/closetrace/closetrace/model"
)

// fleet writes the recordings of hosts whose connections the test knows: which of two
// hosts sent the reset, if one did.
type fleet struct {
	t     *testing.T
	files map[string]*Writer
	made  int
}

func (f *fleet) end(host string, r model.Record) {
	f.t.Helper()
	if err := f.files[host].Write(&r); err != nil {
		f.t.Fatal(err)
	}
}

// connection is one between two hosts. sender is the host that sent a reset: "" is none,
// and "between" is a device on the path, which sends to both.
func (f *fleet) connection(one, other, sender string) {
	f.made++
	for i, host := range []string{one, other} {
		r := model.Record{Kind: model.KindTeardown}
		t := &r.Teardown
		t.ID, t.Time = fmt.Sprintf("%x-%x", i, f.made), model.Time(1_795_195_380_000_000_000).Add(time.Duration(f.made)*time.Millisecond)
		t.Verdict, t.Cause, t.Confidence, t.Rule = model.Graceful, model.CauseFIN, model.Certain, "fin"
		t.Network.Local = model.Endpoint{Address: netip.MustParseAddr("10.0.0.1"), Port: 443}
		t.Network.Peer = model.Endpoint{Address: netip.MustParseAddr("192.0.2.7"), Port: uint16(1000*i + f.made)} // as address translation shows it
		t.Process.Name, t.TCP.Fingerprint = host+"d", model.Fingerprint(0x1000+uint64(f.made))
		t.TCP.RST.Sent, t.TCP.RST.Received = model.Some(false), model.Some(false)
		switch sender {
		case "":
		case host:
			t.Verdict, t.Cause, t.TCP.RST.Sent = model.Abortive, model.CauseLingerZero, model.Some(true)
		default:
			t.Verdict, t.Cause, t.TCP.RST.Received = model.Abortive, model.CausePeerReset, model.Some(true)
		}
		f.end(host, r)
	}
}

// fleetQueries are those of docs/fleet.md in a language.
func fleetQueries(t *testing.T, language string) (queries []string) {
	t.Helper()
	page, err := os.ReadFile("../../docs/fleet.md")
	if err != nil {
		t.Fatal(err)
	}
	for i, part := range strings.Split(string(page), "```") {
		if of, text, _ := strings.Cut(part, "\n"); i%2 == 1 && of == language {
			queries = append(queries, strings.TrimSpace(text))
		}
	}
	return queries
}

// threeHosts is a folder with the recordings of three hosts.
func threeHosts(t *testing.T) (folder string) {
	t.Helper()
	folder = t.TempDir()
	if err := os.Mkdir(filepath.Join(folder, "fleet"), 0o700); err != nil {
		t.Fatal(err)
	}
	f := fleet{t: t, files: map[string]*Writer{}}
	for _, host := range []string{"db", "web1", "web2"} {
		var err error
		if f.files[host], err = Create(filepath.Join(folder, "fleet", host+".jsonl.zst"), Options{}); err != nil {
			t.Fatal(err)
		}
	}
	for range 5 {
		f.connection("web1", "db", "between")
		f.connection("web1", "web2", "")
	}
	for range 3 {
		f.connection("web2", "db", "web2")
		f.connection("web2", "db", "")
	}
	f.connection("web2", "db", "between")
	f.end("web1", model.Record{Kind: model.KindTeardown, Teardown: model.Teardown{ // the other end's host has no agent
		Judgement: model.Judgement{Verdict: model.Abortive, Cause: model.CausePeerReset, Confidence: model.Certain, Rule: "rst"},
		Facts:     model.Facts{ID: "z", Time: 1_795_195_380_000_000_000, TCP: model.TCP{Fingerprint: 7, RST: model.RST{Received: model.Some(true)}}},
	}})
	for _, w := range f.files {
		closeWriter(t, w)
	}
	return folder
}

// TestFleetQueries runs the queries of docs/fleet.md over three hosts.
func TestFleetQueries(t *testing.T) {
	queries, folder := fleetQueries(t, "sql"), threeHosts(t)
	want := []string{
		"db peer-reset 9, web1 peer-reset 6, web2 linger-zero 3, web2 peer-reset 1",
		"db web1 5, db web2 1",
		"linger-zero web2 db 3, peer-reset db web1 5, peer-reset web1 db 5, peer-reset db web2 1, peer-reset web2 db 1",
	}
	if len(queries) != len(want) {
		t.Fatalf("docs/fleet.md has %d queries, the test knows %d", len(queries), len(want))
	}
	for i, query := range queries {
		var rows []string
		for _, row := range duck(t, folder, query) {
			switch i {
			case 0:
				rows = append(rows, fmt.Sprint(row["host"], " ", row["cause"], " ", row["ends"]))
			case 1:
				rows = append(rows, fmt.Sprint(row["one"], " ", row["other"], " ", row["resets"]))
			case 2:
				rows = append(rows, fmt.Sprint(row["cause"], " ", row["host"], " ", row["peer"], " ", row["ends"]))
			}
		}
		same(t, rows, strings.Split(want[i], ", "))
	}
}
