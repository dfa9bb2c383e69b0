package model

import (
	"fmt"
	"slices"
	"strings"

	"github.com/expr-lang/expr/ast"
	"github.com/expr-lang/expr/file"
)

// valueNames are the fields that have few values, which an expression may misspell.
var valueNames = map[string][]string{"verdict": verdictNames[:], "cause": causeNames[:]}

// valueChecker looks at the verdicts and causes that an expression compares with: one
// that does not exist matches nothing, and nobody would know why.
type valueChecker struct {
	source file.Source
	err    error
}

// Visit implements [ast.Visitor].
func (v *valueChecker) Visit(node *ast.Node) {
	compared, ok := (*node).(*ast.BinaryNode)
	if !ok || !slices.Contains([]string{"==", "!=", "in"}, compared.Operator) {
		return
	}
	v.check(compared.Left, compared.Right)
	v.check(compared.Right, compared.Left)
}

func (v *valueChecker) check(field, value ast.Node) {
	name, ok := field.(*ast.IdentifierNode)
	if !ok || valueNames[name.Value] == nil {
		return
	}
	if list, ok := value.(*ast.ArrayNode); ok {
		for _, one := range list.Nodes {
			v.check(field, one)
		}
		return
	}
	text, ok := value.(*ast.StringNode)
	if names := valueNames[name.Value]; ok && v.err == nil && !slices.Contains(names, text.Value) {
		meant := Near(text.Value, names)
		if len(meant) == 0 {
			meant = names
		}
		wrong := &file.Error{Location: text.Location(), Message: fmt.Sprintf("%q is no %s; there is %s", text.Value, name.Value, strings.Join(meant, ", "))}
		v.err = wrong.Bind(v.source)
	}
}
