package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
)

// node is a JSON object whose members keep their order.
type node []pair

type pair struct {
	name  string
	value any
}

// MarshalJSON implements [json.Marshaler].
func (n node) MarshalJSON() ([]byte, error) {
	var b bytes.Buffer
	for i, p := range n {
		value, err := json.Marshal(p.value)
		if err != nil {
			return nil, err
		}
		separator := ","
		if i == 0 {
			separator = "{"
		}
		fmt.Fprintf(&b, "%s%q:%s", separator, p.name, value)
	}
	if len(n) == 0 {
		b.WriteByte('{')
	}
	b.WriteByte('}')
	return b.Bytes(), nil
}

// head is what every line has. The encoder writes it, not the types of a record.
var head = []struct {
	name, shown string
	schema      node
}{
	{"kind", "string", node{{"type", "string"}, {"description", "What the line is"}}},
	{"schema", "string", node{{"type", "string"}, {"description", "Version of the format"}, {"pattern", `^closetrace/1(\..+)?$`}}},
	{"time", "time", node{{"$ref", "#/$defs/time"}, {"description", "When it happened: RFC 3339, UTC, microseconds"}}},
	{"time_unix_nano", "string", node{
		{"type", "string"}, {"description", "The same in nanoseconds since 1970, as text: as a number jq and JavaScript would round it"}, {"pattern", "^-?[0-9]+$"},
	}},
}

// schemaJSON returns the JSON Schema of a line.
func schemaJSON(s *spec) []byte {
	var properties, all, definitions node
	var required []string
	for _, h := range head {
		properties = append(properties, pair{h.name, h.schema})
		required = append(required, h.name)
	}
	definitions = append(definitions,
		pair{"time", node{{"type", "string"}, {"pattern", `^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{6}Z$`}}},
		pair{"end", node{{"description", "What was observed of a connection end"}, {"properties", schemas(s.facts)}}},
		pair{"judgement", node{
			{"description", "What was concluded from it"}, {"properties", schemas(s.judgement)}, {"required", needed(s.judgement)},
		}})
	for _, k := range s.kinds {
		all = append(all, pair{k.name, node{
			{"if", node{{"properties", node{{"kind", node{{"const", k.name}}}}}}},
			{"then", node{{"$ref", "#/$defs/" + k.name}}},
		}})
		definitions = append(definitions, pair{k.name, kindSchema(s, k)})
	}
	var conditions []any
	for _, p := range all {
		conditions = append(conditions, p.value)
	}
	root := node{
		{"$schema", "https://json-schema.org/draft/2020-12/schema"},
		{"$id", "urn:closetrace:record:1"},
		{"title", "closetrace/1"},
		{"description", "One line of a recording of closetrace (JSON Lines). A member that is not known is absent; with facts.usual, so is a known one with its usual value. Readers ignore members and kinds that they do not know."},
		{"type", "object"},
		{"required", required},
		{"properties", properties},
		{"allOf", conditions},
		{"$defs", definitions},
	}
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent("", " ")
	if err := e.Encode(root); err != nil {
		panic(err) // it consists of strings
	}
	return b.Bytes()
}

func kindSchema(s *spec, k kind) node {
	n := node{{"description", k.doc}}
	var bases []any
	var fields []*field
	required := []string{}
	for _, m := range membersOf(s, k) {
		if m.inline {
			fields = append(fields, m.fields...)
		} else {
			fields = append(fields, m.field)
		}
	}
	if isEnd(s, k) {
		bases = append(bases, node{{"$ref", "#/$defs/end"}})
	}
	if isJudged(k) {
		bases = append(bases, node{{"$ref", "#/$defs/judgement"}})
		required = needed(s.facts)
	}
	if len(bases) > 0 {
		n = append(n, pair{"allOf", bases})
	}
	if len(fields) > 0 {
		n = append(n, pair{"properties", schemas(fields)})
		required = append(required, needed(fields)...)
	}
	if len(required) > 0 {
		n = append(n, pair{"required", required})
	}
	return n
}

// isEnd reports whether lines of a kind have the facts of a connection end.
func isEnd(s *spec, k kind) bool {
	for _, m := range membersOf(s, k) {
		if m.inline {
			return false
		}
	}
	return true
}

func isJudged(k kind) bool { return slices.Contains([]string{"teardown", "outcome"}, k.name) }

// needed returns the members that are always written.
func needed(fields []*field) (names []string) {
	for _, f := range fields {
		if !f.omit && f.class != text {
			names = append(names, f.jsonName)
		}
	}
	return names
}

func schemas(fields []*field) node {
	var n node
	for _, f := range fields {
		n = append(n, pair{f.jsonName, f.schema()})
	}
	return n
}

func (f *field) schema() node {
	described := pair{"description", f.described()}
	switch f.class {
	case moment:
		return node{{"$ref", "#/$defs/time"}, described}
	case boolean:
		if f.omit && !f.optional {
			return node{{"type", "boolean"}, {"const", true}, described}
		}
		return node{{"type", "boolean"}, described}
	case number:
		return append(node{{"type", "integer"}, described}, f.bounds()...)
	case name:
		return node{{"type", "string"}, described, {"enum", f.names}}
	case object:
		own := f.fields
		if f.goType == "Evidence" {
			own = append([]*field{usualMark}, own...)
		}
		return append(node{{"type", "object"}, described}, members(own)...)
	case objects:
		return node{{"type", "array"}, described, {"items", append(node{{"type", "object"}}, members(f.fields)...)}}
	case counts:
		return node{{"type", "object"}, described, {"additionalProperties", node{{"type", "integer"}, {"minimum", 0}}}}
	case special:
		var own map[string]any
		if err := json.Unmarshal([]byte("{"+specials[f.goType].schema+"}"), &own); err != nil {
			panic(err)
		}
		n := node{{"type", own["type"]}, described}
		for _, name := range []string{"pattern", "maxItems"} {
			if own[name] != nil {
				n = append(n, pair{name, own[name]})
			}
		}
		if len(f.names) > 0 {
			n = append(n, pair{"items", node{{"type", "string"}, {"enum", f.names}}})
		}
		return n
	default:
		return node{{"type", "string"}, described}
	}
}

// described is the description with what is left out.
func (f *field) described() string {
	if f.usual == "" {
		return f.doc
	}
	return fmt.Sprintf("%s. With facts.usual, absent is %s", f.doc, f.usual)
}

func members(fields []*field) node {
	n := node{{"properties", schemas(fields)}}
	if required := needed(fields); len(required) > 0 {
		n = append(n, pair{"required", required})
	}
	return n
}

// bounds returns the range of an unsigned integer.
func (f *field) bounds() (n node) {
	if !strings.HasPrefix(f.goType, "uint") {
		return nil
	}
	low := 0
	if f.omit && !f.optional {
		low = 1
	}
	n = node{{"minimum", low}}
	if bits := f.goType[4:]; bits != "64" {
		n = append(n, pair{"maximum", map[string]uint64{"8": 1<<8 - 1, "16": 1<<16 - 1, "32": 1<<32 - 1}[bits]})
	}
	return n
}
