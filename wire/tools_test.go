package wire_test

import (
	"bytes"
	"encoding/binary"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/closetrace/closetrace/model"
	"github.com/closetrace/closetrace/wire"
)

// storiesOf is what is reported of a capture, in lines.
func storiesOf(t *testing.T, path string) (all []string) {
	t.Helper()
	for _, r := range readFrom(t, bytes.NewBuffer(readFile(t, path)), wire.Options{}) {
		if r.Kind == model.KindTeardown {
			_, rest, _ := strings.Cut(story(&r), " ")
			all = append(all, rest)
		}
	}
	return all
}

// What Wireshark's tools make of a tcpdump capture gives the same records: in each format
// that they write, with a snap length, of several interfaces, and of several sections.
func TestWhatToolsWrite(t *testing.T) {
	if _, err := exec.LookPath("editcap"); err != nil {
		if slices.Contains(strings.Split(os.Getenv("CLOSETRACE_REQUIRE"), ","), "captures") {
			t.Fatal(err)
		}
		t.Skip("needs editcap and mergecap")
	}
	const source = "testdata/device-client.pcap"
	folder := t.TempDir()
	want := storiesOf(t, source)
	if len(want) != 10 {
		t.Fatalf("%d ends, want 10", len(want))
	}
	do := func(name string, args ...string) {
		t.Helper()
		if out, err := exec.Command(name, args...).CombinedOutput(); err != nil {
			t.Fatalf("%s: %v\n%s", name, err, out)
		}
	}
	in := func(name string) string { return filepath.Join(folder, name) }
	made := []string{}
	for _, format := range []string{"pcap", "pcapng", "modpcap", "nsecpcap"} {
		do("editcap", "-F", format, source, in(format))
		do("editcap", "-F", format, "-s", "66", source, in(format+" of 66 bytes")) // headers alone
		made = append(made, format, format+" of 66 bytes")
	}
	const half = "30" // packets
	do("editcap", "-r", source, in("first"), "1-"+half)
	do("editcap", source, in("second"), "1-"+half)
	do("mergecap", "-w", in("merged"), in("second"), in("first"))
	first, second := readFile(t, in("first")), readFile(t, in("second"))
	writeFile(t, in("sections"), append(first, second...))
	writeFile(t, in("big-endian"), bigEndian(readFile(t, source)))
	for _, name := range append(made, "merged", "sections", "big-endian") {
		if got := storiesOf(t, in(name)); !slices.Equal(got, want) {
			t.Errorf("%s: got\n%s\nwant\n%s", name, strings.Join(got, "\n"), strings.Join(want, "\n"))
		}
	}
	do("editcap", "-s", "50", source, in("short"))
	f, err := os.Open(in("short"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	c, _, err := wire.Open(f, "short", wire.Options{})
	if err != nil {
		t.Fatal(err)
	}
	for _, err := range c.Events(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
	}
	stats := c.Stats()
	if said := stats.Skipped(); len(said) != 1 || !strings.Contains(said[0], "captured too short") {
		t.Errorf("of a snap length shorter than the headers is said: %q", said)
	}
}

func readFile(t *testing.T, path string) []byte {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func writeFile(t *testing.T, path string, data []byte) {
	t.Helper()
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
}

// bigEndian is a pcap file in the byte order of other machines.
func bigEndian(data []byte) []byte {
	data = bytes.Clone(data)
	swap := func(at, size int) { slices.Reverse(data[at : at+size]) }
	next := func(at int) int { return at + 16 + int(binary.LittleEndian.Uint32(data[at+8:])) }
	for _, field := range [][2]int{{0, 4}, {4, 2}, {6, 2}, {8, 4}, {12, 4}, {16, 4}, {20, 4}} {
		swap(field[0], field[1])
	}
	for at := 24; at < len(data); {
		following := next(at)
		for field := 0; field < 16; field += 4 {
			swap(at+field, 4)
		}
		at = following
	}
	return data
}
