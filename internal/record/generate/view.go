package main

import (
	"fmt"
	"go/format"
	"path/filepath"
	"strings"
)

// filterView returns a teardown as filters see it: plain types, by the names of
// the line. Other times than that of the end, lists and the evidence are not for filters.
func filterView(s *spec) string {
	w := &viewing{written: map[string]bool{}}
	fmt.Fprintf(w, "%spackage model\n", generated)
	fields := append(append([]*field{s.facts[0]}, s.judgement...), s.facts[1:]...)
	w.structure("view", fields)
	fmt.Fprintf(w, "\n// fill makes v show t. Addresses are only written out if addresses is set.\n")
	fmt.Fprintf(w, "func (v *view) fill(t *Teardown, addresses bool) {\n")
	w.fill(fields, "v", "t", "")
	fmt.Fprintf(w, "if addresses {\n%s}\n}\n", w.addresses.String())
	return w.String()
}

// connView returns an open connection as filters see it.
func connView(root string) ([]byte, error) {
	model, err := read(filepath.Join(root, "model"), nil)
	if err != nil {
		return nil, err
	}
	sockets, err := read(filepath.Join(root, "internal", "sockets"), model)
	if err != nil {
		return nil, err
	}
	fields, err := sockets.fields("Conn")
	if err != nil {
		return nil, err
	}
	w := &viewing{written: map[string]bool{}, lengths: true}
	fmt.Fprintf(w, "%spackage sockets\n", generated)
	w.structure("view", fields)
	fmt.Fprintf(w, "\nfunc viewOf(c *Conn) *view {\nv := &view{}\n")
	w.fill(fields, "v", "c", "")
	fmt.Fprintf(w, "%sreturn v\n}\n", w.addresses.String())
	return format.Source([]byte(w.String()))
}

type viewing struct {
	strings.Builder
	lengths   bool // of a list, filters see how many it has
	addresses strings.Builder
	written   map[string]bool
}

// plainType returns the type that filters see, "" for what they do not.
func (w *viewing) plainType(f *field) string {
	switch {
	case f.class == objects && w.lengths:
		return "int"
	case f.class == moment, f.class == objects, f.class == counts, f.goType == "Evidence":
		return ""
	case f.class == special && !specials[f.goType].filter:
		return ""
	case f.class == boolean:
		return "bool"
	case f.class == number:
		return "int"
	case f.class == object:
		return "view" + f.goType
	default:
		return "string"
	}
}

func (w *viewing) structure(name string, fields []*field) {
	if w.written[name] {
		return
	}
	w.written[name] = true
	fmt.Fprintf(w, "\ntype %s struct {\n", name)
	if name == "view" && !w.lengths {
		fmt.Fprintf(w, "Time string `expr:\"time\"` // set by [Filter.Match]: it costs an allocation\n")
	}
	for _, f := range fields {
		if t := w.plainType(f); t != "" {
			fmt.Fprintf(w, "%s %s `expr:%q`\n", f.goName, t, f.jsonName)
		}
	}
	fmt.Fprintf(w, "}\n")
	for _, f := range fields {
		if f.class == object && w.plainType(f) != "" {
			w.structure("view"+f.goType, f.fields)
		}
	}
}

func (w *viewing) fill(fields []*field, view, from, path string) {
	for _, f := range fields {
		if w.plainType(f) == "" {
			continue
		}
		to, v := view+"."+f.goName, f.of(from, "t")
		switch f.class {
		case object:
			w.fill(f.fields, to, v, within(path, f.jsonName))
		case address:
			fmt.Fprintf(&w.addresses, "if %s.IsValid() {\n%s = %s.String()\n}\n", v, to, v)
			fmt.Fprintf(w, "%s = \"\"\n", to)
		default:
			fmt.Fprintf(w, "%s = %s\n", to, plainValue(f, v))
		}
	}
}

func plainValue(f *field, v string) string {
	switch {
	case f.class == objects:
		return "len(" + v + ")"
	case f.class == boolean && f.optional:
		return v + ".Or(false)"
	case f.class == number && f.optional:
		return "number(" + v + ")"
	case f.class == number:
		return "int(" + v + ")"
	case f.derived:
		return v + "()"
	case f.class == name, f.class == special:
		return v + ".String()"
	default:
		return v
	}
}
