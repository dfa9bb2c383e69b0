// Package report makes one HTML page of a recording.
//
//	model.Record ──► Report.Add (counts, and the worst ends) ──► Report.Write ──► page.html
//
// The page is complete in itself: styles, scripts and the chart library uPlot
// are in it, and its Content-Security-Policy lets it load and send nothing.
// Everything but zoom, sorting and the filter works without scripts, so that
// it can be printed, mailed and opened years later. Names that came from the
// traced system are hostile: they are made visible by safetext and escaped by
// html/template.
//
// Memory and page are bounded whatever the recording's size: counts are those
// of package summary, and only the worst ends are kept whole.
package report
