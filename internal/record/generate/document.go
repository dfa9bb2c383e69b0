package main

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// The generated part of docs/record.md is between these lines.
const (
	begin = "<!-- members: generated from package model by go generate -->\n"
	end   = "<!-- end of members -->"
)

// document returns the page with its tables of members as the types have them.
func document(page []byte, s *spec) ([]byte, error) {
	before, rest, found := bytes.Cut(page, []byte(begin))
	_, after, closed := bytes.Cut(rest, []byte(end))
	if !found || !closed {
		return nil, errors.New("no place for the members")
	}
	var b strings.Builder
	title := func(text string) {
		fmt.Fprintf(&b, "\n### %s\n\n| member | type | meaning |\n|---|---|---|\n", text)
	}
	title("Every line")
	for _, h := range head {
		row(&b, h.name, h.shown, h.schema[1].value.(string), nil)
	}
	for _, k := range s.kinds {
		if k.name == "teardown" {
			endTables(title, &b, s)
		}
		for _, m := range membersOf(s, k) {
			if m.inline {
				title("`" + k.name + "`")
				rows(&b, "", m.fields)
			} else {
				title("`" + k.name + "` only")
				rows(&b, "", []*field{m.field})
			}
		}
	}
	b.WriteString("\n")
	return slices.Concat(before, []byte(begin), []byte(b.String()), []byte(end), after), nil
}

// endTables documents what the kinds about a connection end share.
func endTables(title func(string), b *strings.Builder, s *spec) {
	var ends, judged []string
	for _, k := range s.kinds {
		if isEnd(s, k) {
			ends = append(ends, "`"+k.name+"`")
		}
		if isJudged(k) {
			judged = append(judged, "`"+k.name+"`")
		}
	}
	title(strings.Join(ends, ", "))
	rows(b, "", s.facts)
	title(strings.Join(judged, ", ") + ": the judgement")
	rows(b, "", s.judgement)
}

// rows writes one line for each member, objects member by member.
func rows(b *strings.Builder, prefix string, fields []*field) {
	for _, f := range fields {
		path := prefix + f.jsonName
		switch f.class {
		case object:
			if f.goType == "Evidence" {
				row(b, path+"."+usualMark.jsonName, usualMark.shown(), usualMark.doc, nil)
			}
			rows(b, path+".", f.fields)
		case objects:
			row(b, path, "list of objects", f.doc, nil)
			rows(b, path+"[].", f.fields)
		default:
			row(b, path, f.shown(), f.described(), f.names)
		}
	}
}

func (f *field) shown() string {
	switch f.class {
	case boolean:
		return "boolean"
	case number:
		return "integer"
	case moment:
		return "time"
	case counts:
		return "object"
	case special:
		return specials[f.goType].shown
	default:
		return "string"
	}
}

func row(b *strings.Builder, path, kind, meaning string, names []string) {
	if len(names) > 0 {
		meaning += ": `" + strings.Join(names, "` `") + "`"
	}
	fmt.Fprintf(b, "| `%s` | %s | %s |\n", path, kind, meaning)
}
