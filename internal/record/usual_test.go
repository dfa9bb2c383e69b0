package record

import (
	"bytes"
	"encoding"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"

	"github.com/closetrace/closetrace/model"
)

// usualField is a fact of which the model says what it usually is.
type usualField struct {
	path  []string // names in a line
	value string
	index []int // of the struct's field
}

// usualFields reads the tags of a struct, and not what the generator made of them.
func usualFields(of reflect.Type, path []string, index []int) (list []usualField) {
	for i := range of.NumField() {
		f := of.Field(i)
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		below, at := append(path[:len(path):len(path)], name), append(index[:len(index):len(index)], i)
		switch value := f.Tag.Get("usual"); {
		case value != "":
			list = append(list, usualField{below, value, at})
		case f.Type.Kind() == reflect.Struct && f.IsExported() && !strings.HasPrefix(f.Type.Name(), "Opt["):
			list = append(list, usualFields(f.Type, below, at)...)
		}
	}
	return list
}

var allUsual = usualFields(reflect.TypeFor[model.Facts](), nil, nil)

// leaveOutUsual does to the members of a line what docs/record.md says of facts.usual.
func leaveOutUsual(line map[string]any) {
	var same []usualField
	for _, f := range allUsual {
		value := memberAt(line, f.path)
		if value == nil {
			return
		}
		if fmt.Sprint(value) == f.value {
			same = append(same, f)
		}
	}
	for _, f := range same {
		delete(memberAt(line, f.path[:len(f.path)-1]).(map[string]any), f.path[len(f.path)-1])
	}
	if line["facts"] == nil {
		line["facts"] = map[string]any{}
	}
	line["facts"].(map[string]any)["usual"] = true
	prune(line)
}

// shortTree is the members of r's line, by the tags of the model.
func shortTree(t testing.TB, r *model.Record) map[string]any {
	line := tree(t, standardLine(t, r))
	if r.Kind == model.KindTeardown || r.Kind == model.KindOutcome {
		leaveOutUsual(line)
	}
	return line
}

// restoreUsual is the reverse, on facts that encoding/json has read.
func restoreUsual(line []byte, facts *model.Facts) {
	if bytes.Contains(line, []byte(`"usual":true`)) {
		for _, f := range allUsual {
			if v := reflect.ValueOf(facts).Elem().FieldByIndex(f.index); v.IsZero() {
				f.set(v)
			}
		}
	}
}

func memberAt(v any, path []string) any {
	for _, name := range path {
		object, _ := v.(map[string]any)
		v = object[name]
	}
	return v
}

// makeUsual sets facts to their usual values: all that are not known, and more.
func (r random) makeUsual(facts *model.Facts) {
	for _, f := range allUsual {
		v := reflect.ValueOf(facts).Elem().FieldByIndex(f.index)
		if !v.IsZero() && r.IntN(3) == 0 {
			continue
		}
		f.set(v)
	}
}

func (f *usualField) set(v reflect.Value) {
	var err error
	switch p := v.Addr().Interface().(type) {
	case json.Unmarshaler:
		err = p.UnmarshalJSON([]byte(f.value))
	case encoding.TextUnmarshaler:
		err = p.UnmarshalText([]byte(f.value))
	}
	if err != nil {
		panic(err)
	}
}

// TestUsualFactsAreKnown: what is left out is read as what it was, and a fact that is
// not known stays so: then nothing is left out.
func TestUsualFactsAreKnown(t *testing.T) {
	if len(allUsual) < 14 {
		t.Fatalf("the model says of %d facts what they usually are, want 14 or more", len(allUsual))
	}
	r := random{rand.New(rand.NewPCG(21, 22))}
	var d Decoder
	for i := range allUsual {
		var rec, got model.Record
		rec.Kind, rec.Teardown.Time = model.KindTeardown, 1795195380123456789
		r.makeUsual(&rec.Teardown.Facts)
		line := Append(nil, &rec)
		if !bytes.Contains(line, []byte(`"tcp":{},"facts":{"usual":true}}`)) {
			t.Fatalf("an end that is as usual: got %s", line)
		}
		if err := d.Decode(line, &got); err != nil || difference(got, rec) != "" {
			t.Fatalf("got %v, %s", err, difference(got, rec))
		}
		unknown := reflect.ValueOf(&rec.Teardown.Facts).Elem().FieldByIndex(allUsual[i].index)
		unknown.SetZero()
		line = Append(line[:0], &rec)
		if bytes.Contains(line, []byte(`"usual"`)) {
			t.Errorf("%v is not known: got %s", allUsual[i].path, line)
		}
		if err := d.Decode(line, &got); err != nil || difference(got, rec) != "" {
			t.Errorf("%v is not known: got %v, %s", allUsual[i].path, err, difference(got, rec))
		}
	}
}
