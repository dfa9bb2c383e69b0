package model

import (
	"errors"
	"fmt"
	"reflect"
	"strings"
	"time"

	"github.com/expr-lang/expr"
	"github.com/expr-lang/expr/ast"
	"github.com/expr-lang/expr/vm"
)

// Filter chooses connection ends by an expression over the field names of a
// record: `verdict == "abortive" && tcp.bytes.unread > 0`. The language is
// github.com/expr-lang/expr. A number that is not known is -1, a text that is
// not known is "", the time is a text as recordings have it, in UTC, and
// cidr(address, "10.0.0.0/8") tests an address.
//
// A Filter may be used by one goroutine at a time. The nil Filter matches all.
type Filter struct {
	source    string
	program   *vm.Program
	machine   vm.VM
	view      view
	addresses bool // the expression reads one: they cost an allocation each
	times     bool // the same of the time
	failures  uint64
	failed    error // the first of them
}

// ErrFilter is matched by every error that a wrong expression causes.
var ErrFilter = errors.New("filter")

// ErrFilterFailed is matched by the error of [Filter.Failed].
var ErrFilterFailed = errors.New("the filter failed")

// filterMemory bounds what one evaluation may allocate, in expr's units.
const filterMemory = 10_000

// CompileFilter parses and type-checks an expression. The error of a wrong one
// has several lines: what is wrong, the expression, and a caret below it.
func CompileFilter(source string) (*Filter, error) {
	if strings.TrimSpace(source) == "" {
		return nil, nil
	}
	f := &Filter{source: source}
	finder := costFinder{}
	program, err := CompileExpression(source, view{}, expr.AsBool(), expr.Patch(&finder))
	if err != nil {
		return nil, err
	}
	f.program, f.addresses, f.times = program, finder.address, finder.time
	f.machine.MemoryBudget = filterMemory
	return f, nil
}

// FilterFields returns the names that an expression can ask for, and those that hold
// others.
func FilterFields() []string { return fieldPaths(reflect.TypeFor[view](), "") }

// String returns the expression.
func (f *Filter) String() string {
	if f == nil {
		return ""
	}
	return f.source
}

// Match reports whether r passes. Records that are not about a connection
// (start, loss, counters, stop) always do. One that the expression fails on (a division by
// zero, an element that a list does not have) does not: [Filter.Failed] says so.
func (f *Filter) Match(r *Record) bool {
	if f == nil {
		return true
	}
	switch r.Kind {
	case KindUnknown, KindStart, KindLoss, KindCounters, KindClock, KindTable, KindStop:
		return true
	case KindTeardown, KindOutcome, KindCloseFailed, KindStray:
	case KindCounts:
		all := r.Teardown
		all.Verdict, all.Cause = Graceful, CauseFIN
		r = &Record{Teardown: all}
	}
	f.view.fill(&r.Teardown, f.addresses)
	if r.Kind == KindStray || r.Kind == KindCloseFailed { // nothing has ended that could be unknown
		f.view.Verdict, f.view.Cause, f.view.Initiator, f.view.Terminator, f.view.Confidence = "", "", "", "", ""
	}
	if f.times {
		f.view.Time = r.Teardown.Time.String()
	}
	result, err := f.machine.Run(f.program, &f.view)
	if err != nil {
		if f.failures++; f.failed == nil {
			f.failed = err
		}
		return false
	}
	matched, ok := result.(bool)
	return matched && ok
}

// Failed returns an error if the expression failed on records, with their number
// and the first reason; it matches [ErrFilterFailed]. They did not match.
func (f *Filter) Failed() error {
	if f == nil || f.failed == nil {
		return nil
	}
	reason, _, _ := strings.Cut(f.failed.Error(), "\n") // without the place
	return fmt.Errorf("%w on %d records, which are left out: %s", ErrFilterFailed, f.failures, strings.TrimPrefix(reason, "runtime error: "))
}

// costFinder looks whether the expression reads an address or the time.
type costFinder struct{ address, time bool }

// Visit implements [ast.Visitor].
func (v *costFinder) Visit(node *ast.Node) {
	switch n := (*node).(type) {
	case *ast.StringNode:
		v.address = v.address || n.Value == "address"
	case *ast.IdentifierNode:
		v.time = v.time || n.Value == "time"
	}
}

// number returns a value that may not be known as filters see it.
func number[T int | int32 | uint8 | uint16 | uint32 | uint64 | time.Duration](o Opt[T]) int {
	v, known := o.Get()
	if !known {
		return -1
	}
	return int(v)
}
