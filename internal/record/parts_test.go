package record

import (
	"math/rand/v2"
	"reflect"
	"testing"

	"github.com/closetrace/closetrace/model"
)

// TestKeptTextsAreThoseOfTheirValues: if two consecutive lines differ in one field, or in
// a few nanoseconds, the second keeps no text of the first.
func TestKeptTextsAreThoseOfTheirValues(t *testing.T) {
	r := random{rand.New(rand.NewPCG(5, 6))}
	for range 10 {
		rec := model.Record{Kind: model.KindTeardown}
		r.fill(reflect.ValueOf(&rec.Teardown).Elem())
		changed := 0
		for _, field := range leaves(reflect.ValueOf(&rec.Teardown).Elem()) {
			before := reflect.ValueOf(field.Interface())
			r.fill(field)
			for _, near := range []model.Time{0, 1, 999, 1e9 - 1, 1e9} {
				if r.IntN(4) == 0 {
					rec.Teardown.Process.StartTime = max(0, rec.Teardown.Time-near)
				}
				line := Append(nil, &rec)
				if got, want := tree(t, line), shortTree(t, &rec); !reflect.DeepEqual(got, want) {
					t.Fatalf("after a change of %v to %v: %s\n%s", before, field, difference(got, want), line)
				}
			}
			changed++
		}
		if changed < 60 {
			t.Fatalf("%d fields were changed", changed)
		}
	}
}

// leaves returns what random fills at once.
func leaves(v reflect.Value) (all []reflect.Value) {
	if _, opaque := v.Addr().Interface().(interface{ UnmarshalJSON([]byte) error }); v.Kind() != reflect.Struct || opaque || v.NumField() == 0 || !v.Type().Field(0).IsExported() {
		return []reflect.Value{v}
	}
	for i := range v.NumField() {
		all = append(all, leaves(v.Field(i))...)
	}
	return all
}
