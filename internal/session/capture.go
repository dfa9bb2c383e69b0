package session

import (
	"errors"
	"fmt"
	"net/netip"
	"strconv"
	"strings"

	"github.com/spf13/pflag"

	"github.com/closetrace/closetrace/wire"
)

// openCapture opens a packet capture.
func openCapture(in *input, o *OpenOptions) (opened, error) {
	options := o.Capture
	options.Live = in.live
	f, rest, err := wire.Open(in.stream, in.name, options)
	switch {
	case errors.Is(err, wire.ErrNotACapture):
		in.stream = rest
		return nil, errOther
	case err != nil:
		return nil, fmt.Errorf("open %s: %w", in.name, err)
	}
	return &judgedFile{f, in}, nil
}

// mostFlag is also a flag of tracing, of which it then is the value.
const mostFlag = "max-connections"

func captureFlags(flags *pflag.FlagSet, o *OpenOptions) {
	flags.Var((*prefixes)(&o.Capture.Local), "local", "of a packet capture: only the ends with an address in this `CIDR` (default both ends)")
	flags.BoolVar(&o.Capture.Payload, "payload", false, "of a packet capture: read the status of HTTP answers; nothing else of payload is read, TLS alerts aside")
	if most := flags.Lookup(mostFlag); most != nil {
		most.Usage += fmt.Sprintf("; of a packet capture %d", wire.DefaultConnections)
	} else {
		flags.Uint32(mostFlag, 0, fmt.Sprintf("of a packet capture: follow at most this `NUMBER` of connections at a time (default %d)", wire.DefaultConnections))
	}
}

func setCapture(flags *pflag.FlagSet, o *OpenOptions) (err error) {
	o.Capture.MaxConnections, err = strconv.Atoi(flags.Lookup(mostFlag).Value.String())
	return err
}

// prefixes is a flag with addresses and networks, which may be repeated.
type prefixes []netip.Prefix

// Set implements pflag.Value.
func (p *prefixes) Set(text string) error {
	for one := range strings.SplitSeq(text, ",") {
		prefix, err := ParsePrefix(one)
		if err != nil {
			return err
		}
		*p = append(*p, prefix)
	}
	return nil
}

// Type implements pflag.Value.
func (p *prefixes) Type() string { return "CIDR" }

// String implements pflag.Value.
func (p *prefixes) String() string {
	var all []string
	for _, prefix := range *p {
		all = append(all, prefix.String())
	}
	return strings.Join(all, ",")
}

// ParsePrefix reads an address or a network.
func ParsePrefix(text string) (netip.Prefix, error) {
	if prefix, err := netip.ParsePrefix(text); err == nil {
		return prefix, nil
	}
	address, err := netip.ParseAddr(text)
	if err != nil {
		return netip.Prefix{}, fmt.Errorf("%q is neither an address nor a CIDR such as 10.0.0.0/8", text)
	}
	return netip.PrefixFrom(address, address.BitLen()), nil
}
