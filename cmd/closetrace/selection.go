package main

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/spf13/pflag"

	"github.com/closetrace/closetrace/internal/conns"
	"github.com/closetrace/closetrace/model"
)

// selection is which open connections are meant.
type selection struct {
	expression string
	pid        uint32
	process    string
	port       uint16
	peer       string
	states     []string
	netns      netns
	allNetNS   bool
	tcp, udp   bool
	listen     bool
	all        bool
}

func (s *selection) flags(set *pflag.FlagSet) {
	set.StringVarP(&s.expression, "filter", "f", "", "only what this `EXPRESSION` holds for, e.g. 'tcp.bytes.unread > 0'")
	set.Var((*processID)(&s.pid), "pid", "only connections of this process `ID`")
	set.Uint16Var(&s.port, "port", 0, "only connections with this local or peer `PORT`")
	set.StringVar(&s.peer, "peer", "", "only peers in this `CIDR` or with this address")
	set.StringSliceVar(&s.states, "state", nil, "only these `STATES`: ESTABLISHED, CLOSE_WAIT, ...")
	set.Var(&s.netns, "netns", netnsUsage)
	set.BoolVar(&s.allNetNS, "all-netns", false, "all network namespaces")
	set.BoolVarP(&s.tcp, "tcp", "t", false, "TCP (the default without --udp)")
	set.BoolVarP(&s.udp, "udp", "u", false, "UDP endpoints")
}

func (s *selection) options() conns.Options {
	o := conns.Options{TCP: s.tcp, UDP: s.udp, AllNetNS: s.allNetNS || s.netns != 0}
	switch {
	case s.all, len(s.states) > 0:
		o.Scope = conns.Everything
	case s.listen:
		o.Scope = conns.Listeners
	case s.udp && !s.tcp:
		o.Scope = conns.Everything // a UDP socket has no connection to wait for
	}
	return o
}

// compile turns the flags into one expression.
func (s *selection) compile() (string, error) {
	var parts []string
	add := func(format string, args ...any) { parts = append(parts, fmt.Sprintf(format, args...)) }
	if s.pid != 0 {
		add("process.pid == %d", s.pid)
	}
	if s.process != "" {
		add("process.name == %s", strconv.Quote(s.process))
	}
	if s.port != 0 {
		add("(network.local.port == %d || network.peer.port == %d)", s.port, s.port)
	}
	if s.peer != "" {
		prefix, err := parsePrefix(s.peer)
		if err != nil {
			return "", err
		}
		add("cidr(network.peer.address, %q)", prefix)
	}
	if s.netns != 0 {
		add("network.netns == %d", s.netns)
	}
	for i := range s.states {
		s.states[i] = strings.ToUpper(strings.ReplaceAll(s.states[i], "-", "_"))
	}
	if err := oneOf[model.State]("state", s.states, &parts); err != nil {
		return "", err
	}
	if s.expression != "" && len(parts) > 0 {
		add("(%s)", s.expression)
	} else if s.expression != "" {
		add("%s", s.expression)
	}
	return strings.Join(parts, " && "), nil
}
