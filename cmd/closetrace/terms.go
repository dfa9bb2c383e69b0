package main

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/expr-lang/expr/parser"
	"github.com/spf13/pflag"

	"github.com/closetrace/closetrace/internal/session"
)

// terms are what every command chooses connections by, open and ended ones.
type terms struct {
	expression expression
	pid        uint32
	process    string
	port       uint16
	peer       string
	netns      netns
	warned     []string // of what is absent
}

// setPort takes a port. 0 is an empty variable of a script, and would choose all.
func (t *terms) setPort(text string) error {
	n, err := strconv.ParseUint(text, 10, 16)
	if err != nil || n == 0 {
		return errors.New("want a port from 1 to 65535")
	}
	t.port = uint16(n)
	return nil
}

// flags adds those flags that mean the same everywhere.
func (t *terms) flags(set *pflag.FlagSet) {
	set.VarP(&t.expression, "filter", "f", "only connections that match this `EXPRESSION` over their fields, e.g. 'tcp.bytes.unread > 0'; repeated: that match each")
	set.Func("port", "only connections with this local or peer `PORT`", t.setPort)
	set.StringVar(&t.peer, "peer", "", "only peers in this `CIDR` or with this address")
	set.Var(&t.netns, "netns", netnsUsage)
}

// parts returns an expression for each flag but the filter. Roles are the members
// in which the process may be.
func (t *terms) parts(roles ...string) ([]string, error) {
	var parts []string
	either := func(format string, members []string, value any) {
		for i := range members {
			members[i] = fmt.Sprintf(format, members[i], value)
		}
		if len(members) == 1 {
			parts = append(parts, members[0])
		} else {
			parts = append(parts, "("+strings.Join(members, " || ")+")")
		}
	}
	if t.pid != 0 {
		either("%s.pid == %d", slices.Clone(roles), t.pid)
	}
	if t.process != "" {
		either("%s.name == %s", slices.Clone(roles), strconv.Quote(t.process))
	}
	if t.port != 0 {
		either("network.%s.port == %d", []string{"local", "peer"}, t.port)
	}
	prefix, err := t.peers()
	if err != nil {
		return nil, err
	}
	if prefix.IsValid() {
		parts = append(parts, fmt.Sprintf("cidr(network.peer.address, %q)", prefix))
	}
	if t.netns != 0 {
		parts = append(parts, fmt.Sprintf("network.netns == %d", t.netns))
	}
	return parts, nil
}

// with returns one expression of all parts and the filter.
func (t *terms) with(parts []string) string {
	switch {
	case t.expression == "":
	case len(parts) > 0:
		parts = append(parts, "("+string(t.expression)+")")
	default:
		return string(t.expression)
	}
	return strings.Join(parts, " && ")
}

// peers is the network that --peer names; the zero Prefix is all.
func (t *terms) peers() (netip.Prefix, error) {
	if t.peer == "" {
		return netip.Prefix{}, nil
	}
	peers, err := session.ParsePrefix(t.peer)
	if err != nil {
		return peers, usage("--peer %v", err)
	}
	return peers, nil
}

// expression is a flag that narrows each time it is given: the last one must not undo
// another, which may be what kubectl chooses a pod by.
type expression string

// Set implements [pflag.Value].
func (e *expression) Set(text string) error {
	switch {
	case strings.TrimSpace(text) == "":
		return nil
	case *e == "":
		*e = expression(text)
		return nil
	}
	for _, one := range []string{string(*e), text} { // or "a) || (b" would widen it
		if _, err := parser.Parse(one); err != nil {
			reason, _, _ := strings.Cut(err.Error(), "\n")
			return fmt.Errorf("cannot be joined: %q: %s", one, reason)
		}
	}
	*e = "(" + *e + ") && (" + expression(text) + ")"
	return nil
}

// String implements [pflag.Value].
func (e *expression) String() string { return string(*e) }

// Type implements [pflag.Value].
func (*expression) Type() string { return "EXPRESSION" }
