// Package human writes numbers, durations, endpoints and processes for people:
// the same value has the same text on the screen, in a line, in a summary, in
// the report and in messages. Recordings do not use it; they hold exact values.
//
// All text is ASCII, so that it looks the same on every terminal, and bounded:
// bytes and durations fit into seven columns, so that tables need not measure.
package human
