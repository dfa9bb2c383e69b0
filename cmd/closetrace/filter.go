package main

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/spf13/pflag"

	"github.com/closetrace/closetrace/model"
)

// choice is what to trace: an expression, and flags for its common parts.
type choice struct {
	terms
	verdicts []string
	causes   []string
}

func (c *choice) flags(set *pflag.FlagSet) {
	c.terms.flags(set)
	set.Var((*processID)(&c.pid), "pid", "only connections owned or closed by this process `ID`")
	set.StringVar(&c.process, "process", "", "only connections owned or closed by processes of this `NAME`")
	set.StringSliceVar(&c.verdicts, "verdict", nil, "only these `VERDICTS`: "+strings.Join(names(model.Verdicts()), ", "))
	set.StringSliceVar(&c.causes, "cause", nil, "only these `CAUSES`; closetrace explain lists them")
}

// compile turns the flags into one expression and compiles it.
func (c *choice) compile() (*model.Filter, error) {
	parts, err := c.parts("process", "closer")
	if err != nil {
		return nil, err
	}
	if err := oneOf[model.Verdict]("verdict", c.verdicts, &parts); err != nil {
		return nil, err
	}
	if err := oneOf[model.Cause]("cause", c.causes, &parts); err != nil {
		return nil, usage("%w (closetrace explain lists the causes)", err)
	}
	return model.CompileFilter(c.with(parts))
}

// oneOf adds `field in [...]` for the names of an enumeration.
func oneOf[T any, P interface {
	*T
	UnmarshalText([]byte) error
}](field string, names []string, parts *[]string) error {
	if len(names) == 0 {
		return nil
	}
	quoted := make([]string, len(names))
	for i, name := range names {
		var value T
		if err := P(&value).UnmarshalText([]byte(name)); err != nil {
			return usage("--%s: %w", field, err)
		}
		quoted[i] = strconv.Quote(name)
	}
	*parts = append(*parts, fmt.Sprintf("%s in [%s]", field, strings.Join(quoted, ", ")))
	return nil
}

// processID is the number of a process; 0 is none.
type processID uint32

// String implements [pflag.Value].
func (p *processID) String() string {
	if *p == 0 {
		return ""
	}
	return strconv.FormatUint(uint64(*p), 10)
}

// Set implements [pflag.Value].
func (p *processID) Set(text string) error {
	n, err := strconv.ParseUint(text, 10, 31)
	if err != nil || n == 0 {
		return fmt.Errorf("%q is not a process ID, a number from 1 up", text)
	}
	*p = processID(n)
	return nil
}

// Type implements [pflag.Value].
func (p *processID) Type() string { return "ID" }
