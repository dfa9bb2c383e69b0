package anonymize

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"net/netip"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/closetrace/closetrace/internal/findings"
	"github.com/closetrace/closetrace/internal/record"
	"github.com/closetrace/closetrace/model"
)

// TestCryptoPAn: the sample trace of the authors' own implementation.
func TestCryptoPAn(t *testing.T) {
	p, err := newPrefixes(&[32]byte{
		21, 34, 23, 141, 51, 164, 207, 128, 19, 10, 91, 22, 73, 144, 125, 16,
		216, 152, 143, 131, 121, 121, 101, 39, 98, 87, 76, 45, 42, 132, 34, 2,
	})
	if err != nil {
		t.Fatal(err)
	}
	for from, to := range map[string]string{
		"128.11.68.132": "135.242.180.132", "129.118.74.4": "134.136.186.123", "130.132.252.244": "133.68.164.234",
		"141.223.7.43": "141.167.8.160", "141.233.145.108": "141.129.237.235", "152.163.225.39": "151.140.114.167",
		"156.29.3.236": "147.225.12.42", "165.247.96.84": "162.9.99.234", "166.107.77.190": "160.132.178.185",
		"192.102.249.13": "252.138.62.131", "::ffff:192.102.249.13": "::ffff:252.138.62.131",
		"127.0.0.1": "127.0.0.1", "::1": "::1", "0.0.0.0": "0.0.0.0",
	} {
		if got := p.replace(netip.MustParseAddr(from)).String(); got != to {
			t.Errorf("%s became %s, want %s", from, got, to)
		}
	}
}

// TestPrefixesStay: of IPv6 too, two addresses share as many bits as before.
func TestPrefixesStay(t *testing.T) {
	k := key(t, "one")
	shared := func(a, b netip.Addr) int {
		for bits := a.BitLen(); ; bits-- {
			if p, _ := a.Prefix(bits); p.Contains(b) {
				return bits
			}
		}
	}
	all := []string{"2001:db8::1", "2001:db8::2", "2001:db8:0:1::1", "2001:db9::1", "fe80::1", "fe80::8000:0:0:1"}
	for _, x := range all {
		for _, y := range all {
			a, b := netip.MustParseAddr(x), netip.MustParseAddr(y)
			if got, want := shared(k.addresses.replace(a), k.addresses.replace(b)), shared(a, b); got != want {
				t.Errorf("%s and %s share %d bits, want %d", a, b, got, want)
			}
		}
	}
}

// TestPrivateAddressesStayHosts: no key makes them loopback or unspecified ones; keys that
// never did make what they made.
func TestPrivateAddressesStayHosts(t *testing.T) {
	again := 0
	for i := range 1000 {
		secret := fmt.Sprint("secret ", i)
		k := key(t, secret)
		for _, private := range []string{"10.1.2.3", "172.16.0.1", "172.31.9.9", "192.168.1.1", "100.64.7.7"} {
			a := k.addresses.replace(netip.MustParseAddr(private))
			if first := a.As4()[0]; first == 0 || first == 127 {
				t.Errorf("%q makes %s of %s", secret, a, private)
			}
		}
		sum := sha256.Sum256([]byte("addresses\x00" + secret))
		first, err := newPrefixes(&sum)
		if err != nil {
			t.Fatal(err)
		}
		if first.misleads() {
			again++
		} else if first.pad != k.addresses.pad {
			t.Errorf("%q makes other addresses than before", secret)
		}
	}
	if again == 0 || again > 100 {
		t.Errorf("%d keys of 1000 were made again", again)
	}
}

func key(t *testing.T, secret string) *Key {
	t.Helper()
	k, err := NewKey([]byte(secret))
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// marker fills all fields of a record with values that are found again in its bytes.
type marker struct {
	n     uint32
	marks []string // what must not be left
}

func (m *marker) fill(v reflect.Value, name string) {
	m.n++
	switch p := v.Addr().Interface().(type) {
	case *netip.Addr:
		var b [4]byte
		binary.BigEndian.PutUint32(b[:], 0x0a000000+m.n*7919)
		*p = netip.AddrFrom4(b)
		m.marks = append(m.marks, p.String())
		return
	case *model.Opt[uint32]:
		*p = model.Some(3_100_000_000 + m.n)
		if name == "User.ID" || name == "Loss.UID" || name == "Table.UID" {
			m.marks = append(m.marks, fmt.Sprint(3_100_000_000+m.n))
		}
		return
	case *model.Fingerprint:
		*p = model.Fingerprint(0xabcdef0000000000 + uint64(m.n))
		m.marks = append(m.marks, p.String())
		return
	case *model.Kind, *model.Path, *model.Observations:
		return
	}
	switch v.Kind() {
	case reflect.String:
		mark := fmt.Sprintf("secret%dsecret", m.n)
		v.SetString("/" + mark + "/" + mark)
		if way, known := ways[name]; !known || reflect.ValueOf(way).Pointer() != reflect.ValueOf(kept).Pointer() {
			m.marks = append(m.marks, mark)
		}
	case reflect.Struct:
		for i := range v.NumField() {
			if f := v.Type().Field(i); f.IsExported() {
				m.fill(v.Field(i), v.Type().Name()+"."+f.Name)
			}
		}
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 1, 1))
		m.fill(v.Index(0), name)
	case reflect.Uint32:
		v.SetUint(uint64(2_200_000_000 + m.n))
		if strings.HasSuffix(name, ".NetNS") {
			m.marks = append(m.marks, fmt.Sprint(2_200_000_000+m.n))
		}
	case reflect.Int:
		v.SetInt(int64(2_000_000_000 + m.n))
		if strings.HasSuffix(name, "PID") || strings.HasSuffix(name, "TID") {
			m.marks = append(m.marks, fmt.Sprint(2_000_000_000+m.n))
		}
	default:
	}
}

// TestNothingIsLeft: whatever a record may hold, also in a field that is new, no
// original is left in its bytes; and every field of text is known here, so that a new
// one is thought of.
func TestNothingIsLeft(t *testing.T) {
	for _, kind := range []model.Kind{
		model.KindStart, model.KindTeardown, model.KindOutcome, model.KindCloseFailed, model.KindLoss,
		model.KindCounters, model.KindTable, model.KindStray, model.KindCounts, model.KindStop,
	} {
		var r model.Record
		m := &marker{}
		m.fill(reflect.ValueOf(&r).Elem(), "")
		r.Kind = kind
		before := string(record.Append(nil, &r))
		key(t, "one").Record(&r)
		after := string(record.Append(nil, &r))
		found := 0
		for _, mark := range m.marks {
			if strings.Contains(before, mark) {
				found++
			}
			if strings.Contains(after, mark) {
				t.Errorf("%v: %s is left in %s", kind, mark, after)
			}
		}
		if kind == model.KindTeardown && found < 20 {
			t.Errorf("only %d values were looked for", found)
		}
	}
	known(t, reflect.TypeFor[model.Record]())
}

// TestRelease: of a kernel only the version stays, not whose it is; namespaces stay apart.
func TestRelease(t *testing.T) {
	k := key(t, "one")
	for from, to := range map[string]string{
		"6.1.0-acme-prod": "6.1.0", "5.15.167.4-microsoft-standard-WSL2": "5.15.167", "6.18": "6.18", "10.0.19045": "10.0.19045",
		"6.1_acme": "", "Linux 6.1.0 of acme": "", "acme": "", "": "",
	} {
		r := model.Record{Kind: model.KindStart, Start: model.Start{OS: model.OS{Version: from}}}
		if k.Record(&r); r.Start.OS.Version != to {
			t.Errorf("%q became %q, want %q", from, r.Start.OS.Version, to)
		}
	}
	var seen []uint32
	for _, netns := range []uint32{0, 4026531840, 4026531840, 4026532000} {
		r := model.Record{Kind: model.KindTeardown}
		r.Teardown.Network.NetNS = netns
		k.Record(&r)
		seen = append(seen, r.Teardown.Network.NetNS)
	}
	if seen[0] != 0 || seen[1] == 4026531840 || seen[1] != seen[2] || seen[2] == seen[3] {
		t.Errorf("namespaces became %v", seen)
	}
}

func known(t *testing.T, of reflect.Type) {
	for i := range of.NumField() {
		f := of.Field(i)
		inner := f.Type
		for inner.Kind() == reflect.Slice || inner.Kind() == reflect.Pointer {
			inner = inner.Elem()
		}
		switch name := of.Name() + "." + f.Name; {
		case inner.Kind() == reflect.String && ways[name] == nil:
			t.Errorf("%s: say in ways how it is replaced, or that it is kept", name)
		case inner.Kind() == reflect.Struct && f.IsExported() && inner.PkgPath() == of.PkgPath():
			known(t, inner)
		}
	}
}

// TestJudgementStays: verdicts, times and findings are those of the original, and the
// same value has the same pseudonym in every record.
func TestJudgementStays(t *testing.T) {
	r, err := record.Open("../record/testdata/closetrace-1.jsonl")
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	k := key(t, "one")
	was, is := findings.New(), findings.New()
	pseudonyms := map[string]string{}
	for one, err := range r.Records() {
		if err != nil {
			t.Fatal(err)
		}
		other := one
		was.Add(&one)
		k.Record(&other)
		is.Add(&other)
		if one.Time() != other.Time() || one.Teardown.Judgement != other.Teardown.Judgement {
			t.Errorf("got %+v, want %+v", other.Teardown.Judgement, one.Teardown.Judgement)
		}
		name := one.Teardown.Process.Name
		if before, met := pseudonyms[name]; met && before != other.Teardown.Process.Name {
			t.Errorf("%s is %s and %s", name, before, other.Teardown.Process.Name)
		}
		pseudonyms[name] = other.Teardown.Process.Name
	}
	was.Finish()
	is.Finish()
	if want, got := kindsOf(was), kindsOf(is); !cmp.Equal(want, got) {
		t.Errorf("findings: %s", cmp.Diff(want, got))
	}
	if a, b := key(t, "one").name("x", "y"), key(t, "two").name("x", "y"); a == b {
		t.Error("two keys make the same pseudonym")
	}
}

// kindsOf returns the patterns that were found.
func kindsOf(e *findings.Engine) (all []string) {
	for _, f := range e.Report().Findings {
		all = append(all, fmt.Sprint(f.ID, f.Count, f.First, f.Last))
	}
	slices.Sort(all) // those of one weight are in the order of their names
	return all
}
