package main

import (
	"context"
	"io"

	"github.com/spf13/cobra"

	"github.com/closetrace/closetrace/internal/ledger"
	"github.com/closetrace/closetrace/internal/session"
	"github.com/closetrace/closetrace/model"
)

// What commands that read files have in common.

func oneFile(c *cobra.Command, args []string) error {
	if len(args) != 1 {
		return usage("%s needs one file, or - for standard input; see %s --help", c.CommandPath(), c.CommandPath())
	}
	return nil
}

// eachRecord hands add the records of a part of a file that pass the filter.
func (a *app) eachRecord(ctx context.Context, path string, part *span, filter *ledger.Passing, add func(*model.Record)) error {
	return a.read(ctx, path, part, filter, a.stderr, add)
}

// read is eachRecord; what could not be read is written to warn.
func (a *app) read(ctx context.Context, path string, part *span, filter *ledger.Passing, warn io.Writer, add func(*model.Record)) error {
	in, err := part.openPart(path)
	if err != nil {
		return err
	}
	defer in.Close()
	done := a.progress(in)
	defer done()
	if err := session.Each(in.records(ctx), filter, func(r *model.Record) error { add(r); return nil }); err != nil {
		return err
	}
	done()
	in.tell(warn)
	return nil
}
