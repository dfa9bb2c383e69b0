package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"runtime/debug"
	"syscall"
	"time"

	"github.com/dustin/go-humanize"
	"github.com/spf13/cobra"

	"github.com/closetrace/closetrace/internal/record"
	"github.com/closetrace/closetrace/internal/session"
	"github.com/closetrace/closetrace/model"
)

const recordHelp = `Record teardowns as JSON Lines (schema closetrace/1, docs/record.md).

The file is for its owner only (0600) and is never overwritten without --force.
A name that ends in .zst, or --compress, writes zstd frames that plain zstdcat
reads, also when the file was cut. The first line has kind "start" and is
written when every hook is live; the last has kind "stop".

SIGINT and SIGTERM end a recording cleanly. So does SIGHUP, the loss of the
terminal, unless it was started with nohup; without a terminal SIGHUP begins a
new file. Over ssh without -t there is no terminal, so recording continues after
you disconnect: use ssh -t, --duration or --max-size.

Once the hooks are attached the recorder gives up root: it becomes the user who
called sudo, or one that nothing else runs as (--user chooses), and can write in
the folder of -o only.
Under sudo the recording belongs to the user who called sudo, if that user may write
in the folder.

Examples:
  closetrace record -o incident.jsonl.zst --duration 10m
  closetrace record -o - | jq -c 'select(.verdict=="abortive")'
  closetrace record -o log.jsonl --rotate-size 100MB --rotate-keep 5`

type recordFlags struct {
	traceFlags
	output     string
	options    record.Options
	maxSize    size
	rotateSize size
	strict     bool // a loss is a failure
	abnormal   bool
}

func newRecord(a *app) *cobra.Command {
	var flags recordFlags
	c := &cobra.Command{
		Use:   "record [flags] [-- COMMAND...]",
		Short: "Record teardowns as JSON Lines",
		Long:  recordHelp,
		RunE: func(c *cobra.Command, args []string) error {
			f, err := a.follow(c, args, &flags.traceFlags, a.stderr)
			if err != nil {
				return err
			}
			defer f.close()
			defer f.tell(a.stderr)
			return f.exit(a.record(c.Context(), &flags))
		},
	}
	flags.flags(c.Flags())
	followTexts(c.Flags())
	set := c.Flags()
	set.StringVarP(&flags.output, "output", "o", "", "`FILE` to write, - for standard output (default closetrace-DATE-TIME.jsonl here)")
	set.BoolVar(&flags.options.Force, "force", false, "overwrite an existing file")
	set.BoolVar(&flags.abnormal, "abnormal", false, "write no line for an ordinary end: count it by process and port, in the kernel (Linux)")
	set.BoolVar(&flags.strict, "strict", false, "exit with 5 if something was lost")
	set.BoolVar(&flags.options.Compress, "compress", false, "write zstd frames")
	set.Var(&flags.rotateSize, "rotate-size", "begin a new file at this `SIZE`, e.g. 100MB")
	set.DurationVar(&flags.options.RotateAge, "rotate-age", 0, "begin a new file after this `TIME`")
	set.Var(natural(&flags.options.RotateKeep, 0), "rotate-keep", "keep this `NUMBER` of full files (default all)")
	set.BoolVar(&flags.options.Continue, "continue", false, "with rotation: keep the files of earlier runs, which count as this one's")
	set.Var(&flags.maxSize, "max-size", "stop at this `SIZE`; with rotation remove the oldest files instead")
	return c
}

func (a *app) record(ctx context.Context, flags *recordFlags) error {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(traceGC)
	}
	if flags.output == "" {
		flags.output = time.Now().Format("closetrace-20060102-150405.jsonl")
	}
	if flags.output == "-" && isTerminal(a.stdout) && flags.options.Compress {
		return usage("refusing to write compressed data to a terminal")
	}
	if err := flags.check(); err != nil {
		return err
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	flags.options.OnError = func(error) { cancel(session.Reason("error")) }
	flags.warnUnboxed(a.stderr)
	flags.warnAbsent(a.stderr)
	box, err := flags.openBox()
	if err != nil {
		return err
	}
	defer box.Close()
	out, err := openOutputs(box, flags.output)
	if err != nil {
		return createError(flags.output, err)
	}
	defer out.close()
	flags.options.Folder = out.folder
	var t *trace
	flags.options.Cost = func() model.Cost { return t.Cost() } // no file ends before the trace began
	w, err := record.Create(flags.output, flags.options)
	if err != nil {
		return createError(flags.output, err)
	}
	service := !hasTerminal() // asked now: when SIGHUP comes, a lost terminal is already gone
	if t, err = flags.open(); err != nil {
		return errors.Join(err, w.Discard())
	}
	defer t.Close()
	defer t.tell(a.stderr)
	t.Hangup = func() bool { return service && w.Rotate() == nil }
	status := a.newStatus(flags.output, w, t.Ends())
	err = t.Record(ctx, w, status.add)
	if closed := w.Close(); err == nil {
		err = closed // after a failure it says the same again
	}
	if errors.Is(err, syscall.EPIPE) {
		err = syscall.EPIPE // the reader has seen enough: not an error
	}
	status.finish(err != nil && !errors.Is(err, syscall.EPIPE), t.Cost())
	if crowded := status.crowded(); crowded != "" {
		fmt.Fprintf(a.stderr, "closetrace: %s\n", crowded)
	}
	if lost := status.loss(); lost != nil && flags.strict && err == nil {
		err = lost
	} else if lost != nil {
		fmt.Fprintf(a.stderr, "closetrace: %s\n", lost) // a service has no other screen
	}
	return err
}

// check fills in the sizes, and refuses what a recording can't do.
func (r *recordFlags) check() error {
	o := &r.options
	r.counting = r.abnormal
	o.MaxSize, o.RotateSize = int64(r.maxSize), int64(r.rotateSize)
	rotates := o.RotateSize > 0 || o.RotateAge != 0
	tooSmall := func(n int64) bool { return n > 0 && n < record.MinSize }
	switch {
	case r.abnormal && !countsOrdinary:
		return usage("--abnormal needs Linux")
	case tooSmall(o.RotateSize), tooSmall(o.MaxSize):
		return usage("--rotate-size and --max-size: want at least %s", humanize.IBytes(record.MinSize))
	case o.RotateAge < 0:
		return usage("--rotate-age %s: want a time such as 1h", o.RotateAge)
	case o.RotateKeep > 0 && !rotates:
		return usage("--rotate-keep needs --rotate-size or --rotate-age")
	case o.Continue && (!rotates || o.Force):
		return usage("--continue needs --rotate-size or --rotate-age, and excludes --force")
	case rotates && r.output == "-":
		return usage("standard output can't be rotated: name a file with -o")
	}
	return nil
}

// hasTerminal reports whether this process has a controlling terminal. SIGHUP
// then means that it is gone; for a service it means to begin a new file.
func hasTerminal() bool {
	terminal, err := os.Open("/dev/tty")
	if err != nil {
		return false
	}
	_ = terminal.Close()
	return true
}
