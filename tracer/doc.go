// Package tracer is the Linux back end: it loads the programs of package bpf,
// attaches them in the best way the kernel allows, and turns their messages
// into facts.
//
//	ring buffer ──► decode ──► assembler (late evidence, linger timer) ──► facts ──► model.Event
//
// It reports what was seen, without judging it. The assembler is a pure function of the
// messages and of the kernel's clock, so that recorded messages can be replayed in tests.
//
// One goroutine, that of the consumer of [Tracer.Events], does all the work:
// while the consumer is busy the ring buffer fills, and what does not fit is
// counted in the kernel and reported as a loss.
package tracer
