package main

import (
	"fmt"
	"net/netip"
	"strconv"
	"strings"

	"github.com/spf13/pflag"

	"github.com/closetrace/closetrace/model"
)

// choice is what to trace: an expression, and flags for its common parts.
type choice struct {
	expression string
	pid        uint32
	process    string
	port       uint16
	peer       string
	verdicts   []string
	causes     []string
	netns      netns
}

func (c *choice) flags(set *pflag.FlagSet) {
	set.StringVarP(&c.expression, "filter", "f", "", "only what this `EXPRESSION` over the record's fields holds for, e.g. 'tcp.bytes.unread > 0'")
	set.Var((*processID)(&c.pid), "pid", "only connections owned or closed by this process `ID`")
	set.StringVar(&c.process, "process", "", "only connections owned or closed by processes of this `NAME`")
	set.Uint16Var(&c.port, "port", 0, "only connections with this local or peer `PORT`")
	set.StringVar(&c.peer, "peer", "", "only peers in this `CIDR` or with this address")
	set.StringSliceVar(&c.verdicts, "verdict", nil, "only these `VERDICTS`: "+strings.Join(names(model.Verdicts()), ", "))
	set.StringSliceVar(&c.causes, "cause", nil, "only these `CAUSES`; closetrace explain lists them")
	set.Var(&c.netns, "netns", netnsUsage)
}

// compile turns the flags into one expression and compiles it.
func (c *choice) compile() (*model.Filter, error) {
	var parts []string
	add := func(format string, args ...any) { parts = append(parts, fmt.Sprintf(format, args...)) }
	if c.pid != 0 {
		add("(process.pid == %d || closer.pid == %d)", c.pid, c.pid)
	}
	if c.process != "" {
		name := strconv.Quote(c.process)
		add("(process.name == %s || closer.name == %s)", name, name)
	}
	if c.port != 0 {
		add("(network.local.port == %d || network.peer.port == %d)", c.port, c.port)
	}
	prefix, err := c.peers()
	if err != nil {
		return nil, err
	}
	if prefix.IsValid() {
		add("cidr(network.peer.address, %q)", prefix)
	}
	if c.netns != 0 {
		add("network.netns == %d", c.netns)
	}
	if err := oneOf[model.Verdict]("verdict", c.verdicts, &parts); err != nil {
		return nil, err
	}
	if err := oneOf[model.Cause]("cause", c.causes, &parts); err != nil {
		return nil, usage("%w (closetrace explain lists the causes)", err)
	}
	if c.expression != "" {
		if len(parts) > 0 {
			add("(%s)", c.expression)
		} else {
			add("%s", c.expression)
		}
	}
	return model.CompileFilter(strings.Join(parts, " && "))
}

// peers is the network that --peer names; the zero Prefix is all.
func (c *choice) peers() (netip.Prefix, error) {
	if c.peer == "" {
		return netip.Prefix{}, nil
	}
	return parsePrefix(c.peer)
}

func parsePrefix(text string) (netip.Prefix, error) {
	if prefix, err := netip.ParsePrefix(text); err == nil {
		return prefix, nil
	}
	address, err := netip.ParseAddr(text)
	if err != nil {
		return netip.Prefix{}, usage("--peer %q is no address and no CIDR such as 10.0.0.0/8", text)
	}
	return netip.PrefixFrom(address, address.BitLen()), nil
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
		return fmt.Errorf("%q is no process ID, a number from 1 on", text)
	}
	*p = processID(n)
	return nil
}

// Type implements [pflag.Value].
func (p *processID) Type() string { return "ID" }
