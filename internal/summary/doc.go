// Package summary counts the records of an incident in bounded memory.
//
//	model.Record ──► Summary.Add ──► Text │ JSON │ report
//	two Summaries ──► Compare ──► what grew, what vanished
//
// Totals, verdicts, causes and losses are exact. Processes, peers and their
// pairs are kept by the space-saving algorithm (Metwally et al. 2005): the
// most frequent are always among them, and a count that may be too high says
// by how much. Durations go into a histogram with a relative error below 2 %.
//
// The package has no clock and judges nothing. Names of processes are hostile:
// Text escapes them, JSON leaves that to the encoder.
package summary
