package tui

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/closetrace/closetrace/model"
)

// shows fails the test unless the screen has all of texts.
func (r *rig) shows(texts ...string) {
	r.t.Helper()
	screen := r.text()
	for _, text := range texts {
		if !strings.Contains(screen, text) {
			r.t.Errorf("the screen does not show %q:\n%s", text, screen)
		}
	}
}

func (r *rig) hides(text string) {
	r.t.Helper()
	if screen := r.text(); strings.Contains(screen, text) {
		r.t.Errorf("the screen shows %q:\n%s", text, screen)
	}
}

// selected checks which record is selected, in the state and on the screen.
func (r *rig) selected(t *testing.T, want uint64) {
	t.Helper()
	row := r.s.stream.current()
	if row == nil || row.seq != want {
		t.Errorf("selected %+v, want record %d", row, want)
		return
	}
	when := clockWord(row.rec.Time(), nil, 0)
	for _, line := range strings.Split(r.text(), "\n") {
		if strings.HasPrefix(line, "▸"+when) {
			return
		}
	}
	t.Errorf("no selected row with time %s:\n%s", when, r.text())
}

func (r *rig) detailOf(t *testing.T, want uint64) {
	t.Helper()
	if r.s.detail == nil || r.s.detail.seq != want {
		t.Fatalf("detail %+v, want that of record %d", r.s.detail, want)
	}
	r.shows(clockWord(demoFeed()[want].Time(), nil, 6) + " ")
}

func count(records []model.Record, want func(*model.Teardown) bool) uint64 {
	n := uint64(0)
	for i := range records {
		if records[i].Kind == model.KindTeardown && want(&records[i].Teardown) {
			n++
		}
	}
	return n
}

func nextAbortive(records []model.Record, from, step int) uint64 {
	for i := from + step; ; i += step {
		if records[i].Teardown.Verdict == model.Abortive {
			return uint64(i)
		}
	}
}

func feedRecordAt(t model.Time) model.Record { return feed(1, t, time.Second)[0] }

func toJSON(b []byte, r *model.Record) []byte {
	data, _ := json.Marshal(&r.Teardown)
	return append(append(b, data...), '\n')
}

func replayKeys(t *testing.T, press, want string) {
	t.Helper()
	r := newRig(t, 120, 24, demoFeed(), func(c *Config) { c.Replay = &Replay{Name: "f", Speed: 1} })
	r.in.end(nil)
	r.tick(frame)
	r.press(press)
	r.shows(want)
}
