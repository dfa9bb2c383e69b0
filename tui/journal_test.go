package tui

import (
	"encoding/json"
	"math/rand/v2"
	"net/netip"
	"reflect"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/closetrace/closetrace/model"
)

// fillRandom sets what lies in v: about half of all fields, numbers of any size.
func fillRandom(r *rand.Rand, v reflect.Value) {
	switch {
	case v.Type() == reflect.TypeFor[netip.Addr]():
		all := []string{"10.1.2.3", "::ffff:10.1.2.3", "2001:db8::7", "fe80::1%eth0", "::", "0.0.0.0"}
		if r.IntN(3) > 0 {
			v.Set(reflect.ValueOf(netip.MustParseAddr(all[r.IntN(len(all))])))
		}
	case v.Kind() == reflect.Struct:
		if opt, isOpt := v.Addr().Interface().(json.Unmarshaler); isOpt && v.Type().NumField() == 2 && !v.Type().Field(0).IsExported() {
			if r.IntN(2) == 0 {
				if opt.UnmarshalJSON([]byte("1")) != nil {
					_ = opt.UnmarshalJSON([]byte("true"))
				}
			}
			return
		}
		for i := range v.NumField() {
			if v.Field(i).CanSet() {
				fillRandom(r, v.Field(i))
			}
		}
	case r.IntN(2) == 0:
	case v.Kind() == reflect.String:
		v.SetString([]string{"nginx", "a\x00\xff", "x", "b35a1-1", "b35a1-0", "-", "b-0a", "b35a1-0000000000000000000"}[r.IntN(8)] + string(rune("ag"[r.IntN(2)]+byte(r.IntN(3)))))
	case v.Kind() == reflect.Bool:
		v.SetBool(true)
	case v.Kind() == reflect.Slice:
		if r.IntN(8) == 0 {
			v.Set(reflect.MakeSlice(v.Type(), 1, 1))
		}
	case v.Kind() == reflect.Map:
		v.Set(reflect.ValueOf(map[string]uint64{"x": r.Uint64()}))
	case v.CanInt():
		v.SetInt(int64(r.Uint64()) >> r.IntN(64))
	case v.CanUint():
		v.SetUint(r.Uint64() >> r.IntN(64))
	}
}

// TestJournalKeepsEverything: what comes out is what went in, whatever a record holds,
// from the journal and from a snapshot that is older.
func TestJournalKeepsEverything(t *testing.T) {
	r := rand.New(rand.NewPCG(16, 4))
	j := newJournal(3 * chunkSize)
	var all []model.Record
	add := func(n int) {
		for range n {
			var rec model.Record
			fillRandom(r, reflect.ValueOf(&rec).Elem())
			if r.IntN(4) > 0 {
				rec.Counters.Counts, rec.Stop.Teardowns = nil, nil
			}
			all = append(all, rec)
			j.add(&rec)
		}
	}
	check := func(what string, j *journal) {
		t.Helper()
		for seq := j.first; seq < j.next; seq++ {
			if got := *j.at(seq); !reflect.DeepEqual(got, all[seq]) {
				t.Fatalf("%s, record %d: %s", what, seq, cmp.Diff(all[seq], got, cmp.Exporter(func(reflect.Type) bool { return true })))
			}
		}
	}
	add(700)
	check("kept", &j)
	old := j.snapshot()
	add(5000)
	check("kept", &j)
	check("a snapshot", &old)
	if old.next != 700 || j.next-j.first < 3*chunkSize {
		t.Errorf("a snapshot of %d records, %d kept", old.next, j.next-j.first)
	}
	j.release()
	add(5000)
	check("kept again", &j)
}

// TestJournalIsCompact: 50,000 ends of a busy host take less than 10 MB.
func TestJournalIsCompact(t *testing.T) {
	j := newJournal(DefaultKeep)
	for _, rec := range feed(DefaultKeep, at, 1e6) {
		j.add(&rec)
	}
	total := j.size()
	t.Logf("%d bytes each", total/DefaultKeep)
	if total > 10<<20 || j.next-j.first < DefaultKeep {
		t.Errorf("%d bytes of %d records, want 10 MiB of %d", total, j.next-j.first, DefaultKeep)
	}
}

// TestJournalOfLongTexts: a tenant whose command lines are long and differ takes records
// from the journal, not memory from the host.
func TestJournalOfLongTexts(t *testing.T) {
	j := newJournal(DefaultKeep)
	long := strings.Repeat("x", 4000)
	records := feed(DefaultKeep, at, 1e6)
	for i := range records {
		if i%2 == 0 {
			records[i].Teardown.Process.CommandLine = long + strconv.Itoa(i)
		}
		j.add(&records[i])
	}
	if size := j.size(); size > maxJournal*5/4 {
		t.Errorf("%d bytes, want about %d", size, maxJournal)
	}
	if kept := j.next - j.first; kept < 5000 || len(j.spare) > 1 {
		t.Errorf("%d records are kept, and %d chunks that are not used", kept, len(j.spare))
	}
	for seq := j.first; seq < j.next; seq++ {
		if got, want := j.at(seq).Teardown.Process.CommandLine, records[seq].Teardown.Process.CommandLine; got != want {
			t.Fatalf("record %d has another command line", seq)
		}
	}
}

func BenchmarkJournal(b *testing.B) {
	records := feed(4096, at, 1e6)
	j := newJournal(DefaultKeep)
	b.ReportAllocs()
	for i := range b.N {
		j.add(&records[i%len(records)])
	}
}
