package main

import (
	"bufio"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/closetrace/closetrace/internal/human"
	"github.com/closetrace/closetrace/internal/ledger"
	"github.com/closetrace/closetrace/internal/safefile"
	"github.com/closetrace/closetrace/model"
	"github.com/closetrace/closetrace/wire"
)

const annotateHelp = `Write a copy of a packet capture for Wireshark, as pcapng: packets with FIN or RST
get a comment with the verdict, the cause and the process of both ends as far as
the recording has them, joined by the fingerprint, or by addresses and time.

Example:
  closetrace annotate router.pcapng annotated.pcapng --with recording.jsonl
  tshark -r annotated.pcapng -Y frame.comment -T fields -e frame.number -e frame.comment`

func newAnnotate(a *app) *cobra.Command {
	var with string
	var force bool
	c := &cobra.Command{
		Use:   "annotate CAPTURE OUTPUT --with RECORDING",
		Short: "Add a recording's verdicts to a packet capture, for Wireshark",
		Long:  annotateHelp,
		RunE: func(c *cobra.Command, args []string) error {
			if len(args) != 2 || with == "" {
				return usage("annotate needs a capture, a file to write and --with RECORDING; see closetrace annotate --help")
			}
			return a.annotate(c.Context(), args[0], args[1], with, force)
		},
	}
	c.Flags().StringVar(&with, "with", "", "the `RECORDING` of the same connections")
	c.Flags().BoolVar(&force, "force", false, "overwrite an existing file")
	return c
}

func (a *app) annotate(ctx context.Context, path, output, with string, force bool) error {
	if err := notItself(output, path, with); err != nil {
		return err
	}
	told := newTold()
	var rest missing
	if err := rest.but(a.eachRecord(ctx, with, &span{}, ledger.NewPassing(nil), told.add)); err != nil {
		return err
	}
	in, err := os.Open(path)
	if err != nil {
		return fmt.Errorf("open capture: %w", err)
	}
	defer in.Close()
	said := 0
	write := func(to io.Writer) (err error) {
		out := bufio.NewWriterSize(to, 1<<20)
		said, err = wire.Annotate(in, out, told.say)
		if err != nil {
			err = fmt.Errorf("annotate %s: %w", path, err)
		}
		if errors.Is(err, wire.ErrCut) { // the usual end if tcpdump was killed: the copy has all before it
			rest.err, err = errors.Join(rest.err, err), nil
		}
		return cmp.Or(err, out.Flush())
	}
	if err = createError(output, safefile.Whole(output, force, write)); err == nil {
		fmt.Fprintf(a.stderr, "closetrace: %s got a comment\n", human.Many(said, "packet"))
		if told.dropped > 0 {
			fmt.Fprintf(a.stderr, "closetrace: %s of the recording were too many to be looked for; annotate with parts of it\n", human.Many(told.dropped, "end"))
		}
	}
	return cmp.Or(err, rest.err)
}

// told is the ends of a recording, by their fingerprints and by their addresses.
type told struct {
	ends   []model.Teardown
	prints map[model.Fingerprint][]int
	tuples map[[2]netip.AddrPort][]int
	byID   map[string]int
	// There is room for most ends; dropped are those beyond.
	most, dropped int
}

func newTold() *told {
	return &told{prints: map[model.Fingerprint][]int{}, tuples: map[[2]netip.AddrPort][]int{}, byID: map[string]int{}, most: mostTold}
}

// mostTold bounds the ends that are kept: about 1.5 KiB each.
const mostTold = 200_000

// add takes a record. An outcome amends its teardown: what is said is how an end finally
// ended. One without its teardown is an end of its own.
func (t *told) add(r *model.Record) {
	at, known := t.byID[r.Teardown.ID]
	switch {
	case r.Kind == model.KindOutcome && known:
		t.ends[at].Amend(r)
		return
	case r.Kind != model.KindTeardown && r.Kind != model.KindOutcome:
		return
	case len(t.ends) >= t.most:
		if r.Kind == model.KindTeardown {
			t.dropped++
		}
		return
	}
	at = len(t.ends)
	t.byID[r.Teardown.ID] = at
	t.ends = append(t.ends, r.Teardown)
	k := tupleOf(&r.Teardown)
	t.tuples[k] = append(t.tuples[k], at)
	if p := r.Teardown.TCP.Fingerprint; p != 0 {
		t.prints[p] = append(t.prints[p], at)
	}
}

func tupleOf(e *model.Teardown) [2]netip.AddrPort {
	return [2]netip.AddrPort{e.Network.Local.AddrPort(), e.Network.Peer.AddrPort()}
}

// say returns what the recording says of both ends of a packet.
func (t *told) say(x *wire.Flagged) string {
	peer := *x
	peer.From, peer.To = x.To, x.From
	switch x.Role {
	case model.Active:
		peer.Role = model.Passive
	case model.Passive:
		peer.Role = model.Active
	case model.RoleUnknown:
	}
	var lines []string
	for i, end := range []*wire.Flagged{x, &peer} {
		if e := t.find(end); e != nil {
			who := [2]string{"sender", "receiver"}[i]
			if e.Process.PID != 0 {
				who += " " + human.Process(e.Process.Name, e.Process.PID)
			}
			lines = append(lines, fmt.Sprintf("closetrace: %s: %v, %v, by %v (%v)", who, e.Verdict, e.Cause, e.Terminator, e.Confidence))
		}
	}
	return strings.Join(lines, "\n")
}

// find returns the end that sent a packet: by the fingerprint, which address translation
// leaves as it is, or by addresses and time.
func (t *told) find(x *wire.Flagged) *model.Teardown {
	const most = 64 // a file made to collide must not cost more
	tuple := [2]netip.AddrPort{x.From, x.To}
	if x.Fingerprint != 0 {
		list := t.prints[x.Fingerprint]
		for _, at := range list[:min(len(list), most)] {
			if e := &t.ends[at]; tupleOf(e) == tuple || x.Role != model.RoleUnknown && e.TCP.Role == x.Role {
				return e
			}
		}
	}
	return t.nearest(t.tuples[tuple], x)
}

// nearest returns the end nearest in time, within two minutes, that is not known to be
// of another connection.
func (t *told) nearest(list []int, x *wire.Flagged) (best *model.Teardown) {
	const apart = 120e9
	least := model.Time(apart)
	for _, at := range list {
		e := &t.ends[at]
		if x.Fingerprint != 0 && e.TCP.Fingerprint != 0 {
			continue
		}
		if d := max(e.Time-x.Time, x.Time-e.Time); d < least {
			best, least = e, d
		}
	}
	return best
}
