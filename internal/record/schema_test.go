package record

import (
	"encoding/json"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/closetrace/closetrace/docs/schema"
	"github.com/closetrace/closetrace/internal/record/recordtest"
	"github.com/closetrace/closetrace/model"
)

// schemaTree is the schema as values.
func schemaTree(t testing.TB) map[string]any {
	t.Helper()
	var tree map[string]any
	if err := json.Unmarshal(schema.JSON, &tree); err != nil {
		t.Fatal(err)
	}
	return tree
}

func checkLine(t testing.TB, line []byte) {
	t.Helper()
	if err := recordtest.CheckLine(line); err != nil {
		t.Fatal(err)
	}
}

func TestLinesFollowTheSchema(t *testing.T) {
	r := random{rand.New(rand.NewPCG(11, 12))}
	unused := describedMembers(t)
	for range 800 {
		rec := r.record()
		line := Append(nil, &rec)
		checkLine(t, line)
		var tree any
		if err := json.Unmarshal(line, &tree); err != nil {
			t.Fatal(err)
		}
		recordtest.Walk(tree, func(node map[string]any) {
			for name := range node {
				delete(unused, name)
			}
		})
	}
	if len(unused) > 0 {
		t.Errorf("the schema describes members that no line has: %v", unused)
	}
}

// describedMembers are the names of all members that the schema describes.
func describedMembers(t *testing.T) map[string]bool {
	names := map[string]bool{}
	recordtest.Walk(schemaTree(t), func(node map[string]any) {
		if properties, ok := node["properties"].(map[string]any); ok {
			for name := range properties {
				names[name] = true
			}
		}
	})
	return names
}

// TestSchemaRefuses shows that the schema can fail.
func TestSchemaRefuses(t *testing.T) {
	s, err := recordtest.Schema()
	if err != nil {
		t.Fatal(err)
	}
	good := sample()
	line := string(Append(nil, &good))
	for name, edit := range map[string][2]string{
		"seven digits":        {`3456Z","time_unix`, `34567Z","time_unix`},
		"a number for nanos":  {`"time_unix_nano":"1795195380123456789"`, `"time_unix_nano":1795195380123456789`},
		"an unknown verdict":  {`"verdict":"abortive"`, `"verdict":"violent"`},
		"a newer major":       {`closetrace/1`, `closetrace/2`},
		"no facts":            {`"facts":`, `"fax":`},
		"port 0":              {`"port":443`, `"port":0`},
		"a text for a number": {`"unread":512`, `"unread":"512"`},
		"an unknown state":    {`["ESTABLISHED"`, `["OPEN"`},
	} {
		bad := strings.Replace(line, edit[0], edit[1], 1)
		if bad == line {
			t.Errorf("%s: nothing to replace", name)
		}
		value, err := jsonschema.UnmarshalJSON(strings.NewReader(bad))
		if err != nil {
			t.Fatal(err)
		}
		if s.Validate(value) == nil {
			t.Errorf("%s: the schema takes it", name)
		}
	}
	for _, newer := range []string{
		strings.Replace(line, `"facts":{`, `"facts":{"new":1,`, 1),
		strings.Replace(line, `"id":`, `"new":{},"id":`, 1),
		`{"kind":"aurora","schema":"closetrace/1.2","time":"2026-11-20T17:23:00.123456Z","time_unix_nano":"1","new":{}}`,
	} {
		value, err := jsonschema.UnmarshalJSON(strings.NewReader(newer))
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Validate(value); err != nil {
			t.Errorf("a line of a newer minor version: %v", err)
		}
		if recordtest.CheckLine([]byte(newer)) == nil {
			t.Errorf("the strict check takes a member that is not described: %s", newer)
		}
	}
}

// TestSchemaHasTheVocabulary compares the schema's names with the model's.
func TestSchemaHasTheVocabulary(t *testing.T) {
	var got [][]string
	recordtest.Walk(schemaTree(t), func(node map[string]any) {
		if list, ok := node["enum"].([]any); ok {
			names := make([]string, len(list))
			for i := range list {
				names[i] = list[i].(string)
			}
			got = append(got, names)
		}
	})
	for name, want := range vocabularies() {
		if !slices.ContainsFunc(got, func(names []string) bool { return reflect.DeepEqual(names, want) }) {
			t.Errorf("no enum of the schema is the %s: %v", name, want)
		}
	}
}

// vocabularies are the names that a line can hold, by the model.
func vocabularies() map[string][]string {
	return map[string][]string{
		"verdicts":        names[model.Verdict](),
		"causes":          names[model.Cause](),
		"initiators":      names[model.Initiator](),
		"terminators":     names[model.Terminator](),
		"confidences":     names[model.Confidence](),
		"states":          names[model.State](),
		"roles":           names[model.Role]()[1:], // unknown is absent
		"owner sources":   names[model.OwnerSource]()[1:],
		"calls":           names[model.Call]()[1:],
		"linger outcomes": names[model.LingerOutcome]()[1:],
		"holders":         names[model.Holder]()[1:],
		"abort reasons":   names[model.AbortReason]()[1:],
		"sides":           names[model.Side]()[1:],
		"notices":         names[model.Observation](),
	}
}

// names returns the names of a vocabulary: up to the value that prints as a number.
func names[T interface {
	~uint8
	String() string
}]() (list []string) {
	for v := T(0); ; v++ {
		name := v.String()
		if name != "" && name[0] >= '0' && name[0] <= '9' {
			return list
		}
		list = append(list, name)
	}
}
