package tui

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	tea "charm.land/bubbletea/v2"

	"github.com/closetrace/closetrace/model"
)

// keyTests holds one test per binding, by the name of its field. TestEveryKey runs them.
var keyTests = map[string]func(*testing.T, *rig){
	"next":     showsEachTab("tab", 1),
	"previous": showsEachTab("shift+tab", -1),
	"views": func(_ *testing.T, r *rig) {
		for _, test := range [][3]string{
			{"3", "[3 Causes]", "unread-data"},
			{"4", "[4 Processes]", "postgresql@"},
			{"5", "[5 Peers]", "10.0.1.5"},
			{"6", "[6 Open]", "not available"},
			{"9", "[6 Open]", "not available"},
			{"7", "[7 Pairs]", "nginx ↔ 10.0.1.5"},
			{"2", "[2 Stream]", "VERDICT"},
		} {
			r.press(test[0])
			r.shows(test[1], test[2])
		}
	},
	"end": func(t *testing.T, r *rig) {
		r.press("6")
		r.send(connsMsg{conns: someOpen()})
		r.press("x")
		r.shows("--allow-kill")
	},
	"up": func(t *testing.T, r *rig) {
		r.press("k", "up")
		r.selected(t, 397)
	},
	"down": func(t *testing.T, r *rig) {
		r.press("g", "j", "down")
		r.selected(t, 2)
	},
	"halfUp": func(t *testing.T, r *rig) {
		half := uint64(r.s.stream.height / 2)
		r.press("ctrl+u", "pgup")
		r.selected(t, 399-2*half)
	},
	"halfDown": func(t *testing.T, r *rig) {
		half := uint64(r.s.stream.height / 2)
		r.press("g", "ctrl+d", "pgdown")
		r.selected(t, 2*half)
	},
	"first": func(t *testing.T, r *rig) {
		r.press("g")
		r.selected(t, 0)
		r.press("G", "home")
		r.selected(t, 0)
	},
	"last": func(t *testing.T, r *rig) {
		r.press("g", "G")
		r.selected(t, 399)
		r.add(feedRecordAt(r.time))
		r.tick(frame)
		r.selected(t, 400) // and follows
		r.press("g", "end")
		r.selected(t, 400)
	},
	"enter": func(t *testing.T, r *rig) {
		r.press("enter")
		r.shows("TIME LINE", "WHO", "DATA")
		r.press("G")
		r.shows("The explanation of fin", "EVIDENCE", "7f3a-18f")
	},
	"back": func(t *testing.T, r *rig) {
		r.press("enter", "esc")
		r.hides("TIME LINE")
		r.press("3", "enter")
		r.shows("filter  cause is unread-data")
		r.press("esc")
		r.shows("[3 Causes]")
		r.hides("filter  cause")
	},
	"nextOne":     func(t *testing.T, r *rig) { r.press("g", "enter", "n"); r.detailOf(t, 1) },
	"previousOne": func(t *testing.T, r *rig) { r.press("enter", "p"); r.detailOf(t, 398) },
	"text": func(t *testing.T, r *rig) {
		r.press("/")
		r.typed("postgres !fin")
		want := count(demoFeed(), func(d *model.Teardown) bool {
			return d.Process.Name == "postgres" && d.Cause != model.CauseFIN
		})
		r.shows(fmt.Sprintf("%d of 400", want)) // at once, while typing
		r.press("enter")
		r.shows("text postgres !fin")
		r.press("/", "esc")
		r.hides("filter  text")
	},
	"expr": func(t *testing.T, r *rig) {
		r.press("f")
		r.typed(`cause == "linger-zero"`)
		r.press("enter")
		want := count(demoFeed(), func(d *model.Teardown) bool { return d.Cause == model.CauseLingerZero })
		r.shows(fmt.Sprintf("%d of 400", want), `where cause == "linger-zero"`)
		r.press("f", "backspace", "backspace", "enter")
		lines := strings.Split(r.text(), "\n")
		for i, line := range lines {
			if strings.Contains(line, ` | cause == "linger-zer`) && strings.Contains(lines[i+1], "^") {
				return
			}
		}
		t.Errorf("no error with a caret:\n%s", r.text())
	},
	"bad": func(_ *testing.T, r *rig) {
		want := count(demoFeed(), func(d *model.Teardown) bool { return d.Verdict != model.Graceful })
		r.press("a")
		r.shows(fmt.Sprintf("%d of 400", want), "filter  not graceful")
		r.hides("✓ graceful  fin")
		r.press("esc")
		r.hides("not graceful  ")
		r.shows("400 ends")
	},
	"redraw": func(t *testing.T, r *rig) {
		if r.press("ctrl+l") == nil {
			t.Error("ctrl+l draws nothing anew")
		}
	},
	"suspend": func(t *testing.T, r *rig) {
		if r.press("ctrl+z") == nil {
			t.Error("ctrl+z does not suspend")
		}
		for _, back := range []tea.Msg{tea.ResumeMsg{}, backMsg{}} {
			if _, cmd := r.s.Update(back); cmd == nil {
				t.Error("nothing is drawn anew after a resume")
			}
		}
	},
	"pause": func(t *testing.T, r *rig) {
		r.press("space")
		r.add(feedRecordAt(r.time), feedRecordAt(r.time))
		r.tick(frame)
		r.shows("PAUSED +2 new", "400 ends")
		r.press("p")
		r.hides("PAUSED")
		r.shows("402 ends")
	},
	"sort": func(t *testing.T, r *rig) {
		r.press("s")
		most := model.Record{}
		for _, rec := range demoFeed() {
			if rec.Teardown.TCP.Bytes.Lost() > most.Teardown.TCP.Bytes.Lost() {
				most = rec
			}
		}
		if got := r.s.stream.shown[0].rec.Teardown.ID; got != most.Teardown.ID {
			t.Errorf("first row by losses: %s, want %s", got, most.Teardown.ID)
		}
		r.press("3")
		for _, want := range []string{"✗ABORT▼", "LOST▼", "/MIN▼", "ENDS▼", "LAST▼", "CAUSE▲", "✗ABORT▼"} {
			r.shows(want)
			r.press("s")
		}
	},
	"reverse": func(t *testing.T, r *rig) {
		r.press("S")
		if got := r.s.stream.shown[0].seq; got != 399 {
			t.Errorf("first row: record %d, want 399", got)
		}
		r.press("3", "S")
		if got := r.s.groups[causeTable].all[0].counts[model.Abortive]; got != 0 {
			t.Errorf("the first cause has %d abortive ends, want the fewest, 0", got)
		}
		r.shows("✗ABORT▲")
	},
	"window": func(t *testing.T, r *rig) {
		r.press("3", "t")
		want := count(demoFeed(), func(d *model.Teardown) bool {
			return d.Cause == model.CauseFIN && at.Sub(d.Time) < 55*time.Second
		})
		var got uint64
		for _, row := range r.s.groups[causeTable].all {
			if row.key.cause == model.CauseFIN {
				got = row.total
			}
		}
		if got < want || got > want+30 { // to within one span of five seconds
			t.Errorf("fin in the last minute: %d, want about %d", got, want)
		}
		r.shows("last minute")
	},
	"group": func(t *testing.T, r *rig) {
		r.press("4", "x")
		r.shows("nginx[812]")
		r.press("x", "5", "x")
		r.shows("10.0.1.0/24", "2001:db8:42:17::/64")
	},
	"copyJSON": func(t *testing.T, r *rig) {
		msg := fmt.Sprint(r.press("y")())
		var got struct{ ID string }
		if err := json.Unmarshal([]byte(msg), &got); err != nil || got.ID != demoFeed()[399].Teardown.ID {
			t.Errorf("copied %q (%v), want the JSON of the last record", msg, err)
		}
		if got := fmt.Sprint(r.press("3", "y")()); !strings.HasPrefix(got, "unread-data\t43\t") {
			t.Errorf("copied %q, want the row of unread-data", got)
		}
	},
	"copyFilter": func(t *testing.T, r *rig) {
		n := demoFeed()[399].Teardown.Network
		tuple := func(from, to model.Endpoint) string {
			return fmt.Sprintf("(ip.src == %s && tcp.srcport == %d && ip.dst == %s && tcp.dstport == %d)", from.Address, from.Port, to.Address, to.Port)
		}
		want := "(" + tuple(n.Local, n.Peer) + " || " + tuple(n.Peer, n.Local) + ")"
		if got := fmt.Sprint(r.press("Y")()); got != want {
			t.Errorf("copied %q, want %q", got, want)
		}
		next := demoFeed()[399]
		next.Teardown.ID, next.Teardown.Time = "the next one", next.Teardown.Time.Add(time.Minute)
		r.add(next)
		r.tick(frame)
		if got := fmt.Sprint(r.press("Y")()); !strings.HasPrefix(got, want+" && frame.time_epoch >= ") {
			t.Errorf("copied %q, want %q and the time", got, want)
		}
		if got := fmt.Sprint(r.press("5", "x", "Y")()); !strings.HasPrefix(got, "tcp && ip.addr == 10.0.") {
			t.Errorf("copied %q, want the filter of a network", got)
		}
	},
	"write": func(t *testing.T, r *rig) {
		path := filepath.Join(t.TempDir(), "view.txt")
		r.press("3", "w")
		r.s.prompt.input.SetValue(path)
		r.run(r.press("enter"))
		data, err := os.ReadFile(path)
		if err != nil || !strings.Contains(string(data), "unread-data\t43\t") ||
			!strings.Contains(string(data), "CAUSE\tENDS\tGRACEFUL\tABORTIVE\tBY US\tBY PEER\tBY KERNEL\tLINGER-TIMEOUT\tFAILED-OPEN\t") || !strings.HasPrefix(string(data), "# host: web1\n# from: 20") {
			t.Errorf("%v; the file has\n%s", err, data)
		}
		r.press("w")
		r.s.prompt.input.SetValue(path)
		if msg := r.run(r.press("enter")).(doneMsg); !errors.Is(msg.err, os.ErrExist) {
			t.Errorf("the file is written twice: %v", msg.err)
		}
	},
	"record": func(t *testing.T, r *rig) {
		d := &disk{}
		r.s.cfg.Record = d.create
		r.press("R")
		r.shows("record to: closetrace-20261120-172300.jsonl.zst")
		r.run(r.press("enter"))
		r.add(feedRecordAt(r.time), feedRecordAt(r.time))
		r.tick(frame)
		r.shows("REC 2", "recording to closetrace-")
		r.run(r.press("R"))
		r.shows("recorded 2 records")
		r.hides("REC")
		if d.closed != 1 || len(d.records) != 2 {
			t.Errorf("closed %d times with %d records, want once with 2", d.closed, len(d.records))
		}
	},
	"mouse": func(t *testing.T, r *rig) {
		if mode := r.s.View().MouseMode; mode != tea.MouseModeNone {
			t.Errorf("mouse mode %v at first, want none", mode)
		}
		r.press("m")
		if mode := r.s.View().MouseMode; mode != tea.MouseModeCellMotion {
			t.Errorf("mouse mode %v, want cell motion", mode)
		}
		clicked := r.s.stream.shown[2].seq
		r.send(tea.MouseClickMsg{X: 5, Y: r.s.headerHeight() + 3})
		r.selected(t, clicked)
		r.send(tea.MouseWheelMsg{Button: tea.MouseWheelUp})
		r.selected(t, clicked-3)
		r.press("3")
		r.send(tea.MouseClickMsg{X: 5, Y: r.s.headerHeight() + 2})
		r.shows("▸peer-reset")
	},
	"step":     func(t *testing.T, r *rig) { r.press("g", "]"); r.selected(t, 1) },
	"stepBack": func(t *testing.T, r *rig) { r.press("["); r.selected(t, 398) },
	"abort": func(t *testing.T, r *rig) {
		r.press("g", "}")
		r.selected(t, nextAbortive(demoFeed(), 0, 1))
	},
	"abortBack": func(t *testing.T, r *rig) {
		r.press("{")
		r.selected(t, nextAbortive(demoFeed(), 399, -1))
	},
	"faster": func(t *testing.T, r *rig) { replayKeys(t, "+", "2x") },
	"slower": func(t *testing.T, r *rig) { replayKeys(t, "-", "0.5x") },
	"seek": func(t *testing.T, _ *rig) {
		r := newRig(t, 120, 24, demoFeed(), func(c *Config) { c.Replay = &Replay{Name: "f"} })
		r.in.end(nil)
		r.tick(frame)
		for typed, want := range map[string]string{"17:21": "17:21:00.000", "17:22:03": "17:22:03.000", "-10s": "17:21:50.000", "03:00": "17:20:4"} {
			r.press(":")
			r.typed("17:22")
			r.press("enter", ":")
			r.typed(typed)
			r.press("enter")
			r.shows("‖ " + want)
		}
		r.press(":")
		r.typed("noon")
		r.press("enter")
		r.shows("want a time such as 17:03")
	},
	"restart": func(t *testing.T, _ *rig) {
		r := newRig(t, 120, 24, demoFeed(), func(c *Config) { c.Replay = &Replay{Name: "f"} })
		r.in.end(nil)
		r.tick(frame)
		r.press("P")
		r.shows("▶ 1x 17:20:40")
	},
	"help": func(t *testing.T, r *rig) {
		r.press("?")
		r.shows("Signs", "Program")
		r.hides("Replay")
		r.press("j", "?")
		r.hides("Signs")
	},
	"quit": func(t *testing.T, r *rig) {
		if _, quits := r.press("q")().(tea.QuitMsg); !quits {
			t.Error("q does not quit")
		}
		r.s.cfg.Record = (&disk{}).create
		r.press("R")
		r.run(r.press("enter"))
		if cmd := r.press("q"); cmd != nil {
			t.Error("q quits at once while a recording runs")
		}
		r.shows("A recording is running")
		r.press("n")
		r.hides("A recording is running")
		if _, quits := r.press("q", "y")().(tea.QuitMsg); !quits {
			t.Error("q and y do not quit")
		}
	},
	"kill": func(t *testing.T, r *rig) {
		r.press("/")
		if _, quits := r.press("ctrl+c")().(tea.QuitMsg); !quits {
			t.Error("ctrl+c does not quit while a question is open")
		}
	},
}
