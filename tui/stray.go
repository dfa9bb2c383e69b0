package tui

import (
	"fmt"
	"strconv"

	"github.com/closetrace/closetrace/internal/human"
	"github.com/closetrace/closetrace/internal/safetext"
	"github.com/closetrace/closetrace/model"
)

// strayWord says how many resets were sent without a connection, and why there was
// none.
func strayWord(r *model.Record, g *glyphs) string {
	s, t := &r.Stray, &r.Teardown
	text := "RST sent"
	if s.Count > 1 {
		text = human.Count(s.Count) + " RSTs sent"
	}
	switch s.Why {
	case model.StrayEnded:
		text += ": was " + processWord(&t.Facts, 1<<10, g)
		if s.Ended != 0 {
			text += " until " + human.Duration(max(s.First.Sub(s.Ended), 0)) + " ago"
		}
		text += strayCloser(&t.Closer)
		if t.ID != "" {
			text += " (" + safetext.Escape(t.ID) + ")"
		}
	case model.StrayNoListener:
		text += ": nobody listens on this port"
	case model.StrayMore:
		text += " for more connections than are listed"
	case model.StrayUnknown:
		text += ": perhaps for a connection whose end was only counted"
	case model.StrayNotOurs:
		text += ": never ours"
		if d, known := s.LookedBack.Get(); known {
			text += ", as far as is known: " + human.Duration(d)
		}
	}
	return text
}

// strayCloser says how the connection ended, unless by a plain close().
func strayCloser(c *model.Closer) string {
	switch {
	case c.Signal != 0:
		return fmt.Sprintf(", killed by signal %d", c.Signal)
	case c.Call == model.CallExit:
		return ", which exited"
	default:
		return ""
	}
}

// strayReason is what stands in the place of a cause.
func strayReason(r *model.Record) string {
	if reason := r.Teardown.TCP.RST.Reason; reason != "" {
		return safetext.Escape(reason)
	}
	return r.Stray.Why.String()
}

func (s *story) stray() {
	r := s.rec
	s.heading("RESETS WITHOUT A CONNECTION")
	s.field("what", strayWord(r, s.g))
	s.field("count", strconv.FormatUint(r.Stray.Count, 10))
	s.field("first", clockWord(r.Stray.First, s.zone, 6))
	if r.Stray.Ended != 0 {
		s.field("connection ended", clockWord(r.Stray.Ended, s.zone, 6))
	}
	s.field("reason", safetext.Escape(r.Teardown.TCP.RST.Reason))
}
