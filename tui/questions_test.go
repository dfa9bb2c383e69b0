package tui

import (
	"cmp"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/closetrace/closetrace/model"
)

// TestTenQuestions asks the questions of docs/screen.md with the keys that are
// given there, and finds the answers in the records in another way.
func TestTenQuestions(t *testing.T) {
	doc, err := os.ReadFile("../docs/screen.md")
	if err != nil {
		t.Fatal(err)
	}
	records := demoFeed()
	abortive := func(d *model.Teardown) bool { return d.Verdict == model.Abortive }
	name := func(d *model.Teardown) string { return d.Process.Name }
	for _, question := range []struct {
		text   string
		keys   string
		answer string // what the first row, or the screen, must show
	}{
		{"Who was reset most in the last minute?", "4 t s", most(records, name, func(d *model.Teardown) bool {
			return abortive(d) && d.Terminator == model.Peer && at.Sub(d.Time) < 55*time.Second
		})},
		{"Which process closes with unread data?", "3 enter 4", most(records, name, func(d *model.Teardown) bool { return d.Cause == model.CauseUnreadData })},
		{"Which connection lost most bytes?", "s", clockWord(largest(records, func(d *model.Teardown) int64 { return int64(d.TCP.Bytes.Lost()) }).Time, nil, 0)},
		{"Which close() blocked longest?", "s s", "linger-expired"},
		{"Why did the last abortive connection end?", "{ enter", records[nextAbortive(records, 400, -1)].Teardown.Cause.String()},
		{"What is the most frequent cause of abortive ends?", "3", most(records, func(d *model.Teardown) string { return d.Cause.String() }, abortive)},
		{"From which network do the resets come?", "5 x s", most(records, func(d *model.Teardown) string {
			p, _ := d.Network.Peer.Address.Prefix(map[bool]int{true: 24, false: 64}[d.Network.Peer.Address.Is4()])
			return p.String()
		}, func(d *model.Teardown) bool { return abortive(d) && d.Terminator == model.Peer })},
		{"Which process, by its pid?", "4 x", most(records, func(d *model.Teardown) string { return fmt.Sprintf("%s[%d]", d.Process.Name, d.Process.PID) }, abortive)},
		{"What happened to the connections of that process?", "4 enter", "process is " + most(records, name, abortive)},
	} {
		t.Run(question.text, func(t *testing.T) {
			keys := strings.Fields(question.keys)
			if len(keys) > 3 {
				t.Errorf("%d keys, want at most 3", len(keys))
			}
			row := "| " + question.text + " | `" + strings.Join(keys, "` `") + "` |"
			if !strings.Contains(string(doc), row) {
				t.Errorf("docs/screen.md has no row %q", row)
			}
			r := newRig(t, 120, 40, records, nil)
			r.press(keys...)
			for _, line := range strings.Split(r.text(), "\n") {
				first := strings.HasPrefix(line, "▸") || strings.HasPrefix(line, "filter") || strings.HasPrefix(line, "✗ abortive:")
				if first && strings.Contains(line, question.answer) {
					return
				}
			}
			t.Errorf("the answer %q is not in the first row:\n%s", question.answer, r.text())
		})
	}
	t.Run("Why did the last abortive connection end, if it is the newest?", func(t *testing.T) {
		newest := slices.Clone(records[:nextAbortive(records, 400, -1)+1])
		last := &newest[len(newest)-1].Teardown
		last.Cause = model.CauseDataAfterClose // no other one has it
		r := newRig(t, 120, 40, newest, nil)
		r.press("{", "enter")
		r.shows("✗ abortive: data-after-close")
		before := nextAbortive(newest, len(newest)-1, -1)
		r.press("esc", "{")
		r.selected(t, before)
		r.press("}")
		r.selected(t, uint64(len(newest)-1))
	})
	t.Run("Did closetrace miss anything?", func(t *testing.T) {
		r := newRig(t, 120, 40, records, nil)
		r.hides("MISSED 7")
		r.add(lossRecord(at, 7))
		r.tick(frame)
		r.shows("MISSED 7")
		r.hides("KNOWN LESS")
	})
	t.Run("Is an end missing?", func(t *testing.T) {
		r := newRig(t, 120, 40, records, nil)
		late := lossRecord(at, 9)
		late.Loss.Where = "late-evidence"
		r.add(late)
		r.tick(frame)
		r.shows("9 KNOWN LESS")
		r.hides("MISSED")
	})
}

// most returns the name that has most of the ends that want chooses.
func most(records []model.Record, name func(*model.Teardown) string, want func(*model.Teardown) bool) string {
	wanted, all := map[string]int{}, map[string]int{}
	for i := range records {
		d := &records[i].Teardown
		if all[name(d)]++; want(d) {
			wanted[name(d)]++
		}
	}
	return slices.MaxFunc(slices.Collect(maps.Keys(all)), func(a, b string) int {
		return cmp.Or(cmp.Compare(wanted[a], wanted[b]), cmp.Compare(all[a], all[b]))
	})
}

func largest(records []model.Record, value func(*model.Teardown) int64) *model.Teardown {
	top := &records[0].Teardown
	for i := range records {
		if d := &records[i].Teardown; value(d) > value(top) {
			top = d
		}
	}
	return top
}
