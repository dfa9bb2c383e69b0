package main

import (
	"context"
	"fmt"
	"io"

	"github.com/closetrace/closetrace/internal/beside"
	"github.com/closetrace/closetrace/internal/human"
	"github.com/closetrace/closetrace/internal/ledger"
	"github.com/closetrace/closetrace/internal/safetext"
	"github.com/closetrace/closetrace/model"
)

// besideCapture returns a printer that shows below each end what a capture saw of it.
func (a *app) besideCapture(ctx context.Context, out io.Writer, print printer, flags *replayFlags) (printer, error) {
	if flags.format != "text" || flags.rejudge {
		return printer{}, usage("--with writes text only, and not with --rejudge")
	}
	wire := beside.New()
	all := &span{captureFlags: flags.captureFlags}
	if err := a.eachRecord(ctx, flags.with, all, ledger.NewPassing(nil), wire.Add); err != nil {
		return printer{}, err
	}
	var found, differ, alone int
	record := func(r *model.Record) error {
		if err := print.record(r); err != nil || r.Kind != model.KindTeardown && r.Kind != model.KindOutcome {
			return err
		}
		seen := wire.Beside(&r.Teardown)
		if seen == nil {
			alone++
			return nil
		}
		found++
		_, err := fmt.Fprintf(out, "  wire: %s\n", besideLine(seen))
		if what := beside.Disagree(&r.Teardown, seen); what != "" && err == nil {
			differ++
			_, err = fmt.Fprintf(out, "  ! %s\n", safetext.Escape(what))
		}
		return err
	}
	end := func() error {
		fmt.Fprintf(a.stderr, "closetrace: %s beside the capture, %s of them disagree; %s not in the capture\n",
			human.Count(found), human.Count(differ), human.Count(alone))
		if wire.Dropped > 0 {
			fmt.Fprintf(a.stderr, "closetrace: %s ends of the capture were too many to compare with; choose fewer with --local\n", human.Count(wire.Dropped))
		}
		return print.end()
	}
	return printer{record, end}, nil
}

// besideLine is what the capture says of an end.
func besideLine(t *model.Teardown) string {
	line := fmt.Sprintf("%v, %v, by %v (%v", t.Verdict, t.Cause, t.Terminator, t.Confidence)
	if t.ConfidenceReason != "" {
		line += ": " + t.ConfidenceReason
	}
	return safetext.Escape(line) + ")"
}
