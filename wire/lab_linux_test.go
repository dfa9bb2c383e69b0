package wire_test

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/closetrace/closetrace/internal/lab"
	"github.com/closetrace/closetrace/model"
	"github.com/closetrace/closetrace/wire"
)

// capturesFile names the file whose table TestLab writes: docs/captures.md.
const capturesFile = "CLOSETRACE_CAPTURES"

// TestLab plays the lab while tcpdump captures each scenario, and compares the captures
// with the truths, which come from the system calls' results: certain verdicts are right.
func TestLab(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs root: makes network namespaces")
	}
	if _, err := exec.LookPath("tcpdump"); err != nil {
		t.Skip("needs tcpdump")
	}
	folder := t.TempDir()
	t.Setenv(lab.CaptureEnv, folder)
	results, err := lab.Run(t.Context(), lab.Scenarios(), 4)
	if err != nil {
		t.Fatal(err)
	}
	var rows []row
	told, certain := 0, 0
	for i := range results {
		r := &results[i]
		if r.Error != "" || r.Skipped != "" {
			t.Logf("%s: not played: %s%s", r.Name, r.Error, r.Skipped)
			continue
		}
		path := filepath.Join(folder, r.Name+".pcap")
		goOn(t, path)
		records := read(t, path, wire.Options{})
		for _, e := range r.Ends {
			got := endOf(records, e.Local, e.Peer)
			rows = append(rows, row{r.Name, e, got})
			if got == nil || e.Translated {
				continue
			}
			told++
			checkFlags(t, r, &e, got)
			if got.Confidence == model.Certain {
				certain++
				if wrong := differs(&e, got); wrong != "" {
					t.Errorf("%s %s: certain and wrong: %s (%s %s)", r.Name, e.Label, wrong, got.Verdict, got.Cause)
				}
			}
		}
	}
	t.Logf("%d ends, %d of them told, %d for certain", len(rows), told, certain)
	if told < 200 || certain < 100 {
		t.Errorf("%d ends were told, %d for certain: the test shows little", told, certain)
	}
	if file := os.Getenv(capturesFile); file != "" {
		writeTable(t, file, rows)
	}
}

// row is an end with what the capture shows of it, if anything.
type row struct {
	scenario string
	end      lab.End
	got      *model.Teardown
}

// goOn appends a packet five minutes later: the capture goes on, without other packets.
func goOn(t *testing.T, path string) {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	seconds := uint32(0)
	for at := 24; at+16 <= len(data); {
		seconds = binary.LittleEndian.Uint32(data[at:])
		at += 16 + int(binary.LittleEndian.Uint32(data[at+8:]))
	}
	data = binary.LittleEndian.AppendUint32(data, seconds+300)
	data = append(data, make([]byte, 12)...)
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
}

// endOf returns the last of an end's records.
func endOf(records []model.Record, local, peer netip.AddrPort) *model.Teardown {
	for _, r := range slices.Backward(records) {
		n := r.Teardown.Network
		if n.Local.AddrPort() == local && n.Peer.AddrPort() == peer {
			return &r.Teardown
		}
	}
	return nil
}

// truthOf is what became of the connection: that a close() waited in vain is not visible
// in segments.
func truthOf(e *lab.End) *lab.Truth {
	if e.Truth.Outcome != nil {
		return e.Truth.Outcome
	}
	return &e.Truth
}

// differs says what is wrong in a judgement.
func differs(e *lab.End, got *model.Teardown) string {
	want := truthOf(e)
	switch {
	case want.Cause == model.CauseTCPRepair && got.Verdict == model.Graceful && got.TCP.FIN.Sent.Is(true) && got.TCP.FIN.Received.Is(true):
		return "" // it was to be removed without a segment, but its stack had sent them all
	case got.Verdict != want.Verdict, got.Cause != want.Cause:
		return fmt.Sprintf("want %s %s", want.Verdict, want.Cause)
	case want.Initiator != model.InitiatorUnknown && got.Initiator != want.Initiator:
		return fmt.Sprintf("initiator %s, want %s", got.Initiator, want.Initiator)
	case want.Terminator != model.TerminatorUnknown && got.Terminator != want.Terminator:
		return fmt.Sprintf("terminator %s, want %s", got.Terminator, want.Terminator)
	}
	return ""
}

// checkFlags compares FIN, RST and the fingerprint with the lab's own capture.
func checkFlags(t *testing.T, r *lab.Result, e *lab.End, got *model.Teardown) {
	t.Helper()
	var fin, rst bool
	var numbers [2][]uint32
	for _, p := range r.Packets {
		own := p.From == e.Local && p.To == e.Peer
		if own && !p.Forged {
			fin, rst = fin || p.FIN, rst || p.RST
		}
		if p.SYN && (own || p.From == e.Peer && p.To == e.Local) {
			numbers[btoi(own)] = append(numbers[btoi(own)], p.Seq)
		}
	}
	if again := len(slices.Compact(slices.Sorted(slices.Values(numbers[1])))) > 1; again {
		return // of several connections
	}
	if got.TCP.FIN.Sent.Is(true) && !fin || got.TCP.RST.Sent.Is(true) && !rst {
		t.Errorf("%s %s: FIN %v, RST %v; the lab captured %v, %v", r.Name, e.Label, got.TCP.FIN.Sent, got.TCP.RST.Sent, fin, rst)
	}
	if p := got.TCP.Fingerprint; p != 0 && len(numbers[0]) > 0 && len(numbers[1]) > 0 && !slices.ContainsFunc(numbers[0], func(a uint32) bool {
		return slices.ContainsFunc(numbers[1], func(b uint32) bool { return p == model.NewFingerprint(a, b) })
	}) {
		t.Errorf("%s %s: fingerprint %s, the SYNs have %x", r.Name, e.Label, p, numbers)
	}
}

func btoi(b bool) int {
	if b {
		return 1
	}
	return 0
}

// writeTable writes the table between its two comments.
func writeTable(t *testing.T, file string, rows []row) {
	t.Helper()
	var b strings.Builder
	b.WriteString("| scenario | end | what happened | what the capture says |\n|---|---|---|---|\n")
	seen := map[string]bool{}
	for _, r := range rows {
		want, said := truthOf(&r.end), "nothing"
		if r.got != nil {
			said = fmt.Sprintf("%s, %s, by %s (%s)", r.got.Verdict, r.got.Cause, r.got.Terminator, r.got.Confidence)
		}
		line := fmt.Sprintf("| %s | %s | %s, %s | %s |\n", r.scenario, strings.TrimRight(r.end.Label, "0123456789"), want.Verdict, want.Cause, said)
		if !seen[line] {
			b.WriteString(line)
		}
		seen[line] = true
	}
	const begin, end = "<!-- scenarios: make captures-doc -->\n", "<!-- end of scenarios -->\n"
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, _ := strings.Cut(string(text), begin)
	_, after, ok := strings.Cut(rest, end)
	if !ok {
		t.Fatalf("%s has no table", file)
	}
	if err := os.WriteFile(file, []byte(before+begin+b.String()+end+after), 0o644); err != nil {
		t.Fatal(err)
	}
}

func read(t *testing.T, path string, o wire.Options) (records []model.Record) {
	t.Helper()
	in, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	f, _, err := wire.Open(in, path, o)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for r, err := range model.Judged(f.Events(t.Context())) {
		if err != nil {
			t.Fatalf("%s: %v", path, err)
		}
		records = append(records, r)
	}
	return records
}
