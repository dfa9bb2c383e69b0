//go:build linux

package tracer

// Mutants of this folder that no test can distinguish from the original, so that nobody
// looks for a test again. Of kernel.go, learn.go, clock.go, tracer.go and of rotate.go,
// csv.go and pcapfilter.go of internal/record no other survivor is known.
//
//	tracer.go  t.drained = true -> false           detach, and reading a ring that nothing
//	                                               writes to, do nothing the second time
//	tracer.go  if stopped { return } -> if false   drain delivers through out, which yields
//	                                               nothing more once it has stopped
