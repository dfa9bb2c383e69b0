package main

import (
	"fmt"
	"strings"
)

// spec is what the types of package model say of a line.
type spec struct {
	facts     []*field // of every connection end
	judgement []*field // of one that was judged
	elsewhere []*field // of the judgement, in objects of the facts
	own       []member // of model.Record, beside those two
	kinds     []kind
}

// kind is a kind of line, in the order of the model.
type kind struct {
	name, constant string
	doc            string
}

// member is a field of model.Record that some kinds of lines have.
type member struct {
	*field
	kinds  []string
	inline bool // its fields are members of the line itself
}

// class is how a value is written.
type class int

const (
	text    class = iota // string
	boolean              // bool
	number               // integers and durations
	moment               // model.Time
	address              // netip.Addr
	name                 // an enumeration
	object               // a struct
	objects              // a slice of structs
	counts               // map[string]uint64
	special              // a type with code of its own: see specials
)

// field is a member of a line.
type field struct {
	goName   string // of the struct's field
	jsonName string
	doc      string
	class    class
	optional bool   // an Opt: absent if not known
	omit     bool   // absent if zero
	goType   string // without Opt
	names    []string
	fields   []*field // of an object, or of one of objects
	derived  bool     // by a method of that name, and not stored
	judged   bool     // of the judgement, though written in an object of the facts
	usual    string   // the value that is left out where [usualMark] says so
}

// special says how a type with a text or list form of its own is written.
type specialType struct {
	schema string // JSON, without the braces
	shown  string // its type in the documentation
	names  string // the type whose names its elements are
	filter bool   // filters see its String()
}

var specials = map[string]specialType{
	"Path":         {schema: `"type": "array", "maxItems": 16`, shown: "list of strings", names: "State"},
	"Observations": {schema: `"type": "array"`, shown: "list of strings", names: "Observation"},
	"Timer":        {filter: true}, // of an open connection
	"Fingerprint":  {schema: `"type": "string", "pattern": "^[0-9a-f]{16}$"`, shown: "string", filter: true},
}

// part is a piece of a line whose text is kept for the next one, because most
// connections of a host have it in common: consecutive fields of a struct. The
// slot of parts.go spreads the values.
type part struct {
	name, owner string
	first, last string // fields
}

var parts = []part{
	{"judgement", "Judgement", "Verdict", "Rule"},
	{"process", "Facts", "Process", "Process"},
	{"closer", "Facts", "Closer", "Closer"},
	{"place", "Facts", "Container", "Systemd"},
	{"shape", "TCP", "Path", "RST"},
	{"acceptor", "Facts", "Acceptor", "Acceptor"},
	{"mate", "Facts", "PeerProcess", "PeerProcess"},
}

// derived are members that follow from others, by a method of the type.
var derived = map[string]field{
	"Network": {
		goName: "Type", jsonName: "type", class: name, omit: true, derived: true, goType: "string",
		doc: "Family of the addresses", names: []string{"ipv4", "ipv6"},
	},
}

// usualMark is of the line only: facts that are known and have their usual value are left
// out. Without it, what is absent is not known.
var usualMark = &field{
	jsonName: "usual", class: boolean, omit: true, goType: "bool",
	doc: "Members of this line that have a usual value are known: one that is absent has it",
}

// usual calls do for the facts with a usual value, with where they are in v.
func usual(fields []*field, v string, do func(f *field, v string)) {
	for _, f := range fields {
		at := f.of(v, "")
		if f.class == object && !f.judged {
			usual(f.fields, at, do)
		} else if f.usual != "" {
			do(f, at)
		}
	}
}

// limits returns the range of an integer field. A plain int is the ID of a process,
// a thread or a signal: negative ones and all of 32 bits occur, more does not.
func (f *field) limits() (low, high string) {
	if f.goType == "int" && !f.optional {
		return "math.MinInt32", "math.MaxUint32"
	}
	switch goType := f.goType; goType {
	case "uint8", "uint16", "uint32", "uint64":
		return "0", "math.Max" + strings.ToUpper(goType[:1]) + "int" + goType[4:]
	case "int32":
		return "math.MinInt32", "math.MaxInt32"
	default:
		return "math.MinInt64", "math.MaxInt64"
	}
}

// inModel returns a type's name as another package writes it.
func (f *field) inModel() string {
	if strings.Contains(f.goType, ".") || f.class == text || f.class == boolean || f.class == number {
		return f.goType
	}
	return "model." + f.goType
}

// key is the beginning of the member as it is written.
func (f *field) key() string { return fmt.Sprintf("`%q:`", f.jsonName) }

// of returns the field in Go, whose struct is owner unless the judgement has it.
func (f *field) of(owner, judgement string) string {
	if f.judged {
		owner = judgement
	}
	return owner + "." + f.goName
}

// method is the name of the function for the object at a path.
func method(path string) string {
	var b strings.Builder
	for i, word := range strings.FieldsFunc(path, func(r rune) bool { return r == '.' || r == '_' }) {
		if i > 0 {
			word = strings.ToUpper(word[:1]) + word[1:]
		}
		b.WriteString(word)
	}
	return b.String()
}

// within returns the path of a member below another.
func within(path, name string) string { return strings.TrimPrefix(path+"."+name, ".") }
