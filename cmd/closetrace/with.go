package main

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/closetrace/closetrace/internal/beside"
	"github.com/closetrace/closetrace/internal/human"
	"github.com/closetrace/closetrace/internal/ledger"
	"github.com/closetrace/closetrace/internal/safetext"
	"github.com/closetrace/closetrace/model"
	"github.com/closetrace/closetrace/wire"
)

// besideCapture returns a printer that shows below each end what a capture saw of it.
func (a *app) besideCapture(ctx context.Context, out io.Writer, print printer, path string, flags *replayFlags) (printer, error) {
	if flags.format != "text" || flags.rejudge {
		return printer{}, usage("--with writes text only, and not with --rejudge")
	}
	w := &withCapture{a: a, out: out, print: print, outcomes: map[string]*model.Record{}}
	host, first, err := a.host(ctx, path, flags, w.outcomes)
	if err != nil {
		return printer{}, err
	}
	w.seen = beside.New(host)
	all := flags.whole()
	w.has = new(wire.Sightings)
	all.Capture.Sightings = w.has
	if err := w.rest.but(a.eachRecord(ctx, flags.with, all, ledger.NewPassing(nil), w.seen.Add)); err != nil {
		return printer{}, err
	}
	if first != nil {
		w.two = wire.Compare(first, w.has, [2]string{fileName(path), fileName(flags.with)})
	}
	return printer{w.record, w.end}, nil
}

func fileName(path string) string { return safetext.Escape(filepath.Base(path)) }

// host reads the file that a capture is compared with, to learn whose ends it has; if
// that is a capture itself, it returns what it has of each connection. Outcomes are
// collected. A pipe, which can be read only once, gives nothing.
func (a *app) host(ctx context.Context, path string, flags *replayFlags, outcomes map[string]*model.Record) (*beside.Host, *wire.Sightings, error) {
	if info, err := os.Stat(path); err != nil || !info.Mode().IsRegular() {
		return nil, nil, nil
	}
	host, captured := beside.NewHost(), false
	all := flags.whole()
	all.Capture.Sightings = new(wire.Sightings)
	err := a.read(ctx, path, all, ledger.NewPassing(nil), io.Discard, func(r *model.Record) {
		if r.Kind == model.KindStart {
			captured = r.Start.Captured()
		}
		if r.Kind == model.KindOutcome && len(outcomes) < maxOutcomes {
			o := *r
			outcomes[r.Teardown.ID] = &o
		}
		host.Add(r)
	})
	var rest missing // comes again when the file is shown
	switch err = rest.but(err); {
	case err != nil:
		return nil, nil, err
	case captured:
		return nil, all.Capture.Sightings, nil
	case len(flags.Capture.Local) > 0:
		return nil, nil, nil
	}
	return host, nil, nil
}

// maxOutcomes bounds the outcomes that are kept: about 1.5 KiB each.
const maxOutcomes = 20_000

// withCapture shows a capture beside a recording, or beside another capture.
type withCapture struct {
	a     *app
	out   io.Writer
	print printer
	seen  *beside.Capture
	has   *wire.Sightings // open connections too
	two   *wire.Compared  // of two captures
	told  map[wire.Difference]bool

	outcomes map[string]*model.Record // of the host, by ID: an end is compared as it finally ended
	compared ledger.Ledger[struct{}]  // its teardowns

	rest missing

	found, differ, open, alone int
}

func (w *withCapture) record(r *model.Record) error {
	if err := w.print.record(r); err != nil || r.Kind != model.KindTeardown && r.Kind != model.KindOutcome {
		return err
	}
	host := r.Teardown
	switch outcome := w.outcomes[host.ID]; {
	case r.Kind == model.KindOutcome && w.compared.Of(host.ID) != nil:
		return nil
	case r.Kind == model.KindTeardown && outcome != nil:
		host.Amend(outcome)
	}
	w.compared.Add(r, struct{}{})
	seen := w.seen.Beside(&host)
	what := ""
	switch n := &host.Network; {
	case seen == nil && w.has.Has(n.Local.AddrPort(), n.Peer.AddrPort(), host.TCP.Fingerprint):
		w.open++
		fmt.Fprintln(w.out, "  wire: its segments are in the capture, and none that ends it")
	case seen == nil:
		w.alone++
	default:
		w.found++
		if _, err := fmt.Fprintf(w.out, "  wire: %s\n", besideLine(seen)); err != nil {
			return err
		}
		if w.two == nil {
			what = beside.Disagree(&host, seen)
		}
	}
	if what != "" {
		w.differ++
		fmt.Fprintf(w.out, "  ! %s\n", safetext.Escape(what)) // an error comes again at the end
	}
	if w.two != nil {
		for _, d := range w.two.Of(&host) {
			w.difference("  ", d)
		}
	}
	return nil
}

// difference writes what two captures have of a RST.
func (w *withCapture) difference(indent string, d wire.Difference) {
	mark := " "
	if d.Elsewhere {
		mark = "!"
	}
	if w.told == nil {
		w.told = map[wire.Difference]bool{}
	}
	if d.Elsewhere && !w.told[d] {
		w.differ++
	}
	w.told[d] = true
	fmt.Fprintf(w.out, "%s%s %s\n", indent, mark, safetext.Escape(d.Text))
}

func (w *withCapture) end() error {
	say := func(format string, args ...any) { fmt.Fprintf(w.a.stderr, "closetrace: "+format+"\n", args...) }
	if w.two == nil {
		say("%s beside the capture, %s of them disagree; %s without an end in it; %s not in it", human.Count(w.found), human.Count(w.differ), human.Count(w.open), human.Count(w.alone))
		if n := w.seen.Unpaired(); n > 0 {
			say("%s of this host: in the capture, not in the recording", human.Many(n, "end"))
		}
	} else {
		for d := range w.two.Each { // ends that only the other capture has
			if !w.told[d] {
				w.difference("", d)
			}
		}
		say("%s connections are in both captures; %s RSTs are in one of them only, or came from the wrong side", human.Count(w.two.Both), human.Count(w.differ))
		if w.two.Shared > 0 {
			say("the second capture's clock is %s ahead, segments take %s from one to the other (from %s connections)",
				human.Duration(w.two.Ahead), human.Duration(w.two.Way), human.Count(w.two.Shared))
		}
	}
	if w.seen.Dropped > 0 {
		say("%s ends of the capture were too many to compare with; choose fewer with --local", human.Count(w.seen.Dropped))
	}
	return cmp.Or(w.print.end(), w.rest.err)
}

// besideLine is what the capture says of an end.
func besideLine(t *model.Teardown) string {
	line := fmt.Sprintf("%v, %v, by %v (%v", t.Verdict, t.Cause, t.Terminator, t.Confidence)
	if t.ConfidenceReason != "" {
		line += ": " + t.ConfidenceReason
	}
	return safetext.Escape(line) + ")"
}
