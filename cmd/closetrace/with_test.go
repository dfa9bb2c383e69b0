package main

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/closetrace/closetrace/model"
	"github.com/closetrace/closetrace/wire"
	"github.com/closetrace/closetrace/wire/wiretest"
)

// captureOf writes a capture: connection 1 was reset with another TTL, 2 closed well, 3
// closed well and the peer sent 41 bytes after the FIN.
func captureOf(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "wire.pcap")
	file, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	m := wiretest.New(file, time.Date(2026, 11, 20, 17, 23, 0, 0, time.UTC))
	server := netip.MustParseAddrPort("10.0.0.9:443")
	for n := range uint32(3) {
		client := netip.AddrPortFrom(netip.MustParseAddr("10.0.0.5"), uint16(4001+n))
		c := m.Open(client, server, 1000*n, 70000*n+5)
		c.Say(0, []byte("hello"))
		switch n {
		case 0:
			m.Send(&wiretest.Segment{From: server, To: client, Seq: 6, Ack: 6, Flags: wiretest.RST | wiretest.ACK, TTL: 57})
		case 1:
			c.Close(0)
		case 2:
			c.Flag(0, wiretest.FIN|wiretest.ACK)
			c.Say(1, make([]byte, 41))
			c.Flag(1, wiretest.FIN|wiretest.ACK)
			c.Flag(0, wiretest.ACK)
		}
	}
	if m.Err != nil {
		t.Fatal(m.Err)
	}
	return path
}

// recordingOf is what the client's host reports of the three, and of one more.
func recordingOf(t *testing.T) string {
	t.Helper()
	var text strings.Builder
	for n, rest := range []string{
		`"verdict":"abortive","cause":"peer-reset","terminator":"peer","tcp":{"rst":{"received":true}}`,
		`"verdict":"graceful","cause":"fin","terminator":"local-app","tcp":{}`,
		`"verdict":"graceful","cause":"fin","terminator":"local-app","tcp":{}`,
		`"verdict":"abortive","cause":"peer-reset","terminator":"peer","tcp":{"rst":{"received":true}}`,
	} {
		at := model.TimeOf(time.Date(2026, 11, 20, 17, 23, 1, 0, time.UTC))
		fmt.Fprintf(&text, `{"kind":"teardown","schema":"closetrace/1","time":"%v","time_unix_nano":"%d","id":"h%d","initiator":"local","confidence":"certain","rule":"x","network":{"type":"ipv4","local":{"address":"10.0.0.5","port":%d},"peer":{"address":"10.0.0.9","port":443}},"process":{"pid":812,"name":"curl"},"facts":{},%s}`+"\n", at, at, n, 4001+n, rest)
	}
	path := filepath.Join(t.TempDir(), "host.jsonl")
	if err := os.WriteFile(path, []byte(text.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// Each end is beside what the wire saw of it, and disagreements are named.
func TestReplayWithACapture(t *testing.T) {
	var out, errs bytes.Buffer
	if code := run([]string{"replay", recordingOf(t), "--with", captureOf(t)}, nil, &out, &errs); code != 0 {
		t.Fatalf("exit %d: %s", code, errs.String())
	}
	for _, want := range []string{
		"  wire: abortive, peer-reset, by network (inferred: the RST has TTL 57, the peer's other segments have 64: something between them sent it)\n  ! host: reset by the peer; wire: the RST has TTL 57",
		"  wire: graceful, fin, by local-app (certain)\n",
		"  ! host: graceful; wire: 41 bytes came after the FIN\n",
	} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("not there: %s\nin\n%s", want, out.String())
		}
	}
	if want := "3 beside the capture, 2 of them disagree; 0 without an end in it; 1 not in it"; !strings.Contains(errs.String(), want) {
		t.Errorf("got %s, want %s", errs.String(), want)
	}
	if code := run([]string{"replay", recordingOf(t), "--with", captureOf(t), "--json"}, nil, &out, &errs); code != exitUsage {
		t.Errorf("--with --json: exit %d, want %d", code, exitUsage)
	}
}

// Every command that takes a recording takes a capture, and --local chooses whose ends.
func TestCommandsTakeCaptures(t *testing.T) {
	path := captureOf(t)
	for _, args := range [][]string{
		{"replay", path},
		{"replay", path, "--json"},
		{"summary", path},
		{"diagnose", path},
		{"report", path, "-o", "-"},
		{"diff", path, path},
		{"join", path, path},
	} {
		var out, errs bytes.Buffer
		if code := run(args, nil, &out, &errs); code != 0 || out.Len() == 0 || errs.Len() > 0 {
			t.Errorf("%v: exit %d, %d bytes, %s", args, code, out.Len(), errs.String())
		}
	}
	var out, errs bytes.Buffer
	if code := run([]string{"replay", path, "--local", "10.0.0.5", "--json"}, nil, &out, &errs); code != 0 || strings.Count(out.String(), `"kind":"teardown"`) != 3 {
		t.Errorf("--local: exit %d, %s%s", code, out.String(), errs.String())
	}
	if code := run([]string{"replay", path, "--local", "nonsense"}, nil, &out, &errs); code != exitUsage {
		t.Errorf("--local nonsense: exit %d", code)
	}
}

// tshark reads the comments that annotate writes, of pcap and of pcapng, and finds every
// packet as it was.
func TestAnnotate(t *testing.T) {
	if _, err := exec.LookPath("tshark"); err != nil {
		t.Skip("needs tshark")
	}
	first, second := filepath.Join(t.TempDir(), "1.pcapng"), filepath.Join(t.TempDir(), "2.pcapng")
	source, with := captureOf(t), recordingOf(t)
	for _, files := range [][2]string{{source, first}, {first, second}} {
		var out, errs bytes.Buffer
		if code := run([]string{"annotate", files[0], files[1], "--with", with}, nil, &out, &errs); code != 0 || !strings.Contains(errs.String(), "5 packets got a comment") {
			t.Fatalf("exit %d: %s", code, errs.String())
		}
	}
	packets := func(path string) string {
		text, err := exec.Command("tshark", "-r", path, "-T", "fields", "-e", "frame.time_epoch", "-e", "frame.len", "-e", "tcp.seq_raw", "-e", "tcp.flags").Output()
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	if packets(source) != packets(first) || packets(source) != packets(second) {
		t.Error("the packets are not as they were")
	}
	for path, times := range map[string]int{first: 5, second: 10} {
		text, err := exec.Command("tshark", "-r", path, "-Y", "frame.comment", "-T", "fields", "-e", "frame.comment").Output()
		if err != nil || strings.Count(string(text), "curl[812]") != times {
			t.Errorf("%s: %v\n%s", path, err, text)
		}
	}
}

// A capture through a pipe: ends are shown while the pipe stays open and no packets
// come, also of a span.
func TestReplayLive(t *testing.T) {
	data, err := os.ReadFile(captureOf(t))
	if err != nil {
		t.Fatal(err)
	}
	stdin := os.Stdin
	defer func() { os.Stdin = stdin }()
	for _, flags := range [][]string{nil, {"--since", "2026-11-20T17:00:00Z"}} {
		in, feed, err := os.Pipe()
		if err != nil {
			t.Fatal(err)
		}
		os.Stdin = in
		shown, out := io.Pipe()
		code := make(chan int, 1)
		var errs bytes.Buffer
		go func() {
			code <- run(append([]string{"replay", "--plain", "-"}, flags...), nil, out, &errs)
			out.Close()
		}()
		if _, err := feed.Write(data); err != nil {
			t.Fatal(err)
		}
		late := time.AfterFunc(30*time.Second, func() { feed.Close() })
		ends := 0
		for lines := bufio.NewScanner(shown); lines.Scan(); {
			if ends += strings.Count(lines.Text(), "10.0.0.9:443"); ends == 5 && late.Stop() {
				feed.Close()
			}
		}
		if late.Stop() || ends != 5 || <-code != 0 {
			t.Errorf("%v: %d ends, want 5: %s", flags, ends, errs.String())
		}
	}
}

// The fingerprint finds an end behind address translation, and keeps connections of one
// tuple apart.
func TestAnnotateByFingerprint(t *testing.T) {
	outside, server := netip.MustParseAddrPort("192.0.2.7:6001"), netip.MustParseAddrPort("10.0.0.9:443")
	told := newTold()
	for n, p := range []model.Fingerprint{model.NewFingerprint(1, 2), model.NewFingerprint(3, 4)} {
		for _, role := range []model.Role{model.Active, model.Passive} {
			r := model.Record{Kind: model.KindTeardown}
			r.Teardown.Process.Name, r.Teardown.Process.PID = role.String(), n+1
			r.Teardown.TCP.Fingerprint, r.Teardown.TCP.Role = p, role
			r.Teardown.Network.Local = model.Endpoint{Address: netip.MustParseAddr("10.0.0.5"), Port: 4001}
			r.Teardown.Network.Peer = model.Endpoint{Address: server.Addr(), Port: server.Port()}
			if role == model.Passive {
				r.Teardown.Network.Local, r.Teardown.Network.Peer = r.Teardown.Network.Peer, r.Teardown.Network.Local
			}
			told.add(&r)
		}
	}
	text := told.say(&wire.Flagged{From: outside, To: server, Fingerprint: model.NewFingerprint(4, 3), Role: model.Active})
	if !strings.Contains(text, "sender active[2]") || !strings.Contains(text, "receiver passive[2]") {
		t.Errorf("got %q, want the second connection", text)
	}
	if text := told.say(&wire.Flagged{From: server, To: netip.MustParseAddrPort("10.0.0.5:4001"), Fingerprint: model.NewFingerprint(5, 6), Role: model.Passive}); text != "" {
		t.Errorf("got %q of a third connection, want nothing", text)
	}
}

// Two captures of both sides of a router: a RST that did not go from end to end is
// reported; without --with, a capture's other end is still reported.
func TestReplayTwoCaptures(t *testing.T) {
	var out, errs bytes.Buffer
	const folder = "../../wire/testdata/"
	if code := run([]string{"replay", folder + "device-client.pcap", "--with", folder + "device-server.pcap"}, nil, &out, &errs); code != 0 {
		t.Fatalf("exit %d: %s", code, errs.String())
	}
	for text, times := range map[string]int{
		"\n  ! the RST from 10.2.0.2:5001 is in device-client.pcap and not in device-server.pcap":    1,
		"\n    the RST from 10.2.0.2:5001 passed device-server.pcap first, as its other segments":    2,
		"\n  ! the SYN to 10.2.0.2:5001 is in device-client.pcap and not in device-server.pcap: som": 1,
	} {
		if n := strings.Count(out.String(), text); n != times {
			t.Errorf("%d times %q, want %d, in\n%s", n, text, times, out.String())
		}
	}
	if want := "5 connections are in both captures; 2 RSTs are in one of them only, or came from the wrong side"; !strings.Contains(errs.String(), want) {
		t.Errorf("got %s, want %s", errs.String(), want)
	}
	// The other way round only the open end of the second capture has the RST.
	out.Reset()
	if code := run([]string{"replay", folder + "device-server.pcap", "--with", folder + "device-client.pcap"}, nil, &out, &errs); code != 0 ||
		!strings.Contains(out.String(), "\n! the RST from 10.2.0.2:5001 is in device-client.pcap and not in device-server.pcap") {
		t.Errorf("exit %d: %s", code, out.String())
	}
}

// The capture of a router has ends of other hosts, too: only those of the recording's
// host are put beside it.
func TestWithTakesTheHostsEnds(t *testing.T) {
	var out, errs bytes.Buffer
	recording := recordingOf(t)
	text, err := os.ReadFile(recording)
	if err != nil {
		t.Fatal(err)
	}
	two := strings.SplitAfter(string(text), "\n")[:2] // of the capture's three
	if err := os.WriteFile(recording, []byte(strings.Join(two, "")), 0o600); err != nil {
		t.Fatal(err)
	}
	if code := run([]string{"replay", recording, "--with", captureOf(t)}, nil, &out, &errs); code != 0 {
		t.Fatalf("exit %d: %s", code, errs.String())
	}
	if want := "1 end of this host: in the capture, not in the recording"; !strings.Contains(errs.String(), want) {
		t.Errorf("got %s, want %s", errs.String(), want)
	}
}
