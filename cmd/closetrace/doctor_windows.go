package main

import "github.com/closetrace/closetrace/etwsrc"

// diagnose tries to start the ETW session and ends it again.
func diagnose() diagnosis {
	var d diagnosis
	session, err := etwsrc.Open(etwsrc.Options{})
	c := check{Name: "back end etw", OK: err == nil, Detail: "providers TCPIP, Winsock-AFD, Winsock-Sockets"}
	if err != nil {
		c.Detail, c.Advice = err.Error(), ""
	} else {
		d.Backend = backends
		if err := session.Close(); err != nil {
			c.Detail += "; " + err.Error()
		}
	}
	d.Checks = []check{c}
	return d
}
