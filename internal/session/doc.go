// Package session is what every command that traces or reads does: it opens files by
// their content, judges what a source delivers, filters, limits and counts it, begins and
// ends recordings.
//
//	model.Source ──► Session.Records ──► start, what passes the filter, stop ──► screen, lines, summary
//	                 Session.Record  ──► record.Writer
//	                 Part            ──► a recording that begins and ends meanwhile
//	file            ──► Open ──► File.Records ──► the same, of a recording, a trace or a capture
//
// A session ends with the source, with SIGINT, SIGTERM or SIGHUP, after a time or a
// number of ends, or with what it follows; its stop line says which.
package session
