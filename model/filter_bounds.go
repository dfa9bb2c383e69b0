package model

import (
	"fmt"
	"reflect"

	"github.com/expr-lang/expr"
	"github.com/expr-lang/expr/ast"
	"github.com/expr-lang/expr/file"
)

// An expression is evaluated for every connection end of a busy host, and may
// have been written by somebody else. The virtual machine of expr bounds lists
// and nothing else: neither time (any(1..9999, any(1..9999, ...))) nor texts
// (reduce(1..99, #acc + #acc, "ab")). So what grows is left out of the language,
// and what repeats is counted before it runs.

// functions are those of the language that an expression may call.
var functions = []string{
	"all", "none", "any", "one", "count", "filter", "find",
	"len", "first", "last", "get", "min", "max",
	"abs", "ceil", "floor", "round", "int", "float", "string",
	"trim", "trimPrefix", "trimSuffix", "upper", "lower", "indexOf", "lastIndexOf", "hasPrefix", "hasSuffix",
}

// maxSteps bounds what the loops of an expression evaluate, in nodes of its tree.
const maxSteps = 20_000

func bounded() []expr.Option {
	options := []expr.Option{expr.DisableAllBuiltins()}
	for _, name := range functions {
		options = append(options, expr.EnableBuiltin(name))
	}
	return options
}

// boundChecker refuses an expression that may take long or grow.
type boundChecker struct {
	source file.Source
	steps  int
	err    error
}

// Visit implements [ast.Visitor].
func (v *boundChecker) Visit(node *ast.Node) {
	switch node := (*node).(type) {
	case *ast.BinaryNode:
		if node.Operator == "+" && (!isNumber(node.Left.Type()) || !isNumber(node.Right.Type())) {
			v.refuse(node, "+ is for numbers: compare texts one by one")
		}
	case *ast.BuiltinNode:
		v.loop(node)
	}
}

// loop counts what a loop over a list evaluates.
func (v *boundChecker) loop(node *ast.BuiltinNode) {
	for _, argument := range node.Arguments {
		predicate, ok := argument.(*ast.PredicateNode)
		if !ok {
			continue
		}
		body := loopFinder{}
		ast.Walk(&predicate.Node, &body)
		items, known := length(node.Arguments[0])
		switch {
		case body.loops:
			v.refuse(node, node.Name+" has a loop in a loop")
		case !known:
			v.refuse(node, node.Name+" needs a list that is written out, such as [80, 443]")
		case items > maxSteps: // before a product overflows
			v.steps = items
		default:
			v.steps += items * body.nodes
		}
	}
	if v.steps > maxSteps {
		v.refuse(node, fmt.Sprintf("%s takes too many steps: %d, and at most %d are allowed", node.Name, v.steps, maxSteps))
	}
}

func (v *boundChecker) refuse(node ast.Node, message string) {
	if v.err == nil {
		wrong := &file.Error{Location: node.Location(), Message: message}
		v.err = wrong.Bind(v.source)
	}
}

// loopFinder counts nodes and looks for a loop among them.
type loopFinder struct {
	nodes int
	loops bool
}

// Visit implements [ast.Visitor].
func (f *loopFinder) Visit(node *ast.Node) {
	f.nodes++
	_, loops := (*node).(*ast.PredicateNode)
	f.loops = f.loops || loops
}

// length returns how many items a list has at most.
func length(list ast.Node) (items int, known bool) {
	switch list := list.(type) {
	case *ast.ArrayNode:
		return len(list.Nodes), true
	case *ast.BinaryNode:
		from, ok := list.Left.(*ast.IntegerNode)
		to, also := list.Right.(*ast.IntegerNode)
		if list.Operator == ".." && ok && also {
			return max(0, to.Value-from.Value+1), true
		}
	case *ast.BuiltinNode:
		if list.Name == "filter" {
			return length(list.Arguments[0])
		}
	}
	return 0, false
}

func isNumber(t reflect.Type) bool {
	return t != nil && (t.Kind() == reflect.Int || t.Kind() == reflect.Float64)
}
