package sandbox

import (
	"context"
	"net"
	"os"
	"strings"
)

const resolverFile = "/etc/resolv.conf"

// keepResolver makes names resolve also when another file has taken the place of that of the
// resolver: what landlock lets be read is the one that was there. Go then asks this host.
func keepResolver() {
	servers := nameservers(resolverFile)
	if len(servers) == 0 {
		return
	}
	var d net.Dialer
	net.DefaultResolver = &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, network, address string) (net.Conn, error) {
		if len(nameservers(resolverFile)) == 0 {
			address = instead(address, servers)
		}
		return d.DialContext(ctx, network, address)
	}}
}

// instead returns a server that was known in place of one that Go assumes.
func instead(address string, servers []string) string {
	n := 0
	switch host, _, _ := net.SplitHostPort(address); host {
	case "127.0.0.1":
	case "::1":
		n = 1 % len(servers)
	default:
		return address
	}
	return net.JoinHostPort(servers[n], "53")
}

// nameservers are those of a file; none if it can't be read.
func nameservers(path string) (all []string) {
	text, err := os.ReadFile(path) // #nosec G304 -- a constant, but in tests
	if err != nil {
		return nil
	}
	for line := range strings.Lines(string(text)) {
		if f := strings.Fields(line); len(f) > 1 && f[0] == "nameserver" && net.ParseIP(strings.Split(f[1], "%")[0]) != nil {
			all = append(all, f[1])
		}
	}
	return all
}
