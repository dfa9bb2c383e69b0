package model

import (
	"fmt"
	"net/netip"
	"reflect"
	"slices"
	"strings"

	"github.com/expr-lang/expr"
	"github.com/expr-lang/expr/ast"
	"github.com/expr-lang/expr/file"
	"github.com/expr-lang/expr/vm"
)

// CompileExpression compiles an expression over the fields of env, a struct
// whose fields carry their name in the tag "expr". Beside the language's own
// functions it has cidr(address, "10.0.0.0/8"), and it has no clock: a recording
// gives the same at any time. The error of a wrong expression matches
// [ErrFilter], shows the place, and names fields, not the types of env.
func CompileExpression(source string, env any, options ...expr.Option) (*vm.Program, error) {
	networks := networkChecker{source: file.NewSource(source)}
	options = append(options, expr.Env(env), expr.Patch(&networks),
		expr.Function("cidr", inCIDR, new(func(string, string) bool)))
	for _, clock := range []string{"now", "date", "duration", "timezone"} {
		options = append(options, expr.DisableBuiltin(clock))
	}
	program, err := expr.Compile(source, options...)
	if err == nil {
		err = networks.err
	}
	if err == nil {
		return program, nil
	}
	return nil, fmt.Errorf("%w: %s", ErrFilter, fieldNames(env).Replace(err.Error()))
}

// networkChecker looks at the networks that are written in an expression.
type networkChecker struct {
	source file.Source
	err    error
}

// Visit implements [ast.Visitor].
func (v *networkChecker) Visit(node *ast.Node) {
	call, ok := (*node).(*ast.CallNode)
	if !ok || len(call.Arguments) != 2 || v.err != nil {
		return
	}
	name, ok := call.Callee.(*ast.IdentifierNode)
	if !ok || name.Value != "cidr" {
		return
	}
	text, ok := call.Arguments[1].(*ast.StringNode)
	if !ok {
		return
	}
	if _, err := netip.ParsePrefix(text.Value); err != nil {
		wrong := &file.Error{Location: text.Location(), Message: fmt.Sprintf("%q is no network such as 10.0.0.0/8 or 10.0.0.9/32", text.Value)}
		v.err = wrong.Bind(v.source)
	}
}

func inCIDR(params ...any) (any, error) {
	prefix, err := netip.ParsePrefix(params[1].(string))
	if err != nil {
		return nil, err
	}
	address, err := netip.ParseAddr(params[0].(string))
	if err != nil {
		return false, nil //nolint:nilerr // an address that is not known is in no network
	}
	return prefix.Contains(address), nil
}

// fieldNames replaces the Go types of env's structs by what they hold:
// "tcp.bytes{sent, received}".
func fieldNames(env any) *strings.Replacer {
	paths := map[reflect.Type][]string{}
	groupPaths(reflect.TypeOf(env), "", paths)
	types := make([]reflect.Type, 0, len(paths))
	for t := range paths {
		types = append(types, t)
	}
	// The first that fits is taken: model.viewNetwork before model.view.
	slices.SortFunc(types, func(a, b reflect.Type) int { return strings.Compare(b.String(), a.String()) })
	var pairs []string
	for _, t := range types {
		var members []string
		for field := range t.Fields() {
			members = append(members, field.Tag.Get("expr"))
		}
		pairs = append(pairs, t.String(), strings.Join(paths[t], " or ")+"{"+strings.Join(members, ", ")+"}")
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
