package main

import "github.com/closetrace/closetrace/tracer"

// canTrace reports whether this kernel can be traced. It keeps the privileges
// of this process: the commands that the tests start need them.
func canTrace() bool {
	source, err := tracer.Open(tracer.Options{})
	if err != nil {
		return false
	}
	source.Close()
	return true
}
