package main

import (
	"fmt"
	"io"
	"strings"

	"github.com/closetrace/closetrace/internal/human"
	"github.com/closetrace/closetrace/internal/record"
	"github.com/closetrace/closetrace/model"
	"github.com/closetrace/closetrace/tui"
)

// printer writes records in one format.
type printer struct {
	record func(*model.Record) error
	end    func() error
}

// formats are what replay writes.
var formats = []string{"text", "json", "csv", "pcap-filter"}

// newPrinter returns the printer of flags.format. With --rejudge it shows just
// the records whose judgement changes.
func newPrinter(out, warn io.Writer, flags *replayFlags, options tui.LineOptions) (printer, error) {
	end := func() error { return nil }
	if flags.rejudge {
		if flags.format != "text" {
			return printer{}, usage("--rejudge writes text only")
		}
		return printRejudged(out, warn, options), nil
	}
	switch flags.format {
	case "text":
		return printer{printText(out, options), end}, nil
	case "json":
		var line []byte
		return printer{func(r *model.Record) error {
			line = record.Append(line[:0], r)
			_, err := out.Write(line)
			return err
		}, end}, nil
	case "csv":
		csv := record.NewCSV(out)
		return printer{csv.Write, csv.Flush}, nil
	case "pcap-filter":
		var filter record.PcapFilter
		return printer{
			func(r *model.Record) error { filter.Add(r); return nil },
			func() error {
				if n := filter.Skipped(); n > 0 {
					fmt.Fprintf(warn, "closetrace: %d more connections do not fit into one filter; choose fewer with --filter\n", n)
				}
				_, err := fmt.Fprintln(out, filter.String())
				return err
			},
		}, nil
	default:
		return printer{}, usage("unknown format %q: want %s", flags.format, strings.Join(formats, ", "))
	}
}

func printText(out io.Writer, options tui.LineOptions) func(*model.Record) error {
	headed := false
	return func(r *model.Record) error {
		if !headed {
			headed = true
			fmt.Fprintln(out, tui.LineHeader(options))
		}
		_, err := fmt.Fprintln(out, tui.Line(r, options))
		return err
	}
}

// printRejudged shows the records that change, and at the end how many were
// judged.
func printRejudged(out, told io.Writer, options tui.LineOptions) printer {
	judged, different := 0, 0
	judge := func(r *model.Record) error {
		if r.Kind == model.KindTeardown || r.Kind == model.KindOutcome {
			judged++
		}
		now, changed := record.Rejudge(r)
		if !changed {
			return nil
		}
		different++
		changes := strings.Join(record.Differences(r, &now), ", ")
		_, err := fmt.Fprintf(out, "%s  was judged differently: %s\n", tui.Line(&now, options), changes)
		return err
	}
	end := func() error {
		_, err := fmt.Fprintf(told, "closetrace: %s judged again, %s changed\n", human.Count(judged), human.Count(different))
		return err
	}
	return printer{judge, end}
}
