// Package model is closetrace's vocabulary and its judgement.
//
//	back end ──► Event (Facts, or a Loss) ──► Classify ──► Record (Teardown) ──► screen, file, report
//
// A back end (packages tracer, etwsrc and wire) reports what it observed as [Facts],
// in words that hold on every platform. [Classify] turns facts into a
// [Judgement] with one ordered table of named rules; it is a pure function, so
// that a recording can be judged again by a later version. Sinks show
// [Record] values and never judge.
//
// The package has no clock, does no I/O, starts no goroutine and knows no
// operating system: names of hooks, event numbers and error numbers stay in
// the back ends. The field names are those of docs/record.md (schema
// "closetrace/1"), which follow the OpenTelemetry semantic conventions where
// one exists. What is not known is absent: see [Opt].
package model
