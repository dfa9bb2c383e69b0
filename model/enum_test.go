package model

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"strings"
	"testing"
)

// TestEveryConstantHasAName reads the source: a constant that is added at the end
// of an enumeration, and not to its table of names, would be in no array, no total
// and no listing.
func TestEveryConstantHasAName(t *testing.T) {
	constants, tables := map[string]int{}, map[string]int{}
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range files {
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(file, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.GenDecl:
				if n.Tok == token.CONST {
					if kind, ok := n.Specs[0].(*ast.ValueSpec).Type.(*ast.Ident); ok {
						constants[kind.Name] += len(n.Specs)
					}
				}
			case *ast.ValueSpec:
				name, isTable := strings.CutSuffix(n.Names[0].Name, "Names")
				if isTable && len(n.Values) == 1 {
					if table, ok := n.Values[0].(*ast.CompositeLit); ok {
						tables[strings.ToUpper(name[:1])+name[1:]] = len(table.Elts)
					}
				}
			}
			return true
		})
	}
	checked := 0
	for name, n := range constants {
		if table, isEnum := tables[name]; isEnum {
			checked++
			if table != n {
				t.Errorf("%s has %d constants and %d names", name, n, table)
			}
		}
	}
	if checked < 12 {
		t.Errorf("found %d enumerations: the test does not see them", checked)
	}
}
