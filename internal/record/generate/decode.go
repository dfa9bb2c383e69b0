package main

import (
	"fmt"
	"strings"
)

// decoder returns one function for each object of a line: a switch over the
// names of its members.
func decoder(s *spec) string {
	w := &decoding{written: map[string]bool{}}
	w.printf("%spackage record\n\nimport (\n\"math\"\n\n\"github.com/closetrace/closetrace/model\"\n)\n", generated)
	w.printf("\n// line reads the members of a line of r's kind.\nfunc (d *Decoder) line(r *model.Record) {\nswitch r.Kind {\n")
	for _, m := range s.own {
		if m.inline {
			w.printf("case model.Kind%s:\nd.%s(&r.%s)\n", m.goType, method(lower(m.goType))+"Line", m.goName)
		}
	}
	w.printf("default:\nd.endLine(r)\n}\n}\n")
	w.times(s)
	for _, m := range s.own {
		if m.inline {
			w.begin(lower(m.goType)+"Line", "model."+m.goType, m.fields)
			w.cases(m.fields, "v", "")
			w.end()
			w.objects(m.fields, "")
		}
	}
	w.endLine(s)
	w.usual(s)
	return w.String()
}

type decoding struct {
	strings.Builder
	written map[string]bool
}

func (w *decoding) printf(format string, args ...any) { fmt.Fprintf(w, format, args...) }

// endLine reads the kinds that are about a connection end, which share most members.
func (w *decoding) endLine(s *spec) {
	w.begin("endLine", "model.Record", nil)
	var shared []*field
	for _, m := range s.own {
		if !m.inline {
			shared = append(shared, m.field)
		}
	}
	w.cases(shared, "v", "")
	w.cases(s.judgement, "v.Teardown.Judgement", "")
	w.cases(s.facts, "v.Teardown.Facts", "")
	w.end()
	w.printf("\n// keepOwn takes out what lines of r's kind do not have.\nfunc keepOwn(r *model.Record) {\n")
	for _, m := range s.own {
		if m.inline {
			continue
		}
		var not []string
		for _, name := range m.kinds {
			not = append(not, "r.Kind != model."+constantOf(s, name))
		}
		zero := map[class]string{text: `""`, boolean: "false"}[m.class]
		if zero == "" {
			zero = m.inModel() + "{}"
		}
		w.printf("if %s {\nr.%s = %s\n}\n", strings.Join(not, " && "), m.goName, zero)
	}
	w.printf("}\n")
	for _, fields := range [][]*field{shared, s.judgement, s.facts} {
		w.objects(fields, "")
	}
}

// usual writes what a line with the mark leaves out.
func (w *decoding) usual(s *spec) {
	w.printf("\n// assumeUsual fills in what a line has left out because it is as usual.\nfunc assumeUsual(v *model.Facts) {\n")
	usual(s.facts, "v", func(f *field, v string) {
		if f.class == name {
			w.printf("if %[1]s == 0 {\n_ = %[1]s.UnmarshalText([]byte(%[2]q))\n}\n", v, f.usual)
		} else {
			w.printf("assume(&%s, %s)\n", v, f.usual)
		}
	})
	w.printf("}\n")
}

func constantOf(s *spec, name string) string {
	for _, k := range s.kinds {
		if k.name == name {
			return k.constant
		}
	}
	return "no kind " + name
}

// times writes the function that sets a record's time.
func (w *decoding) times(s *spec) {
	w.printf("\nfunc setTime(r *model.Record, t model.Time) {\nswitch r.Kind {\n")
	for _, m := range s.own {
		if m.inline {
			w.printf("case model.Kind%s:\nr.%s.Time = t\n", m.goType, m.goName)
		}
	}
	w.printf("default:\nr.Teardown.Time = t\n}\n}\n")
}

// begin begins the function for a whole line. Counts are never nil.
func (w *decoding) begin(name, goType string, fields []*field) {
	w.printf("\nfunc (d *Decoder) %s(v *%s) {\n", name, goType)
	for _, f := range fields {
		if f.class == counts && !f.omit {
			w.printf("v.%s = map[string]uint64{}\n", f.goName)
		}
	}
	w.printf("for key, ok := d.enter(); ok; key, ok = d.next() {\nswitch string(key) {\n")
	w.printf("case \"kind\":\nd.skip(0)\ncase \"schema\":\nd.str(\"schema\", &d.schema)\n")
	w.printf("case \"time\":\nd.time(\"time\", &d.when)\ncase \"time_unix_nano\":\nd.str(\"time_unix_nano\", &d.unixNano)\n")
}

func (w *decoding) end() { w.printf("default:\nd.skip(0)\n}\n}\n}\n") }

func (w *decoding) cases(fields []*field, owner, path string) {
	for _, f := range fields {
		if f.derived {
			continue
		}
		w.printf("case %q:\n", f.jsonName)
		w.value(f, f.of(owner, "d.judged"), within(path, f.jsonName))
	}
}

func (w *decoding) value(f *field, v, path string) {
	low, high := f.limits()
	switch {
	case f.class == object, f.class == objects:
		w.printf("d.%s(&%s)\n", method(path), v)
	case f.class == boolean && f.optional:
		w.printf("d.optBool(%q, &%s)\n", path, v)
	case f.class == number && f.optional:
		w.printf("optional(d, %q, &%s, %s, %s)\n", path, v, low, high)
	case f.class == number:
		w.printf("signed(d, %q, &%s, %s, %s)\n", path, v, low, high)
	case f.class == special:
		w.printf("d.%s(%q, &%s)\n", lower(f.goType), path, v)
	default:
		reader := map[class]string{text: "str", boolean: "bool", moment: "time", address: "address", name: "name", counts: "counts"}[f.class]
		w.printf("d.%s(%q, &%s)\n", reader, path, v)
	}
}

// objects writes the functions for the objects among fields.
func (w *decoding) objects(fields []*field, path string) {
	for _, f := range fields {
		below := within(path, f.jsonName)
		if f.class != object && f.class != objects || w.written[below] {
			continue
		}
		w.written[below] = true
		one := method(below)
		if f.class == objects {
			w.printf("\nfunc (d *Decoder) %s(v *[]%s) {\nd.member = %q\n*v = nil\n", one, f.inModel(), below)
			w.printf("for ok := d.elements(); ok; ok = d.more() {\nvar one %s\nd.%sElement(&one)\n", f.inModel(), one)
			w.printf("if len(*v) < maxMembers {\n*v = append(*v, one)\n}\n}\n}\n")
			one += "Element"
		}
		w.printf("\nfunc (d *Decoder) %s(v *%s) {\nd.member = %q\n", one, f.inModel(), below)
		w.printf("for key, ok := d.enter(); ok; key, ok = d.next() {\nswitch string(key) {\n")
		if f.goType == "Evidence" {
			w.printf("case %[1]q:\nd.bool(%[2]q, &d.usual)\n", usualMark.jsonName, within(below, usualMark.jsonName))
		}
		w.cases(f.fields, "v", below)
		w.end()
		w.objects(f.fields, below)
	}
}
