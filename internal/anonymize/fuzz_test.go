package anonymize

import (
	"bytes"
	"net/netip"
	"os"
	"reflect"
	"strings"
	"testing"

	"github.com/closetrace/closetrace/internal/record"
	"github.com/closetrace/closetrace/model"
)

// FuzzRecord: of whatever a recording has, no original text of some length is left in the
// bytes, what is written reads again, the judgement stays, and the same text becomes the
// same pseudonym.
func FuzzRecord(f *testing.F) {
	golden, err := os.ReadFile("../record/testdata/closetrace-1.jsonl")
	if err != nil {
		f.Fatal(err)
	}
	for line := range bytes.Lines(golden) {
		f.Add(line)
	}
	f.Add([]byte(`{"kind":"teardown","schema":"closetrace/1","process":{"pid":4294967295,"name":"/////","executable":{"path":"//a//../b/"},"command_line":"\u0000\u202e"},"cgroup":{"path":"/"}}`))
	f.Fuzz(func(t *testing.T, line []byte) {
		var d record.Decoder
		var r model.Record
		if d.Decode(line, &r) != nil {
			return
		}
		before := &texts{}
		before.collect(reflect.ValueOf(&r).Elem(), "")
		judgement := r.Teardown.Judgement
		k := key(t, "one")
		k.Record(&r)
		if !reflect.DeepEqual(judgement, r.Teardown.Judgement) {
			t.Errorf("judged %+v, was %+v", r.Teardown.Judgement, judgement)
		}
		after := record.Append(nil, &r)
		for _, text := range before.secret {
			for _, part := range strings.Split(text, "/") {
				// Short ones are in words of closetrace's own.
				if len(part) >= 12 && !strings.Contains(before.kept.String(), part) && bytes.Contains(after, quoted(part)) {
					t.Errorf("%q is left in %s", part, after)
				}
			}
		}
		for _, a := range before.addresses {
			if !a.IsLoopback() && !a.IsUnspecified() && !a.IsMulticast() && a.BitLen() == 32 && k.addresses.replace(a) == a && !a.IsLinkLocalUnicast() {
				t.Errorf("%s is its own pseudonym", a) // one in 2^32
			}
		}
		var again model.Record
		if err := d.Decode(after, &again); err != nil {
			t.Fatalf("cannot be read again: %v in %s", err, after)
		}
		if second := record.Append(nil, &again); !bytes.Equal(after, second) {
			t.Errorf("read again it is %s, was %s", second, after)
		}
	})
}

// texts are what a record has.
type texts struct {
	secret    []string
	kept      strings.Builder
	addresses []netip.Addr
}

func (c *texts) collect(v reflect.Value, name string) {
	if a, ok := v.Addr().Interface().(*netip.Addr); ok {
		c.addresses = append(c.addresses, *a)
		return
	}
	switch v.Kind() {
	case reflect.String:
		if way, known := ways[name]; known && reflect.ValueOf(way).Pointer() == reflect.ValueOf(kept).Pointer() {
			c.kept.WriteString(v.String() + "\n")
			return
		}
		c.secret = append(c.secret, v.String())
	case reflect.Struct:
		for i := range v.NumField() {
			if f := v.Type().Field(i); f.IsExported() {
				c.collect(v.Field(i), v.Type().Name()+"."+f.Name)
			}
		}
	case reflect.Slice:
		for i := range v.Len() {
			c.collect(v.Index(i), name)
		}
	case reflect.Pointer:
		if !v.IsNil() {
			c.collect(v.Elem(), name)
		}
	default:
	}
}

// quoted is a text as a line has it, without its quotes.
func quoted(text string) []byte {
	r := model.Record{Kind: model.KindTeardown}
	r.Teardown.Process.Name = text
	line := record.Append(nil, &r)
	_, rest, _ := bytes.Cut(line, []byte(`"name":"`))
	end := 0
	for end < len(rest) && rest[end] != '"' {
		if rest[end] == '\\' {
			end++
		}
		end++
	}
	return rest[:min(end, len(rest))]
}
