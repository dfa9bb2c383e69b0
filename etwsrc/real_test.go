package etwsrc

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"net/netip"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/closetrace/closetrace/etwsrc/etltest"
	"github.com/closetrace/closetrace/etwsrc/internal/etl"
	"github.com/closetrace/closetrace/etwsrc/internal/join"
	"github.com/closetrace/closetrace/etwsrc/internal/payload"
	"github.com/closetrace/closetrace/etwsrc/internal/raw"
	"github.com/closetrace/closetrace/model"
)

// perfView holds one line of PerfView's baseline: what its own decoder made of
// the same file.
type perfView struct {
	stamp, name string
	fields      map[string]string
}

func perfViewLines(t *testing.T) []perfView {
	var list []perfView
	for line := range strings.Lines(string(etltest.Fixture(t, "pv-net.4.5.2.x86.baseline.TcpIp-lines.txt"))) {
		rest, ok := strings.CutPrefix(line, "EVENT ")
		if !ok || !strings.Contains(line, "addr=") {
			continue // PerfView did not decode it further
		}
		stamp, rest, _ := strings.Cut(rest, ": Windows Kernel/")
		name, rest, _ := strings.Cut(rest, " ")
		l := perfView{strings.ReplaceAll(stamp, ",", ""), name, map[string]string{}}
		for pair := range strings.SplitSeq(rest, "; ") {
			key, value, _ := strings.Cut(pair, "=")
			l.fields[key] = value
		}
		for _, key := range []string{"size", "dport", "sport", "mss", "rcvwin"} {
			l.fields[key] = strings.ReplaceAll(l.fields[key], ",", "")
		}
		list = append(list, l)
	}
	return list
}

// perfViewCounts are the last lines of the baseline: how many there are of each
// event.
func perfViewCounts(t *testing.T) map[string]int {
	counts := map[string]int{}
	for line := range strings.Lines(string(etltest.Fixture(t, "pv-net.4.5.2.x86.baseline.TcpIp-lines.txt"))) {
		if rest, ok := strings.CutPrefix(line, "COUNT Windows Kernel/TcpIp/"); ok {
			name, n, _ := strings.Cut(strings.TrimSpace(rest), ":")
			counts["TcpIp/"+name], _ = strconv.Atoi(n)
		}
	}
	return counts
}

// kernelLogger returns an event of the kernel logger under the names that
// PerfView has, and the provider whose template it has. UDP, which closetrace
// does not read, is laid out like TCP.
func kernelLogger(e *raw.Event) (name string, p raw.Provider) {
	names := map[uint16]string{10: "Send", 11: "Recv", 13: "Disconnect", 15: "Accept", 26: "SendIPV6", 27: "RecvIPV6"}
	p = raw.KernelTCP
	switch {
	case raw.ProviderOf(&e.Provider) == raw.KernelTCP && (e.ID == 10 || e.ID == 26):
		return "TcpIp/" + names[e.ID], raw.KernelNetwork // sends, which are not read either
	case raw.ProviderOf(&e.Provider) == raw.KernelTCP:
		return "TcpIp/" + names[e.ID], p
	case e.Provider == raw.GUID{} && (e.ID == 10 || e.ID == 11) && len(e.Data) == 32:
		name, e.ID = "UdpIp/"+names[e.ID], 11
		return name, p
	default:
		return "", p
	}
}

// All 25 lines that PerfView printed with all their fields, of TCP and UDP:
// addresses, ports, process, sizes, window and time; and its counts.
func TestKernelLoggerEventsAgreeWithPerfView(t *testing.T) {
	data := etltest.Fixture(t, "pv-net.4.5.2.x86.etl.zip")
	r, err := etl.New(bytes.NewReader(data), int64(len(data)))
	if err != nil {
		t.Fatal(err)
	}
	have, counts := map[string]int{}, map[string]int{}
	d := payload.NewDecoder()
	var e raw.Event
	for r.Next(&e) {
		name, p := kernelLogger(&e)
		if name == "" {
			continue
		}
		if strings.HasPrefix(name, "TcpIp/") {
			counts[name]++
		}
		f, err := d.Decode(p, &e)
		if err != nil {
			t.Fatal(err)
		}
		us := (e.Time.Sub(r.Info().Start) + 500) / time.Microsecond
		local := f.NetAddress(payload.NetSaddr, payload.NetSport)
		peer := f.NetAddress(payload.NetDaddr, payload.NetDport)
		have[describe(fmt.Sprintf("%d.%03d", us/1000, us%1000), name, f.Uint32(payload.FieldPID),
			local.AddrPort(), peer.AddrPort(), f.Uint32(payload.NetSize), len(e.Data),
			f.Uint32(payload.NetMss), f.Uint32(payload.NetRcvwin))]++
	}
	lines := perfViewLines(t)
	if len(lines) != 25 {
		t.Errorf("%d lines, want the 25 with addresses", len(lines))
	}
	if want := perfViewCounts(t); len(want) != 6 || !maps.Equal(counts, want) {
		t.Errorf("counts = %v, PerfView has %v", counts, want)
	}
	for _, l := range lines {
		number := func(key string) uint32 {
			n, _ := strconv.ParseUint(l.fields[key], 10, 32)
			return uint32(n)
		}
		key := describeStrings(l.stamp, l.name, number("PID"), short(l.fields["saddr"])+" "+l.fields["sport"],
			short(l.fields["daddr"])+" "+l.fields["dport"], number("size"), int(number("DataLen")), number("mss"), number("rcvwin"))
		if have[key] == 0 {
			t.Errorf("PerfView has %s, the reader not", key)
		}
		have[key]--
	}
}

func describe(stamp, name string, pid uint32, local, peer netip.AddrPort, size uint32, length int, mss, window uint32) string {
	text := func(a netip.AddrPort) string { return short(a.Addr().String()) + " " + strconv.Itoa(int(a.Port())) }
	return describeStrings(stamp, name, pid, text(local), text(peer), size, length, mss, window)
}

func describeStrings(stamp, name string, pid uint32, local, peer string, size uint32, length int, mss, window uint32) string {
	return fmt.Sprintln(stamp, name, pid, local, peer, size, length, mss, window)
}

// short cuts an address like PerfView's baseline does.
func short(a string) string { return a[:min(len(a), 20)] }

// A kernel trace only says that connections ended: nothing may be claimed.
func TestRealDisconnectsAreEndsWithoutAReason(t *testing.T) {
	tests := []struct {
		name    string
		network []string // of those whose addresses a witness has
		process int
		count   int
	}{
		// PerfView's line "TcpIp/Disconnect PID=4 daddr=10.128.0.77 saddr=10.128.0.55 dport=60841 sport=2869".
		{"pv-net.4.5.2.x86.etl.zip", []string{"10.128.0.55:2869 10.128.0.77:60841"}, 4, 1},
		// NOTES.md: 29:2; the prototype's text has the addresses.
		{"Tx-KernelNetwork.etl", prototypeDisconnects(t), 0, 2},
	}
	for _, tt := range tests {
		data := etltest.Fixture(t, tt.name)
		list := teardowns(judge(t, data))
		if len(list) != tt.count || len(tt.network) != tt.count {
			t.Fatalf("%s: %d ends, want %d with the addresses %q", tt.name, len(list), tt.count, tt.network)
		}
		for i, g := range list {
			if got := g.Network.Local.AddrPort().String() + " " + g.Network.Peer.AddrPort().String(); got != tt.network[i] {
				t.Errorf("%s: end of %s, want %s", tt.name, got, tt.network[i])
			}
			if of(&g) != unknown || !g.Evidence.Announced.Has(model.ObservedDisconnect) {
				t.Errorf("%s: judged %+v, want %+v", tt.name, of(&g), unknown)
			}
			if g.Process.PID == 0 || tt.process != 0 && g.Process.PID != tt.process {
				t.Errorf("%s: process %d, want %d", tt.name, g.Process.PID, tt.process)
			}
		}
	}
}

// prototypeDisconnects reads the text that another decoder made of the trace.
func prototypeDisconnects(t *testing.T) []string {
	var list []string
	for line := range strings.Lines(string(etltest.Fixture(t, "Tx-KernelNetwork.decoded.txt"))) {
		words := strings.Fields(line)
		if len(words) < 8 || !strings.HasPrefix(words[1], "Disconnect") {
			continue
		}
		field := map[string]string{}
		for _, w := range words {
			key, value, _ := strings.Cut(w, "=")
			field[key] = value
		}
		local := netip.MustParseAddr(field["saddr"])
		peer := netip.MustParseAddr(field["daddr"])
		sport, _ := strconv.Atoi(field["sport"])
		dport, _ := strconv.Atoi(field["dport"])
		list = append(list, netip.AddrPortFrom(local, uint16(sport)).String()+" "+netip.AddrPortFrom(peer, uint16(dport)).String())
	}
	return list
}

func TestRealLossIsReported(t *testing.T) {
	records := judge(t, etltest.Fixture(t, "etlparser-AMSITrace.etl"))
	if len(records) != 1 || records[0].Kind != model.KindLoss || records[0].Loss.Count != 3 || records[0].Loss.Where != "session" {
		t.Errorf("records = %+v, want a loss of 3 events", records)
	}
}

// The seven real AFD events: one socket that is made and closed, and another
// with the same pointer, whose datagrams are no business of closetrace.
func TestRealAFDEventsAreTaken(t *testing.T) {
	var real struct {
		Events []struct {
			ID                              uint16
			Keywords                        string
			PID                             uint32 `json:"hdr_pid"`
			TID                             uint32 `json:"hdr_tid"`
			EnterExit, Location, Status     uint32
			Process, Endpoint, ProcessId    string
			AddressFamily, SocketType, Prot uint32
			Address                         string
		}
	}
	if err := json.Unmarshal(etltest.Fixture(t, "xrkk-afd-win10-sample.json"), &real); err != nil {
		t.Fatal(err)
	}
	m, j, decoded := etltest.Load(t), join.New(), 0
	for i, r := range real.Events {
		number := func(s string) uint64 { n, _ := strconv.ParseUint(s, 0, 64); return n }
		fields := etltest.Fields{"EnterExit": r.EnterExit, "Location": r.Location, "Endpoint": number(r.Endpoint), "Status": r.Status}
		switch r.ID {
		case 1000:
			fields["ProcessId"], fields["SocketType"] = number(r.ProcessId), r.SocketType
		case 1030:
			address, err := hex.DecodeString(r.Address)
			if err != nil {
				t.Fatal(err)
			}
			fields["Address"] = address
		case 1007:
			continue // of datagrams: windows-events.json has no template
		}
		e := raw.Event{
			Time: model.Time(i + 1), Provider: raw.AFD.GUID(), ID: r.ID, Keyword: number(r.Keywords), PID: r.PID, TID: r.TID,
			PointerSize: 8, Data: m.Payload(t, "Microsoft-Windows-Winsock-AFD", r.ID, 0, 8, fields),
		}
		f, err := payload.NewDecoder().Decode(raw.AFD, &e)
		if err != nil {
			t.Fatal(err)
		}
		if got := f.Pointer(payload.FieldEndpoint); got != 0xffffb9046006fd70 { // as the sample has it in all events
			t.Errorf("event %d: endpoint %#x", r.ID, got)
		}
		j.Add(&e)
		decoded++
	}
	if decoded != 5 {
		t.Errorf("%d events decoded, want the 5 with a template", decoded)
	}
	j.End()
	if kinds, _ := j.Decoder().Failures(); len(kinds) > 0 || len(j.Take()) > 0 {
		t.Errorf("failures %v: want that all decode and nothing ends", kinds)
	}
}
