package main

import (
	"github.com/closetrace/closetrace/internal/conns"
	"github.com/closetrace/closetrace/tracer"
)

// newOwners tells what connections alone do not say of their processes.
func newOwners(commandLine bool) conns.Owners {
	return tracer.NewOwners(tracer.OwnerOptions{CommandLine: commandLine, Lazy: true})
}
