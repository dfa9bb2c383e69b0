package record

import (
	"bytes"
	"encoding/json"
	"math/rand/v2"
	"reflect"
	"strconv"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/closetrace/closetrace/model"
)

// head is what every line has; the other structs add a kind's own members.
type head struct {
	Kind         model.Kind `json:"kind"`
	Schema       string     `json:"schema"`
	Time         model.Time `json:"time"`
	TimeUnixNano string     `json:"time_unix_nano"`
}

type teardownLine struct {
	head
	Retracts bool `json:"retracts,omitzero"`
	model.Teardown
	// What the judgement has in this object of the facts; encoding/json does not support
	// names with a dot.
	Linger struct {
		model.Linger
		Outcome model.LingerOutcome `json:"outcome,omitzero"`
	} `json:"linger,omitzero"`
	NoDot struct{} `json:"linger.outcome,omitzero"`
}

func lineOf(h head, r *model.Record) (l teardownLine) {
	l.head, l.Retracts, l.Teardown = h, r.Retracts, r.Teardown
	l.Linger.Linger, l.Linger.Outcome = r.Teardown.Linger, r.Teardown.LingerOutcome
	return l
}

func (l *teardownLine) whole() model.Teardown {
	t := l.Teardown
	t.Linger, t.LingerOutcome = l.Linger.Linger, l.Linger.Outcome
	return t
}

type closeFailedLine struct {
	head
	Error string `json:"error,omitzero"`
	model.Facts
}

// standardLine is r as encoding/json writes it by the tags of the model.
func standardLine(t testing.TB, r *model.Record) []byte {
	h := head{r.Kind, model.Schema, r.Time(), strconv.FormatInt(int64(r.Time()), 10)}
	var v any
	switch r.Kind {
	case model.KindTeardown, model.KindOutcome:
		v = lineOf(h, r)
	case model.KindCloseFailed:
		v = closeFailedLine{h, r.Error, r.Teardown.Facts}
	case model.KindLoss:
		v = struct {
			head
			model.Loss
		}{h, r.Loss}
	case model.KindCounters:
		v = struct {
			head
			model.Counters
		}{h, r.Counters}
	case model.KindClock:
		v = struct {
			head
			model.Clock
		}{h, r.Clock}
	case model.KindTable:
		v = struct {
			head
			model.Table
		}{h, r.Table}
	case model.KindStray:
		v = struct {
			head
			Stray model.Stray `json:"stray"`
			model.Facts
		}{h, r.Stray, r.Teardown.Facts}
	case model.KindCounts:
		v = struct {
			head
			Counted model.Counted `json:"counted"`
			model.Facts
		}{h, r.Counted, r.Teardown.Facts}
	case model.KindStart:
		v = struct {
			head
			model.Start
		}{h, r.Start}
	case model.KindStop:
		v = struct {
			head
			model.Stop
		}{h, r.Stop}
	}
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatalf("encoding/json: %v", err)
	}
	return b
}

// tree is the members of a line. Empty members are removed: the format leaves out what is
// not known, even if the model's tags would write "" or {}.
func tree(t testing.TB, line []byte) map[string]any {
	t.Helper()
	d := json.NewDecoder(bytes.NewReader(line))
	d.UseNumber()
	var m map[string]any
	if err := d.Decode(&m); err != nil {
		t.Fatalf("encoding/json can't read the line: %v\n%s", err, line)
	}
	return prune(m).(map[string]any)
}

func prune(v any) any {
	switch v := v.(type) {
	case map[string]any:
		for k := range v {
			if v[k] = prune(v[k]); v[k] == "" || reflect.DeepEqual(v[k], map[string]any{}) {
				delete(v, k)
			}
		}
	case []any:
		for i := range v {
			v[i] = prune(v[i])
		}
	}
	return v
}

func TestAppendAgreesWithEncodingJSON(t *testing.T) {
	r := random{rand.New(rand.NewPCG(1, 2))}
	for i := range 5000 {
		rec := r.record()
		line := Append(nil, &rec)
		if n := bytes.IndexByte(line, '\n'); n != len(line)-1 {
			t.Fatalf("record %d: line feed at %d of %d bytes", i, n, len(line))
		}
		if !utf8.Valid(line) {
			t.Fatalf("record %d: line is not UTF-8: %q", i, line)
		}
		if again := Append(nil, &rec); !bytes.Equal(again, line) { // now with the parts of the first time
			t.Fatalf("record %d: got %s, then %s", i, line, again)
		}
		got, want := tree(t, line), shortTree(t, &rec)
		if !reflect.DeepEqual(got, want) {
			t.Fatalf("record %d: %s\n%s", i, difference(got, want), line)
		}
	}
}

func TestLinesAreInertOnATerminal(t *testing.T) {
	r := random{rand.New(rand.NewPCG(3, 4))}
	for range 2000 {
		rec := r.record()
		for _, c := range string(bytes.TrimSuffix(Append(nil, &rec), []byte("\n"))) {
			if c < ' ' || c >= 0x7f && c < 0xa0 || c >= 0x202a && c <= 0x202e {
				t.Fatalf("line holds %U", c)
			}
		}
	}
}

func TestFactsAndTCPAreAlwaysWritten(t *testing.T) {
	for _, kind := range []model.Kind{model.KindTeardown, model.KindOutcome} {
		line := string(Append(nil, &model.Record{Kind: kind}))
		for _, want := range []string{`"facts":{}`, `"tcp":{}`, `"network":{}`} {
			if !strings.Contains(line, want) {
				t.Errorf("%v: no %s in %s", kind, want, line)
			}
		}
	}
}

func TestAppendDoesNotAllocate(t *testing.T) {
	rec := sample()
	b := make([]byte, 0, 8192)
	if n := testing.AllocsPerRun(100, func() { b = Append(b[:0], &rec) }); n != 0 {
		t.Errorf("got %v allocations for a line, want 0", n)
	}
}

func TestTimeHasSixDigits(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	for range 10000 {
		when := model.Time(r.Int64())
		if r.IntN(2) == 0 {
			when = -when
		}
		if got, want := string(appendTime(nil, when)), when.String(); got != want {
			t.Fatalf("%d: got %s, want %s", when, got, want)
		}
	}
}

func TestLongStringsAreCut(t *testing.T) {
	rec := sample()
	rec.Teardown.Process.CommandLine = "x" + strings.Repeat("é", MaxString)
	var d Decoder
	var got model.Record
	line := Append(nil, &rec)
	if len(line) > MaxLine {
		t.Errorf("got a line of %d bytes, want at most %d", len(line), MaxLine)
	}
	if err := d.Decode(line, &got); err != nil {
		t.Fatal(err)
	}
	if n := len(got.Teardown.Process.CommandLine); n != MaxString-1 || !strings.HasPrefix(rec.Teardown.Process.CommandLine, got.Teardown.Process.CommandLine) {
		t.Errorf("got %d bytes, want the first %d, up to a whole character", n, MaxString-1)
	}
}
