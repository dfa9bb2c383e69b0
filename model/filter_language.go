package model

import (
	"cmp"
	"fmt"
	"net/netip"
	"reflect"

	"github.com/expr-lang/expr"
	"github.com/expr-lang/expr/ast"
	"github.com/expr-lang/expr/file"
	"github.com/expr-lang/expr/vm"
)

// CompileExpression compiles an expression over the fields of env, a struct
// whose fields carry their name in the tag "expr". It has cidr(address,
// "10.0.0.0/8") and those of the language's own functions that can neither grow
// nor loop for long. It has no clock: a recording gives the same at any time. The error of a wrong expression matches
// [ErrFilter], shows the place, names fields, not the types of env, and those that
// may have been meant.
func CompileExpression(source string, env any, options ...expr.Option) (*vm.Program, error) {
	networks := networkChecker{source: file.NewSource(source)}
	bounds := boundChecker{source: file.NewSource(source)}
	values := valueChecker{source: file.NewSource(source)}
	options = append(append(bounded(), options...), expr.Env(env), expr.Patch(&networks), expr.Patch(&bounds), expr.Patch(&values),
		expr.Function("cidr", inCIDR, new(func(string, string) bool)))
	program, err := expr.Compile(source, options...)
	if err == nil {
		err = cmp.Or(networks.err, bounds.err, values.err)
	}
	if err == nil {
		return program, nil
	}
	return nil, fmt.Errorf("%w: %s", ErrFilter, explained(err, source, reflect.TypeOf(env)))
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
	if _, err := parseNetwork(text.Value); err != nil {
		wrong := &file.Error{Location: text.Location(), Message: fmt.Sprintf("%q is not a network such as 10.0.0.0/8 or 10.0.0.9/32", text.Value)}
		v.err = wrong.Bind(v.source)
	}
}

func inCIDR(params ...any) (any, error) {
	prefix, err := parseNetwork(params[1].(string))
	if err != nil {
		return nil, err
	}
	address, err := netip.ParseAddr(params[0].(string))
	if err != nil {
		return false, nil // an address that is not known is in no network
	}
	return prefix.Contains(address), nil
}

// parseNetwork also takes a network of IPv4 that is written as one of IPv6, as records
// never write addresses.
func parseNetwork(text string) (netip.Prefix, error) {
	const mapped = 128 - 32 // the bits before the IPv4 address (RFC 4291, 2.5.5.2)
	p, err := netip.ParsePrefix(text)
	if err == nil && p.Addr().Is4In6() && p.Bits() >= mapped {
		p = netip.PrefixFrom(p.Addr().Unmap(), p.Bits()-mapped)
	}
	return p, err
}
