//go:build !linux

package main

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/closetrace/closetrace/internal/ledger"
	"github.com/closetrace/closetrace/model"
)

// followed is a command that is traced alone: only on Linux.
type followed struct{}

func (*app) follow(c *cobra.Command, args []string, _ *traceFlags, _ io.Writer) (*followed, error) {
	words, err := commandAfterDash(c, args)
	if err != nil || len(words) == 0 {
		return nil, err
	}
	return nil, &lacking{fmt.Errorf("a command can be followed on Linux only; start it and use --pid: %w", errors.ErrUnsupported)}
}

func (*followed) begin(context.Context, context.CancelCauseFunc, *ledger.Ends) (done func()) {
	return func() {}
}
func (*followed) chosen(f *model.Filter) string { return f.String() }

func (*followed) tell(io.Writer)       {}
func (*followed) exit(err error) error { return err }
func (*followed) close() error         { return nil }

func newFollowed(*app) *cobra.Command { return &cobra.Command{Use: "followed-command", Hidden: true} }
