// Package session is what every command that traces does: it judges what a source
// delivers, filters, limits and counts it, begins and ends recordings.
//
//	model.Source ──► Session.Records ──► start, what passes the filter, stop ──► screen, lines, summary
//	                 Session.Record  ──► record.Writer
//	                 Part            ──► a recording that begins and ends meanwhile
//
// A session ends with the source, with SIGINT, SIGTERM or SIGHUP, after a time or a
// number of ends, or with what it follows; its stop line says which.
package session
