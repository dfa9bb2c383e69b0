package main

import (
	"strings"

	"github.com/spf13/pflag"

	"github.com/closetrace/closetrace/internal/sockets"
	"github.com/closetrace/closetrace/model"
)

// selection is which open connections are meant.
type selection struct {
	terms
	states   []string
	allNetNS bool
	tcp, udp bool
	listen   bool
	all      bool
}

func (s *selection) flags(set *pflag.FlagSet) {
	s.terms.flags(set)
	set.Var((*processID)(&s.pid), "pid", "only connections of this process `ID`")
	set.StringSliceVar(&s.states, "state", nil, "only these `STATES`: ESTABLISHED, CLOSE_WAIT, ...")
	set.BoolVar(&s.allNetNS, "all-netns", false, "all network namespaces")
	set.BoolVarP(&s.tcp, "tcp", "t", false, "TCP (the default without --udp)")
	set.BoolVarP(&s.udp, "udp", "u", false, "UDP endpoints")
}

func (s *selection) options() sockets.Options {
	o := sockets.Options{TCP: s.tcp, UDP: s.udp, AllNetNS: s.allNetNS || s.netns != 0}
	switch {
	case s.all, len(s.states) > 0:
		o.Scope = sockets.Everything
	case s.listen:
		o.Scope = sockets.Listeners
	case s.udp && !s.tcp:
		o.Scope = sockets.Everything // a UDP socket has no connection to wait for
	}
	return o
}

// compile turns the flags into one expression.
func (s *selection) compile() (string, error) {
	parts, err := s.parts("process")
	if err != nil {
		return "", err
	}
	for i := range s.states {
		s.states[i] = strings.ToUpper(strings.ReplaceAll(s.states[i], "-", "_"))
	}
	if err := oneOf[model.State]("state", s.states, &parts); err != nil {
		return "", err
	}
	return s.with(parts), nil
}
