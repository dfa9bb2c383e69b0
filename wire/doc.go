// Package wire is the back end for packet captures: it works out from the segments of a
// capture how TCP connections ended.
//
//	capture ──► internal/capture: packets ──► internal/packet: segments ──► internal/flow: connections ──► facts of their ends
//
// It needs no privileges and reads on any system. A capture shows both ends of a
// connection, and no process: what only a host knows is left out of the facts, and
// what segments only suggest is handed over as inferred. docs/captures.md says what
// that comes to for each way in which a connection ends.
package wire
