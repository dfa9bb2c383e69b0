package main

import (
	"fmt"
	"strings"
)

// attributeList returns the function that makes OpenTelemetry attributes of a record:
// the plain members of an end under their names in a line, but not the evidence,
// which is for a judge.
func attributeList(s *spec) string {
	w := &attributes{}
	w.add("kind", `list = append(list, attribute.String("kind", r.Kind.String()))`)
	w.when("t.ID != \"\"", "id", "attribute.String", "t.ID")
	w.printf("if r.Kind == model.KindTeardown || r.Kind == model.KindOutcome {\n")
	w.walk(s.judgement, "t", "")
	w.printf("}\n")
	for _, m := range s.own {
		if !m.inline {
			w.walk([]*field{m.field}, "r", "")
		}
	}
	w.walk(s.facts, "t", "")
	return generated + "package agent\n\nimport (\n\"go.opentelemetry.io/otel/attribute\"\n\n\"github.com/closetrace/closetrace/model\"\n)\n" +
		"\n// attributeNames are all names that attributesOf uses.\nvar attributeNames = []string{\n" + w.names.String() + "}\n" +
		"\n// attributesOf appends what is known of the connection of r.\nfunc attributesOf(list []attribute.KeyValue, r *model.Record) []attribute.KeyValue {\nt := &r.Teardown\n" +
		w.String() + "return list\n}\n"
}

type attributes struct {
	strings.Builder
	names strings.Builder
}

func (w *attributes) printf(format string, args ...any) { fmt.Fprintf(w, format, args...) }

func (w *attributes) add(name, statement string) {
	fmt.Fprintf(&w.names, "%q,\n", name)
	w.printf("%s\n", statement)
}

// when writes that a value becomes an attribute on a condition.
func (w *attributes) when(condition, name, kind, value string) {
	w.add(name, fmt.Sprintf("if %s {\nlist = append(list, %s(%q, %s))\n}", condition, kind, name, value))
}

func (w *attributes) walk(fields []*field, owner, path string) {
	for _, f := range fields {
		v, name := f.of(owner, "t"), within(path, f.jsonName)
		switch {
		case f.class == objects, f.class == special && !specials[f.goType].filter, f.goType == "Evidence", f.goType == "Counted", name == "id":
		case f.class == object && f.goType == "Stray":
			w.printf("if r.Kind == model.KindStray {\n")
			w.walk(f.fields, v, name)
			w.printf("}\n")
		case f.class == object:
			w.walk(f.fields, v, name)
		default:
			w.value(f, v, name)
		}
	}
}

func (w *attributes) value(f *field, v, name string) {
	switch {
	case f.optional && f.class == boolean:
		w.add(name, fmt.Sprintf("if v, known := %s.Get(); known {\nlist = append(list, attribute.Bool(%q, v))\n}", v, name))
	case f.optional:
		w.add(name, fmt.Sprintf("if v, known := %s.Get(); known {\nlist = append(list, attribute.Int64(%q, int64(v)))\n}", v, name))
	case f.derived:
		w.add(name, fmt.Sprintf("if v := %s(); v != \"\" {\nlist = append(list, attribute.String(%q, v))\n}", v, name))
	case f.class == text:
		w.when(v+" != \"\"", name, "text", v)
	case f.class == boolean:
		w.when(v, name, "attribute.Bool", v)
	case f.class == number:
		w.when(v+" != 0", name, "attribute.Int64", "int64("+v+")")
	case f.class == address:
		w.when(v+".IsValid()", name, "attribute.String", v+".String()")
	case f.omit || f.class == moment:
		w.when(v+" != 0", name, "attribute.String", v+".String()")
	default:
		w.add(name, fmt.Sprintf("list = append(list, attribute.String(%q, %s.String()))", name, v))
	}
}
