//go:build !linux

package main

import (
	"context"

	"github.com/closetrace/closetrace/internal/conns"
	"github.com/closetrace/closetrace/model"
	"github.com/closetrace/closetrace/tui"
)

// witness: here nothing is traced meanwhile; the table is read again.
type witness struct{}

func openWitness(*killFlags, []conns.Conn) *witness     { return nil }
func (*witness) close()                                 {}
func (*witness) expect(*conns.Conn)                     {}
func (*witness) records(context.Context) []model.Record { return nil }
func recordLine(r *model.Record, terminal bool) string  { return tui.Line(r, lineOptions(terminal)) }
