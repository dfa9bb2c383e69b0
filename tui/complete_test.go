package tui

import "testing"

// TestExpressionPrompt: tab completes a field's name, up and down bring earlier
// expressions.
func TestExpressionPrompt(t *testing.T) {
	r := newRig(t, 120, 24, demoFeed(), nil)
	r.press("f")
	r.typed("tcp.bytes.unr")
	r.press("tab")
	r.shows("filter: tcp.bytes.unread")
	r.typed(" > 0")
	r.press("enter")
	r.shows("tcp.bytes.unread > 0")
	r.press("esc", "f")
	r.typed("process.n")
	r.press("tab")
	r.typed(" == \"nginx\" && tcp.by")
	r.press("tab")
	r.shows("tcp.bytes.unacked") // the choice
	for range len("tcp.bytes") {
		r.press("backspace")
	}
	r.typed("true")
	r.press("enter", "esc", "f", "up")
	r.shows(`filter: process.name == "nginx" && true`)
	r.press("up")
	r.shows("filter: tcp.bytes.unread > 0")
	r.press("up", "down", "down")
	r.hides("tcp.bytes.unread > 0")
	r.typed("nosuch")
	r.press("tab")
	r.shows("no field begins with nosuch")
}
