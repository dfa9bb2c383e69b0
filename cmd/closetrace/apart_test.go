package main

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"strings"
	"testing"
)

// TestCommandsAreApart: no file of a command uses what another one declares. Exceptions:
// root.go registers them, mistake.go, with help, handles mistakes in all of them, and
// follow_*.go has a hidden command that is a part of others.
func TestCommandsAreApart(t *testing.T) {
	paths, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	commands := map[string]*ast.File{}
	declared := map[string]map[string]bool{} // a name: the commands' files that declare it
	set := token.NewFileSet()
	for _, path := range paths {
		shared := path == "root.go" || path == "mistake.go" || strings.HasPrefix(path, "follow_")
		if strings.HasSuffix(path, "_test.go") || shared {
			continue
		}
		file, err := parser.ParseFile(set, path, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		if makesCommand(file) {
			commands[path] = file
		}
		for _, name := range namesOf(file) {
			if declared[name] == nil {
				declared[name] = map[string]bool{}
			}
			declared[name][path] = true
		}
	}
	if len(commands) < 15 {
		t.Fatalf("found %d commands", len(commands))
	}
	for path, file := range commands {
		used := map[string]bool{}
		for _, name := range file.Unresolved { // what the file does not declare itself
			used[name.Name] = true
		}
		ast.Inspect(file, func(n ast.Node) bool { // methods of app
			if s, ok := n.(*ast.SelectorExpr); ok {
				if x, ok := s.X.(*ast.Ident); ok && x.Name == "a" {
					used["a."+s.Sel.Name] = true
				}
			}
			return true
		})
		for name := range used {
			for other := range declared[name] {
				if commands[other] != nil && other != path && !declared[name][path] {
					t.Errorf("%s uses %s of %s", path, name, other)
				}
			}
		}
	}
}

// makesCommand reports whether a file has a constructor of a command.
func makesCommand(file *ast.File) bool {
	for _, d := range file.Decls {
		f, ok := d.(*ast.FuncDecl)
		if !ok || f.Recv != nil || !strings.HasPrefix(f.Name.Name, "new") || f.Type.Results == nil {
			continue
		}
		if star, ok := f.Type.Results.List[0].Type.(*ast.StarExpr); ok {
			if s, ok := star.X.(*ast.SelectorExpr); ok && s.Sel.Name == "Command" {
				return true
			}
		}
	}
	return false
}

// namesOf returns what a file declares; methods of app as a.name.
func namesOf(file *ast.File) (names []string) {
	for name := range file.Scope.Objects {
		names = append(names, name)
	}
	for _, d := range file.Decls {
		f, ok := d.(*ast.FuncDecl)
		if !ok || f.Recv == nil {
			continue
		}
		if star, ok := f.Recv.List[0].Type.(*ast.StarExpr); ok {
			if x, ok := star.X.(*ast.Ident); ok && x.Name == "app" {
				names = append(names, "a."+f.Name.Name)
			}
		}
	}
	return names
}
