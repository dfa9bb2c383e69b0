// Command bench measures what tracing connection ends costs: closetrace beside
// the tools that are installed, in one run.
//
//	bench run -closetrace build/closetrace -document docs/benchmarks.md
//	bench load -mode mixed -workers 2 -seconds 10 < /dev/null
//
// Each round has a network namespace of its own. A tracer is started, a
// generator opens and closes connections on loopback at full speed, and counted
// are: connections made, processor time of generator and tracer, the tracer's
// memory, and how many connection ends it reported. Contenders and rounds
// without one take turns, so that what else the machine does hits all of them;
// medians are compared with those of the rounds without a tracer.
//
// The clock stops when the generator is done and the last line is written.
// What the kernel says of closetrace's programs (run time, runs, losses) is
// read from the kernel, not from closetrace.
package main
