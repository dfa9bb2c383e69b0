//go:build !linux

package main

import "github.com/closetrace/closetrace/internal/sockets"

// Here the list itself shows everything.
func newOwners(bool) sockets.Owners           { return nil }
func blindSpots() []string                    { return nil }
func newHeld() func() ([]sockets.Held, error) { return nil }

func newOpenView(_ *traceFlags, allowKill bool) (*openView, error) {
	return &openView{allowKill: allowKill}, nil
}
