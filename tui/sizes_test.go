package tui

import (
	"flag"
	"fmt"
	"strings"
	"testing"

	tea "charm.land/bubbletea/v2"
	"github.com/charmbracelet/x/ansi"
)

var everySize = flag.Bool("every-size", false, "draw every scene at every size")

// TestEverySizeFits draws every scene at every size from 1x1 to 250x80. The
// whole sweep takes a minute; by default every width and every height occurs,
// but not each with each.
func TestEverySizeFits(t *testing.T) {
	for _, scene := range scenes() {
		if scene.name == "flood" {
			continue // as the stream, with larger numbers
		}
		t.Run(scene.name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, 120, 40, scene.feed, scene.change)
			scene.play(r)
			n := 0
			for width := 1; width <= 250; width++ {
				for height := 1; height <= 80; height++ {
					if !*everySize && width%17 != height%17 && width != minWidth && height != minHeight {
						continue
					}
					n++
					r.send(tea.WindowSizeMsg{Width: width, Height: height})
					if err := fits(r.s.View().Content, width, height); err != nil {
						t.Fatalf("%dx%d: %v", width, height, err)
					}
				}
			}
			t.Logf("%d sizes", n)
		})
	}
}

// fits reports whether content has at most height lines of at most width columns.
func fits(content string, width, height int) error {
	lines := strings.Split(content, "\n")
	if len(lines) > height {
		return fmt.Errorf("%d lines", len(lines))
	}
	for i, line := range lines {
		if w := ansi.StringWidth(line); w > width {
			return fmt.Errorf("line %d takes %d columns: %q", i, w, ansi.Strip(line))
		}
	}
	return nil
}

// TestSmallScreensSayWhatTheyNeed: below 60x12 there is a message, as far as it fits; the
// screen comes back when there is room.
func TestSmallScreensSayWhatTheyNeed(t *testing.T) {
	r := newRig(t, 59, 24, demoFeed(), nil)
	r.shows("closetrace needs 60x12 or more")
	r.hides("VERDICT")
	r.send(tea.WindowSizeMsg{Width: 80, Height: 11})
	r.shows("closetrace needs 60x12 or more")
	r.send(tea.WindowSizeMsg{Width: 60, Height: 12})
	r.shows("VERDICT")
}

// TestHeightsAreTold: the height of the table is what head and foot leave.
func TestHeightsAreTold(t *testing.T) {
	for _, scene := range scenes() {
		for _, size := range goldenSizes {
			r := newRig(t, size[0], size[1], scene.feed, scene.change)
			scene.play(r)
			if got, want := r.s.headerHeight(), len(r.s.header()); got != want {
				t.Errorf("%s at %v: headerHeight %d, header has %d lines", scene.name, size, got, want)
			}
			if got, want := r.s.footHeight(), len(r.s.foot()); got != want {
				t.Errorf("%s at %v: footHeight %d, foot has %d lines", scene.name, size, got, want)
			}
		}
	}
}
