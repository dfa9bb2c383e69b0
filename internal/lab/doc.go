// Package lab provokes every way in which a TCP connection can end on Linux,
// on loopback, and knows the truth about each end.
//
//	Run ──► scenario process (own network namespace)     one per Scenario
//	          ├── stage: script, capture on lo, counters
//	          ├── lab-a, lab-b, ...: actors, one process each, that hold the
//	          │   sockets and do one system call at a time when told to
//	          └── Result as JSON on a pipe ──► Run
//
// A [Scenario] is a script of a few lines. It says next to each connection end
// what a judge has to say about it: its [Truth]. Sockets are plain descriptors
// used with plain system calls, because the semantics of close(2) are what is
// under test; package net would put them into non-blocking mode and would
// close them at another time. Loss is made by a socket filter that drops every
// segment before TCP sees it: it needs neither netfilter nor a second device
// and can be lifted at a chosen moment.
//
// No helper connection exists in a scenario's namespace, so one teardown per
// [End] is what a tracer must see there: none missing, none more.
//
// The scenario process is its own witness: it captures FIN and RST on lo and
// reads the kernel's counters, and the package's tests hold the truths
// against them without any tracer. [Compare] checks a tracer's records against
// the truths; it is pure and runs on every platform.
//
// Scenarios run in processes that are this same program started again, so a
// program that calls [Run] must call [Main] before anything else.
//
// On Windows the scenarios are the ways to call closesocket, on 127.0.0.1 and
// in this process: there the witness is what the calls returned.
package lab
