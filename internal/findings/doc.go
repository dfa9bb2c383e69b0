// Package findings says why connections keep ending the way they do: it looks
// at the stream of records for known patterns, such as a keep-alive race.
//
//	records ─► Engine.Add ─► hold 250 ms, join both ends ─► patterns, the first that holds ─► groups ─► Findings
//
// The patterns are a table like the classifier's. One takes a single connection (both its
// ends if both are on this host), or what a group of them has in common. If a fact is
// missing a pattern does not match; it never guesses. What was concluded and not seen is
// marked as inferred.
//
// The package is pure: no clock, no I/O, no goroutine. Its memory is bounded
// whatever the stream holds: ends, groups and names have fixed limits. Connections are
// judged in the order of their times, so that the order of the records within
// 100 ms does not matter.
package findings

//go:generate go run ./generate ../../docs/findings.md
