// Package etwsrc is the back end for Windows: it reads how TCP connections end
// from ETW, live or from a trace file.
//
//	live session (Windows) ──────┐
//	                             ├─► payload decoder ─► join: events of one connection ─► model.Event
//	.etl file (any system) ──────┘
//
// [OpenFile] reads a trace that was taken with the means of Windows alone, on
// any system. [Open] starts a session; outside of Windows it says
// how to get a trace. Both are a [model.Source]. [Stats] says what could not
// be decoded.
//
// What Windows does not report is left out of the facts, and what was lost is
// marked in them: docs/windows.md has the table.
package etwsrc
