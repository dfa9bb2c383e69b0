package payload

import (
	"encoding/hex"
	"encoding/json"
	"encoding/xml"
	"errors"
	"net/netip"
	"strings"
	"testing"

	"github.com/closetrace/closetrace/etwsrc/etltest"
	"github.com/closetrace/closetrace/etwsrc/internal/manifest"
	"github.com/closetrace/closetrace/etwsrc/internal/raw"
)

// The payload of a real event of Windows 10; its text by pktmon says what is in it.
func TestRealStateChangeDecodes(t *testing.T) {
	var real struct {
		Text string `json:"pktmon_text"`
		Data string `json:"userdata_hex_rebuilt_here_from_the_template"`
	}
	if err := json.Unmarshal(etltest.Fixture(t, "xrkk-sst018-timewait-closed.json"), &real); err != nil {
		t.Fatal(err)
	}
	data, err := hex.DecodeString(real.Data)
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range []string{"0xFFFFDE8FBDDB6A20", "TimeWaitState", "ClosedState", "2971815692"} {
		if !strings.Contains(real.Text, s) {
			t.Fatalf("the fixture's text has changed: no %s in %s", s, real.Text)
		}
	}
	p, err := NewDecoder().Decode(raw.TCPIP, &raw.Event{ID: 1051, PointerSize: 8, Data: data})
	if err != nil {
		t.Fatal(err)
	}
	want := map[Field]uint64{FieldOldState: 10, FieldNewState: 0, FieldSndNxt: 2971815692, FieldTcb: 0xFFFFDE8FBDDB6A20}
	for f, w := range want {
		if got, ok := p.Uint(f); !ok || got != w {
			t.Errorf("%v = %#x, %v; want %#x", f, got, ok, w)
		}
	}
}

// The property bytes of real AFD events of Windows 10, with what TDH printed beside them.
func TestRealSocketAddressesDecode(t *testing.T) {
	var real struct {
		Events []struct {
			ID      uint16
			Address string
		}
	}
	if err := json.Unmarshal(etltest.Fixture(t, "xrkk-afd-win10-sample.json"), &real); err != nil {
		t.Fatal(err)
	}
	want := []string{"192.168.204.149:63444", "239.255.255.250:1900"} // by hand from the bytes
	var got []string
	for _, e := range real.Events {
		if e.Address == "" {
			continue
		}
		b, err := hex.DecodeString(e.Address)
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, SockAddr(b).AddrPort().String())
	}
	if strings.Join(got, " ") != strings.Join(want, " ") {
		t.Errorf("addresses = %v, want %v", got, want)
	}
}

// Windows 8's own manifest, which windows-events.json was not made from.
func TestTemplatesAgreeWithTheManifestOfWindows8(t *testing.T) {
	type data struct {
		Name   string `xml:"name,attr"`
		Type   string `xml:"inType,attr"`
		Length string `xml:"length,attr"`
	}
	var man struct {
		Provider struct {
			Events []struct {
				ID       uint16 `xml:"value,attr"`
				Version  uint8  `xml:"version,attr"`
				Template string `xml:"template,attr"`
			} `xml:"events>event"`
			Templates []struct {
				ID   string `xml:"tid,attr"`
				Data []data `xml:"data"`
			} `xml:"templates>template"`
		} `xml:"instrumentation>events>provider"`
	}
	if err := xml.Unmarshal(etltest.Fixture(t, "Tx-Microsoft-Windows-TCPIP-win8.man"), &man); err != nil {
		t.Fatal(err)
	}
	layouts := map[string][]data{}
	for _, tm := range man.Provider.Templates {
		layouts[tm.ID] = tm.Data
	}
	sizes := map[string]uint8{"win:UInt8": 1, "win:UInt16": 2, "win:UInt32": 4, "win:Int32": 4, "win:UInt64": 8, "win:Int64": 8, "win:Boolean": 4}
	compared, x := 0, newIndex()
	for _, e := range man.Provider.Events {
		tm := x.find(raw.TCPIP, e.ID, e.Version)
		if tm == nil || tm.version != e.Version {
			continue
		}
		compared++
		layout := layouts[e.Template]
		if len(tm.fields) > len(layout) {
			t.Errorf("event %d version %d: %d fields, Windows 8 has %d", e.ID, e.Version, len(tm.fields), len(layout))
			continue
		}
		for i, f := range tm.fields {
			w := layout[i]
			switch {
			case w.Type == "win:Pointer" && f.kind == pointer,
				w.Type == "win:Binary" && f.kind == sized && fieldNames[tm.fields[f.n].name] == w.Length,
				w.Type == "win:UnicodeString" && f.kind == text,
				sizes[w.Type] != 0 && f.kind == fixed && f.n == sizes[w.Type]:
			default:
				t.Errorf("event %d field %v: kind %d size %d, Windows 8 has %s %s", e.ID, f.name, f.kind, f.n, w.Name, w.Type)
			}
		}
	}
	if compared < 43 {
		t.Errorf("compared %d events, want at least 43", compared)
	}
}

func TestPayloadsOfBothPointerSizesDecode(t *testing.T) {
	m := etltest.Load(t)
	local := netip.MustParseAddrPort("10.0.0.5:443")
	peer := netip.MustParseAddrPort("[2001:db8::9]:51034")
	for _, size := range []int{4, 8} {
		for version := range uint8(3) {
			data := m.Payload(t, "Microsoft-Windows-TCPIP", 1043, version, size, etltest.Fields{
				"LocalAddress": local, "RemoteAddress": peer, "ProcessId": 812, "Tcb": 0x89abcdef,
			})
			p, err := NewDecoder().Decode(raw.TCPIP, &raw.Event{ID: 1043, Version: version, PointerSize: uint8(size), Data: data})
			if err != nil {
				t.Fatal(err)
			}
			if got := p.Address(FieldLocalAddress).AddrPort(); got != local {
				t.Errorf("local = %v, want %v", got, local)
			}
			if got := p.Address(FieldRemoteAddress).AddrPort(); got != peer {
				t.Errorf("peer = %v, want %v", got, peer)
			}
			if got := p.Pointer(FieldTcb); got != 0x89abcdef {
				t.Errorf("Tcb = %#x, want 0x89abcdef", got)
			}
			if got := p.Uint32(FieldProcessId); got != 812 {
				t.Errorf("ProcessId = %d, want 812", got)
			}
		}
	}
}

func TestMappedAddressesAreIPv4(t *testing.T) {
	b := etltest.SockAddr(netip.MustParseAddrPort("[::ffff:192.0.2.7]:80"))
	if got := SockAddr(b).AddrPort().String(); got != "192.0.2.7:80" {
		t.Errorf("address = %s, want 192.0.2.7:80", got)
	}
}

func TestLongerAndNewerPayloadsDecode(t *testing.T) {
	data := etltest.Load(t).Payload(t, "Microsoft-Windows-TCPIP", 1051, 0, 8, etltest.Fields{"OldState": 4, "NewState": 5, "Tcb": 77})
	d := NewDecoder()
	p, err := d.Decode(raw.TCPIP, &raw.Event{ID: 1051, Version: 9, PointerSize: 8, Data: append(data, "appended"...)})
	if err != nil {
		t.Fatal(err)
	}
	if got := p.Pointer(FieldTcb); got != 77 {
		t.Errorf("Tcb = %d, want 77", got)
	}
	if _, ok := p.Uint(FieldSocket); ok {
		t.Error("a field that the event has not was found")
	}
}

func TestShortPayloadsAreErrorsWithBothSizesAndCounted(t *testing.T) {
	data := etltest.Load(t).Payload(t, "Microsoft-Windows-TCPIP", 1051, 0, 8, nil)
	d := NewDecoder()
	for range 3 {
		_, err := d.Decode(raw.TCPIP, &raw.Event{ID: 1051, PointerSize: 8, Data: data[:17]})
		var short *ShortError
		if !errors.As(err, &short) || short.Need != 20 || short.Got != 17 {
			t.Fatalf("error = %v, want one with the sizes 20 and 17", err)
		}
	}
	// Version 1 of the classic class has another order of fields: it must not
	// be read with the template of version 2.
	if _, err := d.Decode(raw.KernelTCP, &raw.Event{ID: 13, Version: 1, PointerSize: 4, Data: make([]byte, 64)}); err == nil {
		t.Error("an event older than all templates was decoded")
	}
	kinds, counts := d.Failures()
	want := []Failure{{raw.TCPIP, 1051, 0, 17}, {raw.KernelTCP, 13, 1, 64}}
	if len(kinds) != 2 || kinds[0] != want[0] || kinds[1] != want[1] || counts[0] != 3 || counts[1] != 1 {
		t.Errorf("failures = %v %v, want %v [3 1]", kinds, counts, want)
	}
}

func TestDecodeDoesNotAllocate(t *testing.T) {
	data := etltest.Load(t).Payload(t, "Microsoft-Windows-TCPIP", 1039, 0, 8, nil)
	d, e := NewDecoder(), raw.Event{ID: 1039, PointerSize: 8, Data: data}
	if n := testing.AllocsPerRun(100, func() {
		p, _ := d.Decode(raw.TCPIP, &e)
		_ = p.Address(FieldLocalAddress)
	}); n != 0 {
		t.Errorf("allocations = %v, want 0", n)
	}
}

// FuzzDecode: every template, any bytes. Where the bytes hold the template's
// fixed part the decoder must agree with a second reading of the manifest.
func FuzzDecode(f *testing.F) {
	events, err := manifest.Events()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(uint16(0), uint8(8), []byte("0123456789abcdef0123456789abcdef"))
	f.Add(uint16(len(events)-1), uint8(4), []byte{})
	providers := map[string]raw.Provider{}
	for p := range raw.Provider(raw.Providers) {
		providers[p.String()] = p
	}
	f.Fuzz(func(t *testing.T, n uint16, pointer uint8, data []byte) {
		e := events[int(n)%len(events)]
		size := 4 + int(pointer)%2*4
		d := NewDecoder()
		p, err := d.Decode(providers[e.Provider], &raw.Event{ID: e.ID, Version: e.Version, PointerSize: uint8(size), Data: data})
		if err != nil {
			if kinds, _ := d.Failures(); len(kinds) != 1 {
				t.Fatalf("failures = %v, want one: %v", kinds, err)
			}
			return
		}
		at := 0
		for i, field := range p.fields {
			fixed := e.Fields[i].Size.Bytes + e.Fields[i].Size.Ptr*size
			if fixed == 0 {
				break
			}
			if got := p.at(i); string(got) != string(data[at:at+fixed]) {
				t.Fatalf("%s %d field %v = %x, want %x", e.Provider, e.ID, field.name, got, data[at:at+fixed])
			}
			at += fixed
		}
		for f := range Field(len(fieldNames)) {
			p.Uint(f)
			p.Address(f)
			p.NetAddress(f, FieldPID)
		}
	})
}
