package record

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"math/rand/v2"
	"net/netip"
	"os/exec"
	"strings"
	"testing"

	"github.com/closetrace/closetrace/model"
)

// TestCSVAgreesWithTheLine compares each cell with the member of that name of
// the record's line.
func TestCSVAgreesWithTheLine(t *testing.T) {
	r := random{rand.New(rand.NewPCG(21, 22))}
	var out bytes.Buffer
	c := NewCSV(&out)
	var lines []map[string]any
	for range 500 {
		rec := r.record()
		if err := c.Write(&rec); err != nil {
			t.Fatal(err)
		}
		switch rec.Kind {
		case model.KindTeardown, model.KindOutcome, model.KindCloseFailed:
			lines = append(lines, tree(t, Append(nil, &rec)))
		}
	}
	if err := c.Flush(); err != nil {
		t.Fatal(err)
	}
	rows, err := csv.NewReader(&out).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	if len(rows) != len(lines)+1 {
		t.Fatalf("got %d rows, want %d and a head", len(rows), len(lines))
	}
	for i, line := range lines {
		for k, name := range rows[0] {
			want, _ := member(line, name)
			if got := strings.TrimPrefix(rows[i+1][k], "'"); got != strings.TrimPrefix(harmless(want), "'") {
				t.Fatalf("row %d, %s: got %q, want %q", i, name, got, want)
			}
		}
	}
}

// member returns a member by its path with dots.
func member(line map[string]any, path string) (string, bool) {
	var v any = line
	for name := range strings.SplitSeq(path, ".") {
		object, ok := v.(map[string]any)
		if !ok || object[name] == nil {
			return "", false
		}
		v = object[name]
	}
	switch v := v.(type) {
	case string:
		return v, true
	case json.Number:
		return v.String(), true
	case bool:
		if v {
			return "true", true
		}
	}
	return "", false
}

func TestCSVIsHarmless(t *testing.T) {
	for name, want := range map[string]string{
		"=cmd|' /C calc'!A0": "'=cmd|' /C calc'!A0", "+1+1": "'+1+1", "-2": "-2", "-2+3": "'-2+3", "@SUM(A1)": "'@SUM(A1)",
		"\t=1": "\ufffd=1", "a\r\nb": "a\ufffd\ufffdb", "nginx": "nginx", "\xff": "\ufffd",
	} {
		if got := harmless(name); got != want {
			t.Errorf("%q: got %q, want %q", name, got, want)
		}
	}
}

func TestPcapFilter(t *testing.T) {
	var p PcapFilter
	if p.String() != "" {
		t.Errorf("got %q for nothing", p.String())
	}
	add := func(a, b string) {
		r := model.Record{Kind: model.KindTeardown}
		x, y := netip.MustParseAddrPort(a), netip.MustParseAddrPort(b)
		r.Teardown.Network.Local = model.Endpoint{Address: x.Addr(), Port: x.Port()}
		r.Teardown.Network.Peer = model.Endpoint{Address: y.Addr(), Port: y.Port()}
		p.Add(&r)
	}
	add("10.0.0.5:443", "10.0.0.9:51034")
	add("127.0.0.1:80", "127.0.0.1:40000")
	add("127.0.0.1:40000", "127.0.0.1:80") // its other end
	add("[fe80::1%eth0]:22", "[fe80::2%eth0]:40001")
	p.Add(&model.Record{Kind: model.KindLoss})
	p.Add(&model.Record{Kind: model.KindTeardown})
	want := "tcp and ((host 10.0.0.5 and host 10.0.0.9 and port 443 and port 51034)" +
		" or (host 127.0.0.1 and host 127.0.0.1 and port 80 and port 40000)" +
		" or (host fe80::1 and host fe80::2 and port 22 and port 40001))"
	if got := p.String(); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	for i := range 1000 {
		add("10.0.0.5:443", netip.AddrPortFrom(netip.MustParseAddr("10.1.0.1"), uint16(1000+i)).String())
	}
	if p.Skipped() != 853 {
		t.Errorf("got %d skipped, want 3+1000-150", p.Skipped())
	}
	tcpdump, err := exec.LookPath("tcpdump")
	if err != nil {
		t.Skip("tcpdump is not installed: the language is not checked by its own compiler")
	}
	if out, err := exec.Command(tcpdump, "-d", "-y", "EN10MB", p.String()).CombinedOutput(); err != nil {
		t.Errorf("tcpdump does not take the filter: %s", out)
	}
}
