//go:build !linux

package main

import "github.com/closetrace/closetrace/internal/conns"

// Here the list itself tells all that there is.
func newOwners(bool) conns.Owners           { return nil }
func blindSpots() []string                  { return nil }
func newHeld() func() ([]conns.Held, error) { return nil }

func newOpenView(flags *liveFlags) *openView { return &openView{allowKill: flags.allowKill} }
