package main

import (
	"fmt"

	"golang.org/x/sys/windows"

	"github.com/closetrace/closetrace/etwsrc"
)

// diagnose tries to start the ETW session and ends it again.
func diagnose(sourceFlags) (diagnosis, error) {
	var d diagnosis
	v := windows.RtlGetVersion()
	d.Checks = []check{
		{Name: "Windows", OK: true, Detail: fmt.Sprintf("%d.%d.%d", v.MajorVersion, v.MinorVersion, v.BuildNumber)},
		{
			Name: "rights", OK: windows.GetCurrentProcessToken().IsElevated(), Detail: "administrator",
			Advice: "missing; start it from an elevated prompt (Run as administrator)",
		},
		{
			Name: "socket calls", OK: etwsrc.HasSocketCalls(), Detail: "Microsoft-Windows-Winsock-Sockets", Optional: true,
			Advice: "not on this Windows (before 11); SO_LINGER and closes that failed are not known then",
		},
	}
	session, err := etwsrc.Open(etwsrc.Options{})
	if err != nil {
		d.Checks = append(d.Checks, check{Name: "back end etw", Detail: err.Error()})
		return d, nil
	}
	d.Backend = backends[0]
	d.Checks = append(d.Checks, check{Name: "back end etw", OK: true, Detail: "session " + session.Name()})
	for _, p := range session.Providers() {
		c := check{Name: "  " + p.Name, OK: p.Err == nil, Optional: p.Optional}
		if p.Err != nil {
			c.Detail = p.Err.Error()
		}
		d.Checks = append(d.Checks, c)
	}
	if err := session.Close(); err != nil {
		d.Checks = append(d.Checks, check{Name: "end of the session", Detail: err.Error()})
	}
	return d, nil
}
