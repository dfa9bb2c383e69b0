package model

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"

	"github.com/expr-lang/expr/ast"
	"github.com/expr-lang/expr/file"
	"github.com/expr-lang/expr/parser"
)

// explained says what is wrong with an expression in the words of who wrote it.
func explained(err error, source string, env reflect.Type) string {
	var wrong *file.Error
	if !errors.As(err, &wrong) { // the type of the whole: no place
		return fieldNames(env).Replace(err.Error()) + "; compare it with something, as in process.pid == 812"
	}
	fields := fieldFinder{at: wrong.Location, env: env}
	if tree, err := parser.Parse(source); err == nil {
		ast.Walk(&tree.Node, &fields)
	}
	switch token := at(source, wrong.Location); {
	case fields.message != "":
		wrong.Message = fields.message
	case token == "=":
		wrong.Message = "write == to compare"
	case token == "&", token == "|":
		wrong.Message = "write && for and, || for or"
	case strings.TrimSpace(token) == "":
		wrong.Message = "the expression ends too early"
	}
	return fieldNames(env).Replace(wrong.Error())
}

// at returns what the source has at a place, whose bounds count runes.
func at(source string, place file.Location) string {
	runes := []rune(source)
	from := min(place.From, len(runes))
	return string(runes[from:max(from, min(place.To, len(runes)))])
}

// fieldFinder looks for a name at a place of an expression that is no field of env.
type fieldFinder struct {
	at      file.Location
	env     reflect.Type
	message string
}

// Visit implements [ast.Visitor].
func (f *fieldFinder) Visit(node *ast.Node) {
	path := pathOf(*node)
	if len(path) == 0 || (*node).Location() != f.at || f.message != "" {
		return
	}
	owner, last := fieldType(f.env, path[:len(path)-1]), path[len(path)-1]
	if owner == nil || fieldType(owner, path[len(path)-1:]) != nil {
		return
	}
	written := strings.Join(path, ".")
	if meant := f.meant(path); len(meant) > 0 {
		f.message = fmt.Sprintf("no field %s: did you mean %s?", written, strings.Join(meant, " or "))
		return
	}
	if len(path) == 1 {
		f.message = fmt.Sprintf("no field %s (a text needs quotes: %q); the fields are %s", last, last, members(f.env))
	} else {
		f.message = fmt.Sprintf("no field %s: %s has %s", written, strings.Join(path[:len(path)-1], "."), members(owner))
	}
}

// meant returns the fields that somebody who wrote path may have meant: those with
// its last name elsewhere, or with a path or a name like it.
func (f *fieldFinder) meant(path []string) []string {
	last := path[len(path)-1]
	all := fieldPaths(f.env, "")
	var same, like []string
	for _, candidate := range all {
		name := candidate[strings.LastIndexByte(candidate, '.')+1:]
		switch {
		case plain(name) == plain(last):
			same = append(same, candidate)
		case len(Near(last, []string{name})) > 0:
			like = append(like, candidate)
		}
	}
	if len(same) == 0 {
		same = Near(strings.Join(path, "."), all)
	}
	if len(same) == 0 {
		same = like
	}
	return same[:min(len(same), nearest)]
}

// pathOf returns the names of a.b.c, nil for another node.
func pathOf(node ast.Node) []string {
	switch node := node.(type) {
	case *ast.IdentifierNode:
		return []string{node.Value}
	case *ast.MemberNode:
		name, ok := node.Property.(*ast.StringNode)
		if owner := pathOf(node.Node); ok && owner != nil {
			return append(owner, name.Value)
		}
	}
	return nil
}

// fieldType returns the type of the field at a path below t, nil if there is none.
func fieldType(t reflect.Type, path []string) reflect.Type {
	for _, name := range path {
		var member reflect.Type
		for field := range structFields(t) {
			if field.Tag.Get("expr") == name {
				member = field.Type
			}
		}
		if t = member; t == nil {
			return nil
		}
	}
	return t
}

// structFields yields the fields of a struct, and nothing for other types.
func structFields(t reflect.Type) func(func(reflect.StructField) bool) {
	if t.Kind() != reflect.Struct {
		return func(func(reflect.StructField) bool) {}
	}
	return t.Fields()
}

// fieldPaths returns the fields below t, those that hold others too, as one writes
// them.
func fieldPaths(t reflect.Type, path string) []string {
	var all []string
	for field := range structFields(t) {
		below := strings.TrimPrefix(path+"."+field.Tag.Get("expr"), ".")
		all = append(append(all, below), fieldPaths(field.Type, below)...)
	}
	return all
}

func members(t reflect.Type) string {
	var names []string
	for field := range structFields(t) {
		names = append(names, field.Tag.Get("expr"))
	}
	return strings.Join(names, ", ")
}

// fieldNames replaces the Go types of env's structs by what they hold:
// "tcp.bytes{sent, received}".
func fieldNames(env reflect.Type) *strings.Replacer {
	paths := map[reflect.Type][]string{}
	groupPaths(env, "", paths)
	types := make([]reflect.Type, 0, len(paths))
	for t := range paths {
		types = append(types, t)
	}
	// The first that fits is taken: model.viewNetwork before model.view.
	slices.SortFunc(types, func(a, b reflect.Type) int { return strings.Compare(b.String(), a.String()) })
	var pairs []string
	for _, t := range types {
		pairs = append(pairs, t.String(), strings.Join(paths[t], " or ")+"{"+members(t)+"}")
	}
	return strings.NewReplacer(pairs...)
}

// groupPaths finds the structs below t and the paths at which they are.
func groupPaths(t reflect.Type, path string, paths map[reflect.Type][]string) {
	if t.Kind() != reflect.Struct {
		return
	}
	paths[t] = append(paths[t], path)
	for field := range t.Fields() {
		groupPaths(field.Type, strings.TrimPrefix(path+"."+field.Tag.Get("expr"), "."), paths)
	}
}
