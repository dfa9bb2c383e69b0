package main

import (
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode"
)

// source is the declarations of package model, or of one that uses its types.
type source struct {
	model     *source // nil in the model itself
	structs   map[string]*ast.StructType
	docs      map[string]string   // of types
	basic     map[string]string   // named types that are not structs, by their underlying type
	names     map[string][]string // of enumerations
	kindDocs  map[string]string   // of the constants of Kind
	kindConst map[string]string   // name of a kind: constant
}

func parse(folder string) (*spec, error) {
	src, err := read(folder, nil)
	if err != nil {
		return nil, err
	}
	return src.spec()
}

// read parses the files of a package.
func read(folder string, model *source) (*source, error) {
	src := &source{model, map[string]*ast.StructType{}, map[string]string{}, map[string]string{}, map[string][]string{}, map[string]string{}, map[string]string{}}
	files, err := filepath.Glob(filepath.Join(folder, "*.go"))
	if err != nil {
		return nil, err
	}
	set := token.NewFileSet()
	for _, path := range files {
		if strings.HasSuffix(path, "_test.go") || strings.HasPrefix(filepath.Base(path), "zz_") {
			continue
		}
		text, err := os.ReadFile(path) // #nosec G703 -- a generator writes the source that it is for
		if err != nil {
			return nil, err
		}
		file, err := parser.ParseFile(set, path, text, parser.ParseComments)
		if err != nil {
			return nil, err
		}
		for _, d := range file.Decls {
			if d, ok := d.(*ast.GenDecl); ok {
				src.declared(d)
			}
		}
	}
	return src, nil
}

func (s *source) declared(d *ast.GenDecl) {
	for _, one := range d.Specs {
		switch one := one.(type) {
		case *ast.TypeSpec:
			s.docs[one.Name.Name] = paragraph(d.Doc)
			switch t := one.Type.(type) {
			case *ast.StructType:
				s.structs[one.Name.Name] = t
			case *ast.Ident:
				s.basic[one.Name.Name] = t.Name
			}
		case *ast.ValueSpec:
			s.value(one)
		}
	}
}

// value notes the names of an enumeration, and what the constants of Kind mean.
func (s *source) value(v *ast.ValueSpec) {
	name := v.Names[0].Name
	if v.Comment != nil && strings.HasPrefix(name, "Kind") {
		s.kindDocs[name] = upper(strings.TrimSpace(v.Comment.Text()))
	}
	list, isTable := strings.CutSuffix(name, "Names")
	if !isTable {
		list, isTable = strings.CutSuffix(name, "Table") // of lines that begin with the name
	}
	if !isTable || len(v.Values) != 1 {
		return
	}
	table, ok := v.Values[0].(*ast.CompositeLit)
	if !ok {
		return
	}
	for _, element := range table.Elts {
		constant := ""
		if pair, ok := element.(*ast.KeyValueExpr); ok {
			element, constant = pair.Value, fmt.Sprint(pair.Key)
		}
		if line, ok := element.(*ast.CompositeLit); ok {
			element = line.Elts[0]
		}
		if literal, ok := element.(*ast.BasicLit); ok {
			text, _ := strconv.Unquote(literal.Value)
			s.names[upper(list)] = append(s.names[upper(list)], text)
			if list == "kind" {
				s.kindConst[text] = constant
			}
		}
	}
}

func (s *source) spec() (*spec, error) {
	facts, err := s.fields("Facts")
	judgement, err2 := s.fields("Judgement")
	if err = errors.Join(err, err2); err != nil {
		return nil, err
	}
	out := &spec{facts: facts}
	for _, f := range judgement {
		holder, name, inside := strings.Cut(f.jsonName, ".")
		if !inside {
			out.judgement = append(out.judgement, f)
			continue
		}
		at := slices.IndexFunc(facts, func(o *field) bool { return o.jsonName == holder && o.class == object })
		if at < 0 {
			return nil, fmt.Errorf("model.Judgement.%s: the facts have no object %s", f.goName, holder)
		}
		f.jsonName, f.judged = name, true
		facts[at].fields = append(facts[at].fields, f)
		out.elsewhere = append(out.elsewhere, f)
	}
	for _, name := range s.names["Kind"][1:] {
		constant := s.kindConst[name]
		out.kinds = append(out.kinds, kind{name, constant, s.kindDocs[constant]})
	}
	for _, f := range s.structs["Record"].Fields.List {
		tag := tagOf(f)
		if tag.Get("kinds") == "" {
			continue
		}
		one, err := s.field("Record", f, f.Names[0].Name)
		if err != nil {
			return nil, err
		}
		out.own = append(out.own, member{one, strings.Split(tag.Get("kinds"), ","), one.jsonName == ""})
	}
	return out, nil
}

func tagOf(f *ast.Field) reflect.StructTag {
	if f.Tag == nil {
		return ""
	}
	text, _ := strconv.Unquote(f.Tag.Value)
	return reflect.StructTag(text)
}

// fields returns the members that a struct of the model holds.
func (s *source) fields(owner string) (list []*field, err error) {
	declared, ok := s.structs[owner]
	if !ok {
		return nil, fmt.Errorf("model has no struct %s", owner)
	}
	if d, ok := derived[owner]; ok {
		list = append(list, &d)
	}
	for _, f := range declared.Fields.List {
		if tagOf(f).Get("json") == "-" {
			continue
		}
		for _, ident := range f.Names {
			if s.model != nil && !ident.IsExported() {
				continue
			}
			one, err := s.field(owner, f, ident.Name)
			if err != nil {
				return nil, err
			}
			if one.jsonName == "" {
				return nil, fmt.Errorf("model.%s.%s has no json tag", owner, ident.Name)
			}
			list = append(list, one)
		}
	}
	return list, nil
}

func (s *source) field(owner string, f *ast.Field, goName string) (*field, error) {
	jsonName, options, _ := strings.Cut(tagOf(f).Get("json"), ",")
	one := &field{goName: goName, jsonName: jsonName, omit: strings.HasPrefix(options, "omit"), doc: paragraph(f.Doc), usual: tagOf(f).Get("usual")}
	err := s.typed(one, f.Type)
	if err != nil {
		return nil, fmt.Errorf("model.%s.%s: %w", owner, goName, err)
	}
	if one.doc == "" {
		one.doc = s.docs[one.goType]
	}
	if one.doc == "" && s.model == nil {
		return nil, fmt.Errorf("model.%s.%s: the field has no doc comment, which is its description", owner, goName)
	}
	one.doc = plain(one.doc, goName, one.goType)
	return one, nil
}

// typed finds out how a type is written.
func (s *source) typed(f *field, t ast.Expr) (err error) {
	switch t := t.(type) {
	case *ast.IndexExpr: // Opt[T]
		f.optional = true
		return s.typed(f, t.Index)
	case *ast.SelectorExpr:
		if t.X.(*ast.Ident).Name == "model" {
			f.goType = t.Sel.Name
			return s.model.named(f)
		}
		f.goType = t.X.(*ast.Ident).Name + "." + t.Sel.Name
		f.class = map[string]class{"netip.Addr": address, "time.Duration": number}[f.goType]
		return nil
	case *ast.MapType:
		f.class, f.goType = counts, "map[string]uint64"
		return nil
	case *ast.ArrayType:
		f.class, f.goType = objects, t.Elt.(*ast.Ident).Name
		f.fields, err = s.fields(f.goType)
		return err
	case *ast.Ident:
		f.goType = t.Name
		return s.named(f)
	}
	return fmt.Errorf("no rule for %T", t)
}

func (s *source) named(f *field) (err error) {
	_, isStruct := s.structs[f.goType]
	list, isSpecial := specials[f.goType]
	switch {
	case isSpecial:
		f.class, f.names = special, s.names[list.names]
	case f.goType == "string":
		f.class = text
	case f.goType == "bool":
		f.class = boolean
	case f.goType == "Time":
		f.class = moment
	case s.names[f.goType] != nil:
		f.class, f.names = name, s.names[f.goType]
		if f.omit {
			f.names = f.names[1:]
		}
	case isStruct:
		f.class = object
		f.fields, err = s.fields(f.goType)
	case slices.Contains([]string{"int", "int32", "uint8", "uint16", "uint32", "uint64"}, f.goType):
		f.class = number
	default:
		err = fmt.Errorf("no rule for the type %s", f.goType)
	}
	return err
}

// paragraph returns the first paragraph of a comment in one line.
func paragraph(g *ast.CommentGroup) string {
	head, _, _ := strings.Cut(g.Text(), "\n\n")
	return strings.TrimSuffix(strings.Join(strings.Fields(head), " "), ".")
}

var copula = regexp.MustCompile(`^(\w+) (is|are|says|counts) `)

// plain turns "Name is what it is" into "What it is".
func plain(doc string, names ...string) string {
	if m := copula.FindStringSubmatch(doc); m != nil && slices.Contains(names, m[1]) {
		return upper(strings.TrimPrefix(doc, m[0]))
	}
	return doc
}

func upper(s string) string {
	r := []rune(s)
	if len(r) == 0 {
		return s
	}
	r[0] = unicode.ToUpper(r[0])
	return string(r)
}
