package tui

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	tea "charm.land/bubbletea/v2"
	"github.com/charmbracelet/x/ansi"

	"github.com/closetrace/closetrace/model"
)

// TestSelectionSticksToTheRecord: while others come in, and whatever the
// order, the selected record stays selected, and in its line.
func TestSelectionSticksToTheRecord(t *testing.T) {
	for _, keys := range [][]string{nil, {"S"}, {"s"}, {"s", "S"}, {"s", "s", "s"}} {
		t.Run(strings.Join(keys, " "), func(t *testing.T) {
			r := newRig(t, 120, 24, demoFeed(), nil)
			r.press(keys...)
			r.press("g", "j", "j", "j", "j", "j", "k")
			seq, line := r.s.stream.selected, r.s.stream.line
			for i := range 50 {
				r.add(feedRecord(rand.New(rand.NewPCG(uint64(i), 1)), i, r.time))
				r.tick(150 * time.Millisecond)
				if r.s.stream.selected != seq {
					t.Fatalf("after %d records %d is selected, want %d", i+1, r.s.stream.selected, seq)
				}
			}
			if len(keys) == 0 && r.s.stream.line != line {
				t.Errorf("the selection moved from line %d to %d", line, r.s.stream.line)
			}
			r.press("enter")
			if r.s.detail.seq != seq {
				t.Errorf("the detail is that of record %d, want %d", r.s.detail.seq, seq)
			}
		})
	}
}

// TestSelectionSurvivesItsRecord: when the journal drops the selected record,
// the nearest one that is left is selected; an open detail stays.
func TestSelectionSurvivesItsRecord(t *testing.T) {
	r := newRig(t, 120, 24, demoFeed(), func(c *Config) { c.Keep = 500 })
	r.press("g", "enter")
	want := r.s.detail.rec.Teardown.ID
	for i := range 5 {
		r.add(feed(1000, r.time, time.Millisecond)...)
		r.tick(frame)
		if got := r.s.detail.rec.Teardown.ID; got != want {
			t.Fatalf("after %d thousand records the detail is of %s, want %s", i+1, got, want)
		}
	}
	r.press("esc")
	if got, oldest := r.s.stream.selected, r.in.deck.journal.first; got != oldest {
		t.Errorf("selected %d, want the oldest that is kept, %d", got, oldest)
	}
}

// TestGroupSelectionSticks: the selected group stays selected when the order
// of the groups changes.
func TestGroupSelectionSticks(t *testing.T) {
	r := newRig(t, 120, 24, demoFeed(), nil)
	r.press("4", "j", "j")
	want := r.s.groups[processTable].current().key
	more := feedRecordAt(r.time)
	for range 1000 {
		more.Teardown.Process = model.Process{Name: "newcomer", PID: 1}
		r.add(more)
	}
	r.tick(time.Second)
	l := &r.s.groups[processTable]
	if l.all[0].key.name != "newcomer" {
		t.Fatalf("the first group is %q, want newcomer", l.all[0].key.name)
	}
	if got := l.current().key; got != want {
		t.Errorf("selected %+v, want %+v", got, want)
	}
}

// TestPauseFreezesTheView: nothing on the screen but the counter moves, even
// when all that is shown was dropped meanwhile, and nothing is missed.
func TestPauseFreezesTheView(t *testing.T) {
	d := &disk{}
	r := newRig(t, 80, 24, demoFeed(), func(c *Config) { c.Keep, c.Record = 500, d.create })
	r.press("R")
	r.run(r.press("enter"))
	r.tick(10 * time.Second) // the notice goes
	r.press("space")
	before := strings.Split(r.text(), "\n")
	for range 20 {
		r.add(feed(500, r.time, time.Millisecond)...)
		r.tick(frame)
	}
	after := strings.Split(r.text(), "\n")
	for i := range before {
		if i != 0 && i != 1 && before[i] != after[i] {
			t.Errorf("line %d was\n%q, is\n%q", i, before[i], after[i])
		}
	}
	r.shows("PAUSED +10,000 new", "REC 10,000")
	r.press("g", "enter")
	r.shows(clockWord(demoFeed()[0].Time(), nil, 6))
	r.press("esc", "space")
	r.shows("10,400 ends")
	if len(d.records) != 10_000 {
		t.Errorf("%d records were recorded, want 10000", len(d.records))
	}
}

// TestCountsAgreeWithTheRecords counts all groups in another way.
func TestCountsAgreeWithTheRecords(t *testing.T) {
	records := demoFeed()
	for _, expr := range []string{"", `verdict == "abortive"`} {
		r := newRig(t, 120, 24, records, func(c *Config) { c.Filter = expr })
		type row struct {
			ends uint64
			lost uint64
		}
		want := [3]map[string]row{{}, {}, {}}
		for _, rec := range records {
			d := &rec.Teardown
			if expr != "" && d.Verdict != model.Abortive {
				continue
			}
			lost := d.TCP.Bytes.Unread.Or(0) + d.TCP.Bytes.Unacked.Or(0)
			for i, name := range []string{d.Cause.String(), d.Process.Name, d.Network.Peer.Address.String()} {
				sum := want[i][name]
				want[i][name] = row{sum.ends + 1, sum.lost + lost}
			}
		}
		for i, keys := range []string{"3", "4", "5"} {
			r.press(keys)
			got := map[string]row{}
			for _, g := range r.s.groups[i].all {
				name := g.key.name
				switch i {
				case causeTable:
					name = g.key.cause.String()
				case peerTable:
					name = g.key.prefix.Addr().String()
				}
				got[name] = row{g.total, g.lost}
			}
			if fmt.Sprint(got) != fmt.Sprint(want[i]) {
				t.Errorf("filter %q, view %s:\n got %v\nwant %v", expr, keys, got, want[i])
			}
		}
	}
}

// TestRetraction: an outcome that takes a linger-timeout back moves it to the
// verdict that holds.
func TestRetraction(t *testing.T) {
	d := newDeck(100)
	r := teardown()
	r.Teardown.Verdict, r.Teardown.Cause = model.LingerTimeout, model.CauseLingerExpired
	d.add(&r)
	r.Kind, r.Retracts = model.KindOutcome, true
	r.Teardown.Verdict, r.Teardown.Cause = model.Graceful, model.CauseFIN
	d.add(&r)
	want := perVerdict{model.Graceful: 1}
	if d.all.counts != want {
		t.Errorf("counts %v, want %v", d.all.counts, want)
	}
	for key, g := range d.all.tables[byCause].groups {
		if n := g.counts.total(); n != 0 && key.cause != model.CauseFIN {
			t.Errorf("%v has %d ends", key.cause, n)
		}
	}
}

// TestOutcomeAmends: a reset from TIME_WAIT and a corrected loss count in every
// view, once, whether the query chooses the teardown, the outcome or both.
func TestOutcomeAmends(t *testing.T) {
	end := func(kind model.Kind, id string, v model.Verdict, c model.Cause, unacked uint64) model.Record {
		r := teardown()
		r.Kind, r.Teardown.ID, r.Teardown.Verdict, r.Teardown.Cause = kind, id, v, c
		r.Teardown.TCP.Bytes = model.Bytes{Unacked: model.Some(unacked)}
		return r
	}
	list := []model.Record{
		end(model.KindTeardown, "a", model.Graceful, model.CauseFIN, 0),
		end(model.KindTeardown, "b", model.Graceful, model.CauseFIN, 0),
		end(model.KindTeardown, "c", model.LingerTimeout, model.CauseLingerExpired, 3_890_000),
		end(model.KindOutcome, "b", model.Abortive, model.CauseDataAfterClose, 0),
		end(model.KindOutcome, "c", model.Graceful, model.CauseFIN, 0),
	}
	all := perVerdict{model.Graceful: 1, model.Abortive: 1, model.LingerTimeout: 1}
	for expression, want := range map[string]struct {
		counts perVerdict
		hits   int
	}{
		"":                          {all, 5},
		`verdict == "abortive"`:     {perVerdict{model.Abortive: 1}, 1},
		`id == "b"`:                 {perVerdict{model.Abortive: 1}, 2},
		`cause == "linger-expired"`: {perVerdict{model.LingerTimeout: 1}, 2},
	} {
		d := newDeck(100)
		choose := func() {
			q := query{expr: expression}
			m, err := q.compile()
			if err != nil {
				t.Fatal(err)
			}
			d.choose(m.record())
		}
		check := func(when string) {
			t.Helper()
			if d.all.counts != all || d.all.lostBytes != 0 {
				t.Errorf("%q %s: all counts %v, lost %d", expression, when, d.all.counts, d.all.lostBytes)
			}
			if d.shown.counts != want.counts || d.hits.len() != want.hits || d.shown.lostBytes != 0 {
				t.Errorf("%q %s: shows %v in %d rows, lost %d; want %+v", expression, when, d.shown.counts, d.hits.len(), d.shown.lostBytes, want)
			}
			for place, table := range d.shown.tables {
				var sum, timed perVerdict
				for key, g := range table.groups {
					for v, n := range g.counts {
						sum[v] += n
					}
					for v, n := range g.history.last(list[0].Teardown.Time, time.Minute) {
						timed[v] += n
					}
					if g.lost != 0 {
						t.Errorf("%q %s: %v lost %d", expression, when, key, g.lost)
					}
					if table.by == byCause && g.causes[key.cause] != uint32(g.counts.total()) {
						t.Errorf("%q %s: group %v is mostly %v", expression, when, key, g.causes)
					}
				}
				if sum != want.counts || timed != want.counts {
					t.Errorf("%q %s: table %d has %v, in the last minute %v; want %v", expression, when, place, sum, timed, want.counts)
				}
			}
		}
		choose()
		for i := range list {
			d.add(&list[i])
		}
		check("as they came")
		choose()
		check("counted again")
		c := d.snapshot(d.match)
		again := end(model.KindTeardown, "d", model.Silent, model.CauseTCPRepair, 5)
		d.add(&again)
		d = c
		check("paused")
	}
}

// TestOtherEndAndOutcome: the detail of one end shows the other end of the
// connection, and what was learnt later.
func TestOtherEndAndOutcome(t *testing.T) {
	here := teardown()
	there := teardown()
	there.Teardown.ID = "peer"
	there.Teardown.Network = here.Teardown.Network.Reversed()
	there.Teardown.Process.Name = "the-client"
	there.Teardown.Time = at.Add(time.Millisecond)
	later := teardown()
	later.Kind = model.KindOutcome
	later.Teardown.Verdict, later.Teardown.Cause = model.Abortive, model.CauseDataAfterClose
	older := there // the same tuple an hour ago was another connection
	older.Teardown.Time = at.Add(-time.Hour)
	older.Teardown.Process.Name = "somebody-else"
	r := newRig(t, 200, 60, []model.Record{older, here, there, later}, nil)
	r.press("g", "j", "enter")
	r.shows("THE OTHER END IS ON THIS HOST", "the-client", "LATER", "data-after-close")
	r.hides("process            somebody-else")
}

// TestSourceStates: an ended source, a failed source and losses are told.
func TestSourceStates(t *testing.T) {
	r := newRig(t, 80, 24, nil, nil)
	r.shows("Waiting for the first connection to end")
	r.in.end(nil)
	r.tick(frame)
	r.shows("ended", "The source ended")
	r = newRig(t, 80, 24, demoFeed(), nil)
	r.in.end(errors.New("read ring buffer: broken"))
	r.add(lossRecord(at, 7), lossRecord(at, 5))
	r.tick(frame)
	r.shows("SOURCE FAILED", "source: read ring buffer: broken", "MISSED 12")
}

// TestRecordingThatFails: the error is loud and stays.
func TestRecordingThatFails(t *testing.T) {
	d := &disk{}
	r := newRig(t, 80, 24, nil, func(c *Config) { c.Record = d.create })
	r.press("R")
	r.run(r.press("enter"))
	d.fails = errors.New("no space left on device")
	r.add(feedRecordAt(at))
	r.tick(time.Minute)
	r.shows("RECORDING FAILED", "no space left on device")
	if d.closed != 1 {
		t.Errorf("the file was closed %d times, want once", d.closed)
	}
}

// TestStreamIsWrittenAsRecording: w in the stream writes what matches.
func TestStreamIsWrittenAsRecording(t *testing.T) {
	d := &disk{}
	r := newRig(t, 80, 24, demoFeed(), func(c *Config) { c.Record = d.create })
	r.press("/")
	r.typed("unread-data")
	r.press("enter", "w")
	r.run(r.press("enter"))
	want := count(demoFeed(), func(d *model.Teardown) bool { return d.Cause == model.CauseUnreadData })
	if uint64(len(d.records)) != want || d.closed != 1 {
		t.Errorf("wrote %d records and closed %d times, want %d and once", len(d.records), d.closed, want)
	}
	if held := r.in.deck.journal.held; held != 0 {
		t.Errorf("%d snapshots are still held", held)
	}
	r.shows(fmt.Sprintf("wrote %d records to closetrace-stream-20261120-172300.jsonl", want))
}

// TestBackgroundIsAskedFor: the terminal's answer chooses the palette.
func TestBackgroundIsAskedFor(t *testing.T) {
	r := newRig(t, 80, 24, nil, func(c *Config) { c.Background = BackgroundAuto })
	if r.s.pal != &darkPalette {
		t.Error("the palette is not the dark one before the terminal answers")
	}
	r.send(tea.BackgroundColorMsg{Color: ansi.BrightWhite})
	if r.s.pal != &lightPalette {
		t.Error("the palette is not the light one on a white ground")
	}
}

// TestFollowsAfterDetail: to look at a record does not end following, to move does.
func TestFollowsAfterDetail(t *testing.T) {
	for _, test := range []struct {
		name string
		keys []string
		want uint64 // selected after two more came
	}{
		{"enter and esc", []string{"enter", "esc"}, 401},
		{"another view", []string{"enter", "3", "2"}, 401},
		{"to the one before", []string{"enter", "p", "esc"}, 398},
		{"moved before", []string{"k", "enter", "esc"}, 398},
	} {
		t.Run(test.name, func(t *testing.T) {
			r := newRig(t, 120, 24, demoFeed(), nil)
			r.press(test.keys...)
			r.add(feed(2, r.time.Add(time.Second), time.Millisecond)...)
			r.tick(time.Second)
			r.selected(t, test.want)
		})
	}
}

// TestBlankName: a process that calls itself by blanks has a row that can be seen.
func TestBlankName(t *testing.T) {
	blank := feedRecordAt(at)
	blank.Teardown.Process.Name = "  "
	r := newRig(t, 120, 24, []model.Record{blank}, nil)
	r.press("4")
	r.shows(`▸"  "`)
}

// TestFirstNotice: what the user must know first stands until a key is pressed.
func TestFirstNotice(t *testing.T) {
	const text = "no process has this name yet"
	r := newRig(t, 80, 24, nil, func(c *Config) { c.Notice = text })
	r.tick(time.Minute)
	r.shows(text)
	r.press("j")
	r.hides(text)
}
