package main

import (
	"fmt"
	"strings"
)

// csvColumns returns the columns of a table: the plain members of an end, but
// not the evidence, which is for a judge.
func csvColumns(s *spec) string {
	var names, cells strings.Builder
	columns := 0
	column := func(path, cell string) {
		columns++
		fmt.Fprintf(&names, "%q,\n", path)
		fmt.Fprintf(&cells, "%s,\n", cell)
	}
	column("kind", "r.Kind.String()")
	column("time", "r.Teardown.Time.String()")
	column("time_unix_nano", "strconv.FormatInt(int64(r.Teardown.Time), 10)")
	column("id", "t.ID")
	var walk func(fields []*field, owner, path string)
	walk = func(fields []*field, owner, path string) {
		for _, f := range fields {
			v, below := f.of(owner, "t"), within(path, f.jsonName)
			switch {
			case f.class == objects, f.class == special && !specials[f.goType].filter, f.goType == "Evidence", below == "id":
			case f.class == object:
				walk(f.fields, v, below)
			default:
				column(below, cell(f, v))
			}
		}
	}
	from := columns
	walk(s.judgement, "t", "")
	to := columns
	for _, m := range s.own {
		if !m.inline {
			walk([]*field{m.field}, "r", "")
		}
	}
	walk(s.facts, "t", "")
	return generated + "package record\n\nimport (\n\"strconv\"\n\n\"github.com/closetrace/closetrace/model\"\n)\n" +
		"\nvar columns = []string{\n" + names.String() + "}\n" +
		fmt.Sprintf("\n// The columns of the judgement.\nconst judgedFrom, judgedTo = %d, %d\n", from, to) +
		"\n// cells appends a row.\nfunc cells(row []string, r *model.Record) []string {\nt := &r.Teardown\nreturn append(row,\n" + cells.String() + ")\n}\n"
}

func cell(f *field, v string) string {
	switch {
	case f.optional:
		return "show(" + v + ")"
	case f.derived:
		return v + "()"
	case f.class == text:
		return v
	case f.class == boolean:
		return "ifTrue(" + v + ")"
	case f.class == number:
		return "nonZero(" + v + ")"
	case f.class == address:
		return "ifKnown(" + v + ")"
	case f.omit:
		return "nameIf(" + v + ")"
	default:
		return v + ".String()"
	}
}
