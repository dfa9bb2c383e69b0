package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"

	"github.com/spf13/cobra"

	"github.com/closetrace/closetrace/internal/human"
	"github.com/closetrace/closetrace/internal/ledger"
	"github.com/closetrace/closetrace/internal/safefile"
	"github.com/closetrace/closetrace/model"
	"github.com/closetrace/closetrace/wire"
)

const annotateHelp = `Write a copy of a packet capture for Wireshark, as pcapng: packets with FIN or RST
get a comment with the verdict, the cause and the process of the ends that a
recording tells of, joined by addresses and time.

Example:
  closetrace annotate router.pcapng annotated.pcapng --with recording.jsonl
  tshark -r annotated.pcapng -Y frame.comment -T fields -e frame.number -e frame.comment`

func newAnnotate(a *app) *cobra.Command {
	var with string
	var force bool
	c := &cobra.Command{
		Use:   "annotate CAPTURE OUTPUT --with RECORDING",
		Short: "Write what a recording tells into a packet capture, for Wireshark",
		Long:  annotateHelp,
		RunE: func(c *cobra.Command, args []string) error {
			if len(args) != 2 || with == "" {
				return usage("annotate needs a capture, a file to write and --with RECORDING; see closetrace annotate --help")
			}
			return a.annotate(c.Context(), args[0], args[1], with, force)
		},
	}
	c.Flags().StringVar(&with, "with", "", "the `RECORDING` that tells of the ends")
	c.Flags().BoolVar(&force, "force", false, "overwrite an existing file")
	return c
}

func (a *app) annotate(ctx context.Context, path, output, with string, force bool) error {
	told := &told{ends: map[[2]netip.AddrPort][]model.Teardown{}}
	if err := a.eachRecord(ctx, with, &span{}, ledger.NewPassing(nil), told.add); err != nil {
		return err
	}
	in, err := os.Open(path)
	if err != nil {
		return fmt.Errorf("open capture: %w", err)
	}
	defer in.Close()
	file, err := safefile.Create(output, force)
	if err != nil {
		return createError(output, err)
	}
	out := bufio.NewWriterSize(file, 1<<20)
	err = wire.Annotate(in, out, told.say)
	if err != nil {
		err = fmt.Errorf("annotate %s: %w", path, err)
	}
	err = errors.Join(err, out.Flush(), file.Close())
	if err == nil {
		fmt.Fprintf(a.stderr, "closetrace: %s packets have a comment now\n", human.Count(told.said))
	}
	return err
}

// told is the ends of a recording by their addresses.
type told struct {
	ends  map[[2]netip.AddrPort][]model.Teardown
	count int
	said  int
}

// mostTold bounds the ends that are kept: about 1.5 KiB each.
const mostTold = 200_000

func (t *told) add(r *model.Record) {
	if r.Kind != model.KindTeardown || t.count == mostTold {
		return
	}
	t.count++
	n := &r.Teardown.Network
	k := [2]netip.AddrPort{n.Local.AddrPort(), n.Peer.AddrPort()}
	t.ends[k] = append(t.ends[k], r.Teardown)
}

// say returns what is told of both ends of a packet.
func (t *told) say(from, to netip.AddrPort, at model.Time) string {
	text := ""
	for i, k := range [][2]netip.AddrPort{{from, to}, {to, from}} {
		if e := nearestIn(t.ends[k], at); e != nil {
			who := [2]string{"sender", "receiver"}[i]
			if text != "" {
				text += "\n"
			}
			text += fmt.Sprintf("closetrace: %s %s: %v, %v, by %v (%v)", who, human.Process(e.Process.Name, e.Process.PID), e.Verdict, e.Cause, e.Terminator, e.Confidence)
		}
	}
	if text != "" {
		t.said++
	}
	return text
}

// nearestIn returns the end nearest in time, within two minutes.
func nearestIn(ends []model.Teardown, at model.Time) (best *model.Teardown) {
	const apart = 120e9
	least := model.Time(apart)
	for i := range ends {
		if d := max(ends[i].Time-at, at-ends[i].Time); d < least {
			best, least = &ends[i], d
		}
	}
	return best
}
