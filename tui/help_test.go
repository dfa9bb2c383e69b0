package tui

import (
	"strings"
	"testing"
	"time"

	"charm.land/bubbles/v2/key"

	"github.com/closetrace/closetrace/model"
)

// TestHelpFits: at 80x24 nothing of the help is below the screen or cut, live and in a
// replay, and every key is in it.
func TestHelpFits(t *testing.T) {
	for name, change := range map[string]func(*Config){"live": nil, "replay": func(c *Config) { c.Replay = &Replay{Name: "f"} }} {
		r, asked := newRig(t, 80, 24, demoFeed(), change), 0
		if name == "live" {
			r.s.cfg.Cost = func() model.Cost {
				n := time.Duration(1 + asked)
				asked++
				return model.Cost{
					Duration: model.Some(1000 * time.Second), Ends: model.Some(uint64(1000)), CPU: model.Some(n * 11230 * time.Millisecond), Maps: 234_500_000, Memory: 123_400_000,
					BPF: model.Some(1230 * time.Millisecond), BPFDuration: model.Some(time.Minute), BPFEnds: model.Some(uint64(1000)),
				}
			}
		}
		if cmd := r.press("?"); cmd != nil {
			r.run(cmd)
			r.shows("Cost 1.12 % CPU, 11.2ms an end; BPF 2.05 %, 1.23ms an end; 123 MB, maps 234 MB")
		}
		if (asked > 0) != (name == "live") {
			t.Errorf("%s: the cost was asked for %d times", name, asked)
		}
		lines := r.s.helpLines()
		if room := r.s.tableHeight(); len(lines) > room {
			t.Errorf("%s: %d lines, room for %d", name, len(lines), room)
		}
		if text := strings.Join(lines, "\n"); strings.Contains(text, r.s.g.dots) {
			t.Errorf("%s: something is cut:\n%s", name, text)
		}
		helped := map[*key.Binding]bool{}
		for _, column := range r.s.helpTopics() {
			for _, topic := range column {
				for _, row := range topic.rows {
					for _, b := range row.keys {
						helped[b] = true
					}
					if len(row.names()) >= helpKeys || len(row.keys) > 0 && row.names() == "" {
						t.Errorf("%s: no room for %q", name, row.names())
					}
				}
			}
		}
		for _, b := range r.s.keys.named() {
			inReplay := strings.Contains(" faster slower seek restart ", " "+b.name+" ")
			want := b.name != "end" && (name == "replay" && b.name != "record" || name == "live" && !inReplay)
			if helped[b.key] != want {
				t.Errorf("%s: %s is in the help: %v, want %v", name, b.name, helped[b.key], want)
			}
		}
	}
}
