package sockets

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/expr-lang/expr"
	"github.com/expr-lang/expr/vm"

	"github.com/closetrace/closetrace/model"
)

// filterMemory bounds what one evaluation may allocate, in expr's units.
const filterMemory = 10_000

// Filter chooses connections by an expression over the names that --json
// shows: `state == "CLOSE_WAIT" && queue.receive > 0`. The language, and the
// names that a teardown record has too, are those of [model.CompileFilter]: an
// unknown number is -1, an unknown text "".
//
// It may be used by one goroutine at a time. The nil Filter matches all.
type Filter struct{ compiled }

// Order sorts connections by an expression such as `tcp.bytes.unread`.
type Order struct {
	compiled
	descending bool
}

type compiled struct {
	source  string
	program *vm.Program
	machine vm.VM
}

// CompileFilter parses and type-checks an expression. The error of a wrong one
// matches [model.ErrFilter] and shows the place.
func CompileFilter(source string) (*Filter, error) {
	if strings.TrimSpace(source) == "" {
		return nil, nil
	}
	c, err := compile(source, expr.AsBool())
	return &Filter{c}, err
}

// CompileOrder parses an expression to sort by. A minus sign before it sorts
// the greatest first.
func CompileOrder(source string) (*Order, error) {
	source, descending := strings.CutPrefix(strings.TrimSpace(source), "-")
	if source == "" {
		return nil, nil
	}
	c, err := compile(source)
	return &Order{c, descending}, err
}

func compile(source string, options ...expr.Option) (compiled, error) {
	program, err := model.CompileExpression(source, view{}, options...)
	if err != nil {
		return compiled{}, err
	}
	c := compiled{source: source, program: program}
	c.machine.MemoryBudget = filterMemory
	return c, nil
}

// failures counts the connections that an expression, which is right, failed on.
type failures struct {
	n     int
	first error
}

func (f *failures) add(err error) {
	if f.n++; f.first == nil {
		f.first = err
	}
}

// failed matches [model.ErrFilterFailed]; effect is what becomes of those connections.
func (f *failures) failed(effect string) error {
	if f.n == 0 {
		return nil
	}
	reason, _, _ := strings.Cut(f.first.Error(), "\n") // without the place
	return fmt.Errorf("%w on %d connections, which %s: %s", model.ErrFilterFailed, f.n, effect, strings.TrimPrefix(reason, "runtime error: "))
}

// Select returns the connections that pass. Those that the expression fails on do not; the
// error, which says so, comes beside the others.
func (f *Filter) Select(all []Conn) ([]Conn, error) {
	if f == nil {
		return all, nil
	}
	var chosen []Conn
	var failed failures
	for i := range all {
		result, err := f.machine.Run(f.program, viewOf(&all[i]))
		if err != nil {
			failed.add(err)
		} else if matched, _ := result.(bool); matched {
			chosen = append(chosen, all[i])
		}
	}
	return chosen, failed.failed("are left out")
}

// Field returns what o sorts by, without its minus sign; "" if o is nil.
func (o *Order) Field() string {
	if o == nil {
		return ""
	}
	return o.source
}

// Value returns what o sorts c by, "" where it is not known or fails.
func (o *Order) Value(c *Conn) string {
	value, err := o.machine.Run(o.program, viewOf(c))
	if err != nil || value == -1 {
		return ""
	}
	return fmt.Sprint(value)
}

// Sort puts connections into the order of o; nil sorts by state, process and
// addresses. Those that the expression fails on come last, and the error says so.
func (o *Order) Sort(all []Conn) error {
	var failed failures
	rows := make([]sortRow, len(all))
	for i := range all {
		rows[i].conn = &all[i]
		if o == nil {
			continue
		}
		value, err := o.machine.Run(o.program, viewOf(&all[i]))
		if err != nil {
			failed.add(err)
		}
		rows[i].key, rows[i].failed = value, err != nil
	}
	slices.SortFunc(rows, func(a, b sortRow) int {
		if a.failed != b.failed {
			if a.failed {
				return 1
			}
			return -1
		}
		c := compareValues(a.key, b.key)
		if o != nil && o.descending {
			c = -c
		}
		return cmp.Or(c, natural(a.conn, b.conn))
	})
	sorted := make([]Conn, len(all))
	for i := range rows {
		sorted[i] = *rows[i].conn
	}
	copy(all, sorted)
	return failed.failed("come last")
}

// sortRow stands for a connection while they are sorted: those are large.
type sortRow struct {
	conn   *Conn
	key    any
	failed bool
}

func natural(a, b *Conn) int {
	listens := func(c *Conn) int {
		if c.State == model.Listen {
			return 0
		}
		return 1
	}
	return cmp.Or(
		cmp.Compare(a.Transport, b.Transport),
		cmp.Compare(listens(a), listens(b)),
		a.Network.Local.AddrPort().Compare(b.Network.Local.AddrPort()),
		a.Network.Peer.AddrPort().Compare(b.Network.Peer.AddrPort()),
		cmp.Compare(a.ID, b.ID),
	)
}

// compareValues orders what expressions give: numbers, texts, truths.
func compareValues(a, b any) int {
	switch a := a.(type) {
	case int:
		if b, ok := b.(int); ok {
			return cmp.Compare(a, b)
		}
	case float64:
		if b, ok := b.(float64); ok {
			return cmp.Compare(a, b)
		}
	case string:
		if b, ok := b.(string); ok {
			return cmp.Compare(a, b)
		}
	case bool:
		if b, ok := b.(bool); ok && a != b {
			if b {
				return -1
			}
			return 1
		}
	}
	return 0
}

// number returns a value that may not be known as expressions see it.
func number[T int | uint8 | uint32 | uint64 | time.Duration](o model.Opt[T]) int {
	v, known := o.Get()
	if !known {
		return -1
	}
	return int(v)
}
