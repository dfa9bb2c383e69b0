package main

import (
	"bytes"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/klauspost/compress/gzip"

	"github.com/closetrace/closetrace/wire/wiretest"
)

// captureFile makes a capture that begins then.
func captureFile(t *testing.T, name string, begin time.Time, script func(m *wiretest.Maker)) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	var file bytes.Buffer
	m := wiretest.New(&file, begin)
	script(m)
	data := file.Bytes()
	if strings.HasSuffix(name, ".gz") {
		var packed bytes.Buffer
		z := gzip.NewWriter(&packed)
		_, _ = z.Write(data)
		if err := z.Close(); err != nil {
			t.Fatal(err)
		}
		data = packed.Bytes()
	}
	if err := os.WriteFile(path, data, 0o600); err != nil || m.Err != nil {
		t.Fatal(err, m.Err)
	}
	return path
}

// ran runs a command that is to end with code, and returns what it wrote.
func ran(t *testing.T, code int, args ...string) (out, errs string) {
	t.Helper()
	var o, e bytes.Buffer
	if got := run(args, nil, &o, &e); got != code {
		t.Errorf("%q: exit %d, want %d: %s", args, got, code, &e)
	}
	return o.String(), e.String()
}

var (
	togetherBegin  = time.Date(2026, 11, 20, 17, 23, 0, 0, time.UTC)
	togetherServer = netip.MustParseAddrPort("10.91.1.2:9999")
)

// refusals are 16 attempts a second apart that were refused, at a client or a hop further.
func refusals(far uint8) func(m *wiretest.Maker) {
	return func(m *wiretest.Maker) {
		for n := range uint16(16) {
			from := netip.AddrPortFrom(netip.MustParseAddr("10.91.2.2"), 40000+n)
			m.Send(&wiretest.Segment{From: from, To: togetherServer, Seq: 7, Flags: wiretest.SYN, Window: 64000, TTL: 64 - far})
			m.Now = m.Now.Add(time.Millisecond)
			m.Send(&wiretest.Segment{From: togetherServer, To: from, Ack: 8, Flags: wiretest.RST | wiretest.ACK, TTL: 63 + far})
			m.Now = m.Now.Add(999 * time.Millisecond)
		}
	}
}

// TestCapturesTogether: captures of two places of a path have each connection once.
func TestCapturesTogether(t *testing.T) {
	near := captureFile(t, "near.pcap", togetherBegin, refusals(0))
	far := captureFile(t, "far.pcap.gz", togetherBegin.Add(30*time.Millisecond), refusals(1))
	want, _ := ran(t, 0, "diagnose", near)
	if !strings.Contains(want, "was refused by 10.91.1.2:9999 16 times, every 1s on average") {
		t.Errorf("one capture: got\n%s", want)
	}
	for _, files := range [][]string{{near, far}, {far, near}, {near, near}} {
		got, errs := ran(t, 0, append([]string{"diagnose"}, files...)...)
		if got != want || errs != "" {
			t.Errorf("%q: got\n%s%s\nwant\n%s", files, got, errs, want)
		}
		if got, _ := ran(t, 0, append([]string{"summary"}, files...)...); !strings.Contains(got, "16 connection ends") {
			t.Errorf("%q: got\n%s", files, got)
		}
	}
	if got, _ := ran(t, 0, "summary", near, far, "--since", "2026-11-20T17:23:10Z"); !strings.Contains(got, "6 connection ends") {
		t.Errorf("since: got\n%s", got)
	}
	if got, _ := ran(t, 0, "summary", near, far, "--local", "10.91.1.0/24"); !strings.Contains(got, "0 connection ends") {
		t.Errorf("local: got\n%s", got)
	}
	if got, _ := ran(t, 0, "summary", near, far, "--filter", "network.local.port < 40004"); !strings.Contains(got, "4 connection ends") {
		t.Errorf("filter: got\n%s", got)
	}
	if _, errs := ran(t, 0, "diagnose", near, far, "--since", "2026-11-21"); !strings.Contains(errs, "near.pcap and "+far+": nothing since 2026-11-21") {
		t.Errorf("nothing: got %s", errs)
	}
	// Recordings are read one after the other, and captures together.
	if got, _ := ran(t, 0, "summary", near, recordingOf(t), far); !strings.Contains(got, "20 connection ends") {
		t.Errorf("with a recording: got\n%s", got)
	}
}

// TestCaptureRing: the files of a ring are one capture; a connection may go over several.
func TestCaptureRing(t *testing.T) {
	from := netip.MustParseAddrPort("10.91.2.2:40000")
	var ring []string
	for n := range 4 {
		ring = append(ring, captureFile(t, fmt.Sprintf("ring_%d.pcap", n), togetherBegin.Add(time.Duration(1<<n)*time.Second), func(m *wiretest.Maker) {
			m.Send(&wiretest.Segment{From: from, To: togetherServer, Seq: 7, Flags: wiretest.SYN, Window: 64000})
			if n == 3 { // the capture goes on, and the SYN is no longer sent
				m.Now = m.Now.Add(time.Minute)
				m.Packet(make([]byte, 60))
			}
		}))
	}
	one := captureFile(t, "no-packets.pcap", togetherBegin, func(*wiretest.Maker) {})
	got, errs := ran(t, 0, "diagnose", ring[2], ring[0], one, ring[3], ring[1])
	if !strings.Contains(got, "path-dead") || !strings.Contains(got, "no answer to 1 attempt, given up after 7") {
		t.Errorf("got\n%s", got)
	}
	if errs != "closetrace: "+one+": the capture has no packets\n" {
		t.Errorf("got %s", errs)
	}
}

// TestCapturesTogetherCut: of a capture that is cut the others are used all the same, and
// the exit code says that something is missing.
func TestCapturesTogetherCut(t *testing.T) {
	near := captureFile(t, "near.pcap", togetherBegin, refusals(0))
	far := captureFile(t, "far.pcap", togetherBegin.Add(time.Millisecond), refusals(1))
	for _, path := range []string{near, far} {
		info, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.Truncate(path, info.Size()-7); err != nil {
			t.Fatal(err)
		}
	}
	got, errs := ran(t, exitRuntime, "diagnose", near, far)
	if !strings.Contains(got, "16 times") && !strings.Contains(got, "15 times") {
		t.Errorf("got\n%s", got)
	}
	for _, path := range []string{near, far} {
		if !strings.Contains(errs, "read "+path+": cut at byte") {
			t.Errorf("%s is not named: %s", path, errs)
		}
	}
	if _, errs := ran(t, exitRuntime, "summary", near, near+".gone"); !strings.Contains(errs, "near.pcap.gone: no such file") {
		t.Errorf("got %s", errs)
	}
}

// TestCapturesTogetherPipe: one of the files may be a pipe, a capture or a recording.
func TestCapturesTogetherPipe(t *testing.T) {
	near := captureFile(t, "near.pcap", togetherBegin, refusals(0))
	far := captureFile(t, "far.pcap.gz", togetherBegin.Add(-30*time.Millisecond), refusals(1))
	stdin := os.Stdin
	defer func() { os.Stdin = stdin }()
	for in, want := range map[string]string{near: "16 connection ends", far: "16 connection ends", recordingOf(t): "20 connection ends"} {
		data, err := os.ReadFile(in)
		if err != nil {
			t.Fatal(err)
		}
		r, w, err := os.Pipe()
		if err != nil {
			t.Fatal(err)
		}
		os.Stdin = r
		go func() {
			_, _ = w.Write(data)
			w.Close()
		}()
		if got, errs := ran(t, 0, "summary", near, "-", far); !strings.Contains(got, want) {
			t.Errorf("%s: got\n%s%s", in, got, errs)
		}
	}
}
